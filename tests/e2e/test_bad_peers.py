"""Bad peers: requests too large, too slow, cut short, or no HTTP at all; and very many connections.

The fixtures `steady` and `hurried` look after each test whether the same process still answers, and rooms and counts are
as they were.
"""

import random
import select
import socket
import ssl
import time

import pytest

import wire
from conftest import check_steady

LIST = "/v4/live_engine_http_srv/get_room_list"
CREATE = "/v4/live_engine_http_srv/create_room"
BODY_MAX = 64 * 1024
HEADER_MAX = 16 * 1024


# ---- sizes ----


def head(app, path=LIST, length=None, extra=""):
    sized = f"Content-Length: {length}\r\n" if length is not None else ""
    return f"POST {path}?{app.query()} HTTP/1.1\r\nHost: h\r\n{extra}{sized}\r\n".encode()


def test_body_at_the_limit_is_taken(steady):
    steady.client.post(f"{LIST}?{steady.query()}", b"{" + b" " * (BODY_MAX - 2) + b"}").ok()


@pytest.mark.parametrize("size", [BODY_MAX + 1, 4 * 1024 * 1024])
def test_body_over_the_limit(backend, steady, size):
    with wire.Raw(backend.port) as raw:
        raw.send(head(steady, CREATE, size), b"{" + b" " * (size - 2) + b"}")
        reply = raw.reply()
        assert reply.status == 413
        reply.refused(60003, str(BODY_MAX))


@pytest.mark.parametrize("size", [10**9, 2**63, 2**64, 10**30])
def test_body_that_is_only_promised_to_be_large(backend, steady, size):
    with wire.Raw(backend.port) as raw:
        raw.send(head(steady, CREATE, size))
        reply = raw.reply()
        assert reply is None or reply.status in (400, 413)


def test_chunked_body_over_the_limit(backend, steady):
    with wire.Raw(backend.port) as raw:
        raw.send(head(steady, CREATE, extra="Transfer-Encoding: chunked\r\n"))
        piece = b"%x\r\n" % 8192 + b" " * 8192 + b"\r\n"
        raw.send(*[piece] * 20, b"0\r\n\r\n")
        reply = raw.reply()
        assert reply.status == 413
        reply.refused(60003, str(BODY_MAX))


@pytest.mark.parametrize("chunk", [b"zz\r\n", b"-1\r\n", b"ffffffffffffffffffff\r\n", b"5\r\nabcdefgh\r\n", b"\x00"])
def test_chunked_body_that_is_broken(backend, steady, chunk):
    with wire.Raw(backend.port) as raw:
        raw.send(head(steady, CREATE, extra="Transfer-Encoding: chunked\r\n"), chunk)
        raw.finish()
        reply = raw.reply()
        assert reply is None or reply.status in (400, 413) or reply.code == 60003


@pytest.mark.parametrize("extra", ["Content-Length: 2\r\nContent-Length: 3\r\n", "Content-Length: -1\r\n", "Content-Length: x\r\n",
                                   "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip\r\n",
                                   "Content-Length: 2, 2\r\n", "Content-Length: +2\r\n"])  # fmt: skip
def test_length_that_is_ambiguous_smuggles_nothing(backend, steady, extra):
    hidden = head(steady, "/v4/live_engine_http_srv/destroy_room", 14) + b'{"RoomId":"a"}'
    with wire.Raw(backend.port) as raw:
        raw.send(head(steady, extra=extra), b"{}", hidden)
        raw.finish()
        raw.rest()  # whatever is answered: `steady` sees whether the room is gone


def test_two_lengths_are_a_bad_request(backend, steady):
    with wire.Raw(backend.port) as raw:
        raw.send(head(steady, extra="Content-Length: 2\r\nContent-Length: 3\r\n"), b"{} ")
        reply = raw.reply()
        assert reply.status == 400
        assert raw.rest() == b"", "what follows is not read as a request"


@pytest.mark.parametrize("extra", ["X: " + "x" * HEADER_MAX + "\r\n", "".join(f"X{n}: y\r\n" for n in range(2000))])
def test_header_over_the_limit(backend, steady, extra):
    with wire.Raw(backend.port) as raw:
        raw.send(head(steady, length=2, extra=extra), b"{}")
        reply = raw.reply()
        assert reply is None or reply.status in (400, 431)


def test_single_long_header_is_answered_431(backend, steady):
    with wire.Raw(backend.port) as raw:
        raw.send(head(steady, length=2, extra="X: " + "x" * HEADER_MAX + "\r\n"), b"{}")
        reply = raw.reply()
        assert reply.status == 431
        assert "headers are too large" in reply.info
        reply.refused(60002)


def test_request_line_over_the_limit(backend, steady):
    with wire.Raw(backend.port) as raw:
        raw.send(b"POST /" + b"x" * HEADER_MAX + b" HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}")
        reply = raw.reply()
        assert reply is None or reply.status in (400, 414, 431)


# ---- time ----


@pytest.fixture
def hurried(make_backend):
    backend = make_backend("--http-request-timeout", "500ms", "--http-idle-timeout", "500ms")
    app = backend.app(MaxRoomCount=100)
    for room in "abc":
        app.create(room).ok()
    yield app
    check_steady(backend, app)


HALVES = {
    "request line": lambda app: b"POST /v4/live_eng",
    "header": lambda app: b"POST /x HTTP/1.1\r\nHost: h\r\nX-",
    "no body": lambda app: head(app, CREATE, 45),
    "half a body": lambda app: head(app, CREATE, 45) + b'{"RoomInfo":{"RoomId":"r"',
    "half a chunk": lambda app: head(app, CREATE, extra="Transfer-Encoding: chunked\r\n") + b'20\r\n{"RoomInfo"',
}


@pytest.mark.parametrize("name", HALVES)
def test_half_a_request_then_silence_is_closed_and_others_are_served(hurried, name):
    port = hurried.client.connection.port
    with wire.Raw(port) as raw:
        start = time.monotonic()
        raw.send(HALVES[name](hurried))
        while not select.select([raw.socket], [], [], 0)[0]:
            other = hurried.over(wire.Client(port))
            other.rest("get_room_list", {}).ok()
            other.client.close()
            assert time.monotonic() - start < 15, "it is never closed"
        assert time.monotonic() - start >= 0.4, "closed before its time"
        rest = raw.rest()
        assert b'"ErrorCode":0' not in rest


def test_request_byte_by_byte_is_closed_after_the_deadline(hurried):
    request = head(hurried, CREATE, 45) + b'{"RoomInfo":{"RoomId":"r","RoomType":"Live"}}'
    with wire.Raw(hurried.client.connection.port) as raw:
        start = time.monotonic()
        for position in range(len(request)):
            raw.send(request[position : position + 1])
            if select.select([raw.socket], [], [], 0.02)[0]:  # the pace of a slow client
                break
        assert 0.4 <= time.monotonic() - start < 10
        assert b'"ErrorCode":0' not in raw.rest()


def test_slow_request_within_the_deadline_is_served(backend, steady):
    request = head(steady, LIST, 2) + b"{}"
    with wire.Raw(backend.port) as raw:
        for position in range(0, len(request), 7):
            raw.send(request[position : position + 7])
        raw.reply().ok()


def test_header_that_never_ends_is_closed(hurried):
    with wire.Raw(hurried.client.connection.port) as raw:
        raw.send(b"POST / HTTP/1.1\r\n", *[b"X-Header: " + b"y" * 1000 + b"\r\n"] * 200)
        assert b'"ErrorCode":0' not in raw.rest()


def test_header_that_runs_on_is_cut_off_before_its_deadline(backend, steady):
    with wire.Raw(backend.port) as raw:
        raw.send(b"POST / HTTP/1.1\r\n", *[b"X-Header: " + b"y" * 1000 + b"\r\n"] * 20)
        started = time.monotonic()
        assert b'"ErrorCode":0' not in raw.rest()
    assert time.monotonic() - started < 5  # http.request_timeout is 10 s


def test_idle_connection_is_closed(hurried):
    port = hurried.client.connection.port
    with wire.Raw(port) as silent, wire.Raw(port) as used:
        used.send(head(hurried, length=2), b"{}")
        used.reply().ok()
        assert silent.rest() == b""
        assert used.rest() == b""


def test_client_that_does_not_read_is_closed(hurried):
    hurried.fill(1, 20)
    with wire.Raw(hurried.client.connection.port) as raw:
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.socket.settimeout(60)
        request = head(hurried, length=2) + b"{}"
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while True:  # each answer is longer than what is read of it: the server stops reading, then closes
                raw.socket.sendall(request * 50)
    remaining = {f"r{n}" for n in range(1, 21)}
    for room in sorted(remaining):
        hurried.destroy(room).ok()


# ---- connections ----


def test_pipelined_requests_are_answered_in_order(backend, steady):
    count = 30
    pieces = []
    for number in range(count):
        body = b'{"RoomInfo":{"RoomId":"p%d","RoomType":"Live"}}' % number
        pieces.append(head(steady, CREATE, len(body)) + body)
    with wire.Raw(backend.port) as raw:
        raw.send(b"".join(pieces))
        assert [raw.reply().ok().response["RoomId"] for _ in range(count)] == [f"p{n}" for n in range(count)]
    for number in range(count):
        steady.destroy(f"p{number}").ok()


def test_garbage_behind_a_good_request_spoils_only_itself(backend, steady):
    with wire.Raw(backend.port) as raw:
        raw.send(head(steady, length=2), b"{}", b"\x00\xff garbage\r\n\r\n")
        raw.reply().ok()
        raw.finish()
        assert b'"ErrorCode":0' not in raw.rest()


def test_200_idle_connections_hinder_nobody(backend, steady):
    idle = [wire.Raw(backend.port) for _ in range(200)]
    steady.rest("get_room_list", {}).ok()
    fresh = steady.over(backend.client())
    fresh.rest("get_room_list", {}).ok()
    idle[100].send(head(steady, length=2), b"{}")
    idle[100].reply().ok()
    for raw in idle:
        raw.close()


def test_connections_over_the_cap_wait_and_are_served_later(make_backend):
    backend = make_backend("--http-connections-max", "4", "--http-threads", "1", "--http-idle-timeout", "300ms")
    app = backend.app()
    idle = [wire.Raw(backend.port) for _ in range(8)]
    app.rest("get_room_list", {}).ok()
    for raw in idle:
        raw.close()


@pytest.mark.smoke
def test_hangs_up_in_the_middle(backend, steady):
    request = head(steady, CREATE, 45) + b'{"RoomInfo":{"RoomId":"r","RoomType":"Live"'
    for cut in range(0, len(request), 23):
        with wire.Raw(backend.port) as raw:
            raw.send(request[:cut])
    for _ in range(20):  # reset instead of an orderly end
        with wire.Raw(backend.port) as raw:
            raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            raw.send(head(steady, length=2), b"{}")


GARBAGE = {
    "zeros": b"\x00" * 1000,
    "ones": b"\xff" * 1000,
    "newlines": b"\r\n" * 1000,
    "text": b"hello\r\n\r\n",
    "version": b"POST / HTTP/9.9\r\n\r\n",
    "http 0.9": b"GET /\r\n\r\n",
    "http/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "upgrade": b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n",
    "websocket": b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n\r\n",
    "connect": b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
    "star": b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
    "folded": b"POST / HTTP/1.1\r\nHost: h\r\n folded\r\nContent-Length: 0\r\n\r\n",
    "no colon": b"POST / HTTP/1.1\r\nHost h\r\n\r\n",
    "nul in header": b"POST / HTTP/1.1\r\nHost: h\x00h\r\n\r\n",
    "nul in path": b"POST /\x00 HTTP/1.1\r\nHost: h\r\n\r\n",
    "space in path": b"POST /a b HTTP/1.1\r\nHost: h\r\n\r\n",
    "bare cr": b"POST / HTTP/1.1\rHost: h\r\r",
    "tls hello": bytes.fromhex("16030100410100003d0303") + b"\x11" * 200,
    **{f"random {seed}": random.Random(seed).randbytes(3000) for seed in range(10)},
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_bytes(backend, steady, name):
    with wire.Raw(backend.port) as raw:
        raw.send(GARBAGE[name])
        raw.finish()
        rest = raw.rest()
        assert b'"ErrorCode":0' not in rest
        assert b"101 Switching" not in rest


def test_tls_client_on_the_plain_port(backend, steady):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", backend.port), 20) as plain:
        with pytest.raises(OSError):
            context.wrap_socket(plain)


def test_full_queue_is_answered_60007_and_recovers(make_backend):
    backend = make_backend("--engine-queue-max", "1", "--engine-batch-max", "1")
    app = backend.app(MaxRoomCount=10000)
    count = 200
    request = b"".join(
        head(app, CREATE, len(body)) + body
        for body in (b'{"RoomInfo":{"RoomId":"q%d","RoomType":"Live"}}' % number for number in range(count))
    )
    raws = [wire.Raw(backend.port) for _ in range(4)]
    for raw in raws:
        raw.send(request)
    codes = [raw.reply().code for raw in raws for _ in range(count)]
    for raw in raws:
        raw.close()
    assert 60007 in codes and set(codes) <= {0, 60007, 100010}
    made = codes.count(0)
    assert made == len(app.room_ids()) == backend.show()["RoomCount"]
    app.create("after").ok()
