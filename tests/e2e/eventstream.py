"""A client of the management API's events: reads them as they come, in a thread."""

import http.client
import json
import socket
import threading
import time

PATH = "/manage/v1/events"


class Event:
    def __init__(self, kind, data):
        self.kind = kind
        self.data = data
        self.time = time.monotonic()

    def __repr__(self):
        return f"{self.kind} {self.data}"


class EventStream:
    """One stream. `events` holds what came; `comments` counts comment lines; `ended` is set at its end, and `clean` says
    whether that was in order."""

    def __init__(self, backend, headers=None, tls=None, method="GET", receive_bytes=None, read=True):
        self.changed = threading.Condition()
        self.events = []
        self.comments = 0
        self.ended = threading.Event()
        self.clean = None
        self.problem = None
        if headers is None:
            headers = {"Authorization": f"Bearer {backend.token}"}
        self.sock = socket.socket()
        if receive_bytes:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.sock.settimeout(60)
        self.sock.connect(("127.0.0.1", backend.port))
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname="127.0.0.1")
        lines = [f"{method} {PATH} HTTP/1.1", "Host: h", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self.sock.sendall("\r\n".join(lines).encode())
        self.answer = http.client.HTTPResponse(self.sock, method=method)
        self.answer.begin()
        self.headers = {name.lower(): value for name, value in self.answer.getheaders()}
        self.is_stream = self.headers["content-type"] == "text/event-stream"
        self.thread = threading.Thread(target=self.run, daemon=True)
        if self.is_stream and read:
            self.thread.start()

    def run(self):
        kind, data = None, None
        try:
            for line in iter(self.answer.readline, b""):
                line = line.decode().rstrip("\n")
                if line.startswith(":"):
                    self.comments += 1
                elif line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    data = json.loads(line.removeprefix("data: "))
                elif line == "" and kind:
                    with self.changed:
                        self.events.append(Event(kind, data))
                        self.changed.notify_all()
                    kind, data = None, None
                elif line:
                    raise ValueError(f"not a line of an event stream: {line}")
            self.clean = True
        except (http.client.HTTPException, OSError) as problem:
            self.clean = False
            self.problem = problem
        self.ended.set()

    def read(self):
        """For a stream that was opened with read=False: reads from now on."""
        self.thread.start()

    def of(self, kind, sdkappid=None):
        with self.changed:
            return [one for one in self.events if one.kind == kind and sdkappid in (None, one.data.get("SdkAppid"))]

    def wait(self, condition, seconds=20):
        """Waits for an event of which condition(event) holds, also one that came already, and returns it."""
        deadline = time.monotonic() + seconds
        looked = 0
        with self.changed:
            while True:
                for one in self.events[looked:]:
                    if condition(one):
                        return one
                looked = len(self.events)
                left = deadline - time.monotonic()
                assert left > 0, f"not among {self.events[-20:]}"
                self.changed.wait(left)

    def wait_for(self, kind, seconds=20, **fields):
        return self.wait(lambda one: one.kind == kind and fields.items() <= one.data.items(), seconds)

    def body(self):
        """Of an answer that is no stream."""
        return json.loads(self.answer.read())

    def close(self):
        try:
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # of the connection, also under TLS
        except OSError:
            pass  # has ended already
        self.sock.close()
        if self.thread.ident:
            self.thread.join(20)
