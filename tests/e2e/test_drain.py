"""SIGTERM under load: what was acknowledged is there after the next start, whoever was answered was answered whole, the status page
says that the program stops, and it ends in time."""

import concurrent.futures
import contextlib
import http.client
import signal
import socket
import time

import pytest

import conftest
import wire
from test_receive import SAMPLE, Sender


def until_refused(work):
    """Calls work(number) until the server takes no more; returns how many were acknowledged. An answer that breaks off, or a
    connection that is reset once its request is on the way, is an error."""
    done = 0
    while True:
        try:
            work(done).ok()
            done += 1
        except (ConnectionRefusedError, http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            return done


@pytest.mark.smoke
def test_no_acknowledged_creation_is_lost_by_a_stop_under_load(make_backend):
    backend = make_backend("--http-threads", "2")
    app = backend.app(MaxRoomCount=1000000)

    def client(number):
        mine = app.over(backend.client())
        acknowledged = until_refused(lambda done: mine.create(f"r{number}-{done}"))
        mine.client.close()
        return acknowledged

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        clients = [pool.submit(client, number) for number in range(16)]
        time.sleep(1.5)
        began = time.monotonic()
        backend.child.send_signal(signal.SIGTERM)
        assert backend.child.wait(20) == 0
        took = time.monotonic() - began
        counts = [one.result(20) for one in clients]
    assert took < 10 and min(counts) > 0 and sum(counts) > 200, (took, counts)
    app.client.close()
    backend.start()
    fresh = app.over(backend.client())
    for number, count in enumerate(counts):
        for room in {0, count // 2, count - 1}:
            assert fresh.info(f"r{number}-{room}")
    stored = backend.show()["RoomCount"]
    assert sum(counts) <= stored <= sum(counts) + 16, "and at most the one of each client whose answer nobody read"
    fresh.client.close()


def test_requests_in_hand_are_answered_whole(make_backend):
    """Each connection has sent a whole request when the signal comes: all get their answer, and then the end."""
    backend = make_backend("--engine-batch-max", "1")
    app = backend.app(MaxRoomCount=1000)
    connections = []
    for number in range(40):
        one = http.client.HTTPConnection("127.0.0.1", backend.port, timeout=20)
        body = f'{{"RoomInfo":{{"RoomId":"q{number}","Owner_Account":"administrator","RoomName":"n","RoomType":"Live"}}}}'
        one.request("POST", "/v4/live_engine_http_srv/create_room?" + app.query(), body)
        connections.append(one)
    backend.child.send_signal(signal.SIGTERM)
    answered = 0
    for one in connections:
        answer = one.getresponse()
        text = answer.read()
        assert answer.status == 200 and b'"ErrorCode":0' in text, text
        answered += answer.getheader("Connection", "").lower() == "close"
        one.close()
    assert backend.child.wait(20) == 0
    assert answered > 0, "those answered after the signal are told that the connection ends"
    app.client.close()
    backend.start()
    assert backend.show()["RoomCount"] == 40


def test_it_is_not_ready_while_it_drains(make_backend):
    backend = make_backend(*conftest.STATUS, "--http-drain-timeout", "3s")
    app = backend.app()
    app.create("a").ok()
    with socket.create_connection(("127.0.0.1", backend.port)) as slow:
        slow.sendall(b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")  # keeps the drain waiting
        time.sleep(0.3)
        backend.child.send_signal(signal.SIGTERM)
        wire.wait(lambda: backend.status("/readyz") == (503, "the program is stopping\n"), what="not to be ready")
        assert backend.status("/healthz")[0] == 200
        assert backend.metric("highwater_rooms") == 1
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", backend.port), 1).close()
            raise ConnectionRefusedError  # taken by the kernel's queue at the last moment
        slow.sendall(b"stuff\n")
        assert b"200 OK" in slow.recv(4096)
    assert backend.child.wait(20) == 0
    assert not backend.status_port_file.exists()


def test_no_acknowledged_callback_is_lost_by_a_stop_under_load(make_app_backend):
    receive = make_app_backend()

    def client(number):
        with contextlib.closing(Sender(receive.port)) as sender:
            return until_refused(lambda done: sender.send({**SAMPLE, "CurRoomCount": number * 1000000 + done}))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(client, number) for number in range(8)]
        time.sleep(1)
        receive.child.send_signal(signal.SIGTERM)
        assert receive.child.wait(20) == 0
        counts = [one.result(20) for one in clients]
    assert min(counts) > 0
    recorded = len(receive.events())
    assert sum(counts) <= recorded <= sum(counts) + 8
