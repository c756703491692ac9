"""Receivers that misbehave below HTTP, receivers that hold what they get, and what tests of delivery ask again and again."""

import json
import socket
import ssl
import struct
import threading
import time
import urllib.parse

import pytest

import wire

SDKAPPID = 1400000001
CREATED = "Live.CallbackAfterCreateRoom"
FINAL = ("delivered", "superseded", "failed")
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(wire.OK_REPLY) + wire.OK_REPLY
NEVER_AGAIN = tuple("--callback-retry-first 1h --callback-retry-longest 1h --callback-probe-longest 1h".split())


def status(code, *headers, body=b""):
    """A reply as bytes."""
    lines = [f"HTTP/1.1 {code} Status", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def all_are(*states):
    return lambda rows: rows and all(row["State"] in states for row in rows)


def sequences(rows):
    return [row["Sequence"] for row in rows]


def sequence_of(request):
    return int(request["headers"]["highwater-sequence"])


def after(seconds):
    """Waits until the time has passed: for what must not happen within it."""
    end = time.monotonic() + seconds
    wire.wait(lambda: time.monotonic() >= end, seconds + 20)


class Connection:
    """One connection that a Peer accepted."""

    def __init__(self, plain, number):
        self.socket = plain
        self.number = number
        self.input = plain.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def reset(self):
        """Ends it with RST instead of an orderly end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.input.close()
        self.socket.close()

    def say_no_more(self):
        """Half-closes it: reads on, writes nothing."""
        socket.socket.shutdown(self.socket, socket.SHUT_WR)

    def until_closed(self):
        """Reads and drops whatever comes until the peer is gone."""
        while self.socket.recv(65536):
            pass

    def peer_name(self):
        """The common name of the client's certificate, or None."""
        certificate = self.socket.getpeercert() if isinstance(self.socket, ssl.SSLSocket) else None
        names = [value for pair in (certificate or {}).get("subject", ()) for name, value in pair if name == "commonName"]
        return names[0] if names else None

    def request(self):
        """The next request, or None when there is no more."""
        head = self.input.readline()
        if not head:
            return None
        headers = {}
        while (line := self.input.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        raw = self.input.read(int(headers.get("content-length", "0")))
        query = urllib.parse.urlsplit(head.split()[1].decode()).query
        return {
            "params": dict(urllib.parse.parse_qsl(query, keep_blank_values=True)),
            "headers": headers,
            "raw": raw,
            "body": json.loads(raw),
            "time": time.time(),
            "mono": time.monotonic(),
            "connection": self.number,
            "peer": self.peer_name(),
        }


class Peer:
    """A receiver at the level of bytes. `accept(connection)`, when given, is called first for each connection;
    `behave(connection, request)` for each request. What they return that is bytes is sent; None ends the connection.
    Once `good` is set every request is answered OK."""

    def __init__(self, behave=None, accept=None, tls=None):
        self.behave = behave or (lambda connection, request: OK)
        self.accept = accept
        self.tls = tls
        self.good = threading.Event()
        self.requests = []
        self.accepted = []  # requests answered OK since it is good
        self.connections = 0
        self.sent_bytes = 0
        self.changed = threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.open = set()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/"

    def _listen(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._run, args=(plain, self.connections), daemon=True).start()

    def _run(self, plain, number):
        self.open.add(plain)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.settimeout(60)
        try:
            encrypted = self.tls.wrap_socket(plain, server_side=True) if self.tls else plain
            self.open.add(encrypted)
            self._serve(Connection(encrypted, number))
            encrypted.close()
        except (OSError, ValueError):
            pass  # the backend went away, or the behaviour closed it
        finally:
            plain.close()

    def _serve(self, connection):
        if self.accept and not self.good.is_set() and not self._answer(connection, self.accept(connection)):
            return
        while (request := connection.request()) is not None:
            with self.changed:
                self.requests.append(request)
                self.changed.notify_all()
            good = self.good.is_set()
            answer = OK if good else self.behave(connection, request)
            if good:
                with self.changed:
                    self.accepted.append(request)
                    self.changed.notify_all()
            if not self._answer(connection, answer):
                return

    def _answer(self, connection, answer):
        if answer is None:
            return False
        connection.send(answer)
        return True

    def wait_until(self, condition, seconds=20):
        """Waits until condition(requests) holds; gives the requests."""
        with self.changed:
            assert self.changed.wait_for(lambda: condition(self.requests), seconds), f"{len(self.requests)} requests"
            return list(self.requests)

    def wait_for(self, count, seconds=20):
        return self.wait_until(lambda requests: len(requests) >= count, seconds)

    def close(self):
        self.listener.close()
        for one in list(self.open):
            try:
                socket.socket.shutdown(one, socket.SHUT_RDWR)
            except OSError:
                pass


class Holding:
    """For wire.Receiver: holds every request until it is let go, and counts how many it holds, in all and per app."""

    def __init__(self):
        self.changed = threading.Condition()
        self.held = 0
        self.most = 0
        self.permits = 0
        self.free = False
        self.answer = (200, {}, wire.OK_REPLY)

    def __call__(self, number, request):
        with self.changed:
            self.held += 1
            self.most = max(self.most, self.held)
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.free or self.permits > 0, 60)
            self.permits -= 1
            self.held -= 1
            self.changed.notify_all()
            return self.answer

    def wait_held(self, count, seconds=20):
        with self.changed:
            assert self.changed.wait_for(lambda: self.held >= count, seconds), f"{self.held} of {count} are held"

    def let_go(self):
        """Lets one of those that are held go."""
        with self.changed:
            self.permits = 1
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: self.permits == 0, 20), "none is held"

    def let_all_go(self):
        with self.changed:
            self.free = True
            self.changed.notify_all()


class Switch:
    """For wire.Receiver: answers `bad` until `good` is set."""

    def __init__(self, bad=(500, {}, b"out of order")):
        self.bad = bad
        self.good = threading.Event()

    def __call__(self, number, request):
        return (200, {}, wire.OK_REPLY) if self.good.is_set() else self.bad


def create_many(app, port, names, lanes=4):
    """Creates rooms of these names, many at once: on each of a few connections the requests follow each other without
    waiting for answers. Gives how many were made; all must be."""
    names = list(names)
    target = f"/v4/live_engine_http_srv/create_room?{app.query()}"
    made = []

    def work(mine):
        with wire.Raw(port, 60) as raw:
            for start in range(0, len(mine), 50):
                part = mine[start : start + 50]
                pieces = []
                for name in part:
                    body = json.dumps({"RoomInfo": {"RoomId": name, "RoomType": "Live"}}).encode()
                    pieces.append(b"POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s"
                                  % (target.encode(), len(body), body))  # fmt: skip
                raw.send(b"".join(pieces))
                for _ in part:
                    raw.reply().ok()
                    made.append(1)

    threads = [threading.Thread(target=work, args=(names[lane::lanes],)) for lane in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(made) == len(names), f"{len(made)} of {len(names)} rooms were made"
    return len(made)


def memory_kib(backend, field="VmRSS"):
    for line in open(f"/proc/{backend.child.pid}/status", encoding="ascii"):
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise AssertionError(f"no {field}")


@pytest.fixture
def make_peer():
    made = []

    def make(*arguments, **keywords):
        peer = Peer(*arguments, **keywords)
        made.append(peer)
        return peer

    yield make
    for peer in made:
        peer.close()


@pytest.fixture
def holding():
    made = Holding()
    yield made
    made.let_all_go()
