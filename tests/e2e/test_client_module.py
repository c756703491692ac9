"""The client module in web/client: in Node, in a browser across origins, its types, and the backend's side of CORS."""

import http.client
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

import wire
from conftest import run

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODULE = ROOT / "web" / "client"
WEB_TESTS = ROOT / "tests" / "web"
CREATE = "/v4/live_client/create_room"


def tool(name):
    found = shutil.which(name)
    if not found:
        pytest.fail(f"{name} is missing: run scripts/install-deps test")
    return found


def sigs_of(app):
    """What tests/web/client.test.mjs needs: UserSigs by user, an expired one of alice's, one of another key."""
    found = {user: wire.usersig(app.sdkappid, user, app.key) for user in ("alice", "bob", "a&b=c%2B+d/?#")}
    found["expired"] = wire.usersig(app.sdkappid, "alice", app.key, expire=60, now=int(time.time()) - 3600)
    found["forged"] = wire.usersig(app.sdkappid, "alice", app.key[::-1])
    return found


# ---- Node ----


def test_module_in_node(backend):
    app = backend.app(MaxRoomCount=1000)
    facts = {"url": f"http://127.0.0.1:{backend.port}", "sdkAppId": app.sdkappid, "sigs": sigs_of(app)}
    done = subprocess.run(
        [tool("node"), "--test", "--test-reporter=tap", str(WEB_TESTS / "client.test.mjs")],
        env={**os.environ, "HIGHWATER_CLIENT_TEST": json.dumps(facts), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    counts = dict(re.findall(r"^# (\w+) (\d+)$", done.stdout, re.M))
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(counts["pass"]) > 50, done.stdout
    assert (counts["fail"], counts["skipped"], counts["todo"]) == ("0", "0", "0"), done.stdout


def test_types_fit_their_use():
    options = ["--noEmit", "--strict", "--target", "es2020", "--module", "es2020", "--moduleResolution", "node"]
    command = [tool("tsc"), *options, str(WEB_TESTS / "types.test.ts")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- a browser ----


class PageServer:
    """The web server of an app: a page, the module, and a place where the page says what it saw."""

    FILES = {
        "/client/highwater-client.js": ("text/javascript", (MODULE / "highwater-client.js")),
        "/page.mjs": ("text/javascript", (WEB_TESTS / "page.mjs")),
    }
    PAGE = b'<!doctype html><meta charset="utf-8"><title>test</title><script type="module" src="/page.mjs"></script>'

    def __init__(self):
        self.config = {}
        self.result = None
        self.arrived = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.origin = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def find(self, path):
        if path == "/":
            return "text/html", self.PAGE
        if path == "/config":
            return "application/json", json.dumps(self.config).encode()
        if path in self.FILES:
            kind, file = self.FILES[path]
            return kind, file.read_bytes()
        return None, b""

    def handler(self):
        page = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer(*page.find(self.path))

            def do_POST(self):
                page.result = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.answer("text/plain", b"")
                page.arrived.set()

            def answer(self, kind, body):
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind or "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        return Handler

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)


class Relay:
    """Stands before a backend and keeps the heads of all requests: (method, path, headers in lower case)."""

    HEAD = re.compile(rb"(POST|OPTIONS|GET) (\S+) HTTP/1\.1\r\n(.*?)\r\n\r\n", re.S)

    def __init__(self, port):
        self.backend_port = port
        self.sent = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        try:
            while True:
                front = self.listener.accept()[0]
                back = socket.create_connection(("127.0.0.1", self.backend_port))
                kept = bytearray()
                self.sent.append(kept)
                threading.Thread(target=self.copy, args=(front, back, kept), daemon=True).start()
                threading.Thread(target=self.copy, args=(back, front, None), daemon=True).start()
        except OSError:
            pass  # closed

    @staticmethod
    def copy(source, target, kept):
        try:
            while data := source.recv(65536):
                if kept is not None:
                    kept += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # either side has gone

    def requests(self):
        found = []
        for stream in list(self.sent):
            for method, target, head in self.HEAD.findall(bytes(stream)):
                headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
                path = target.decode().split("?")[0]
                found.append((method.decode(), path, {name.lower(): value for name, value in headers.items()}))
        return found

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def browse(page, folder, seconds=90):
    """Opens the page in a browser of its own until it has said what it saw."""
    command = [
        tool("chromium"),
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--user-data-dir={folder}",
        f"{page.origin}/",
    ]
    log_path = folder / "browser.log"
    folder.mkdir()
    with open(log_path, "wb") as log:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "HOME": str(folder)},
            start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + seconds
        while not page.arrived.wait(0.2):
            assert child.poll() is None, f"the browser ended:\n{log_path.read_text(errors='replace')}"
            assert time.monotonic() < deadline, f"no result in {seconds} s:\n{log_path.read_text(errors='replace')}"
    finally:
        os.killpg(child.pid, signal.SIGKILL)  # its own session: with all its helpers
        child.wait(10)
    return page.result


@pytest.fixture
def page():
    made = PageServer()
    yield made
    made.close()


@pytest.fixture
def make_relay():
    made = []

    def make(port):
        made.append(Relay(port))
        return made[-1]

    yield make
    for relay in made:
        relay.close()


def prepare(page, app, port):
    page.config = {
        "url": f"http://127.0.0.1:{port}",
        "sdkAppId": app.sdkappid,
        "userId": "alice",
        "userSig": wire.usersig(app.sdkappid, "alice", app.key),
        "roomId": "of-a-page",
    }


def check_seen(seen):
    """What the page must have seen of the whole run."""
    assert "failed" not in seen, seen
    assert seen["platform"] == "Web"
    assert seen["created"] == {"roomId": "of-a-page", "reused": False}
    room = seen["room"]
    assert (room["Owner_Account"], room["RoomName"], room["Notice"]) == ("alice", "Größe ✓", "at eight")
    assert seen["metadata"] == {"topic": "tea ✓"}
    assert set(seen["statistic"].values()) == {0} and len(seen["statistic"]) == 6
    assert seen["listed"] == ["of-a-page", "before"]
    refused = seen["refused"]
    assert (refused["code"], refused["httpStatus"], refused["retryable"]) == (100004, 200, False)
    assert refused["requestId"].startswith("Id-")
    assert seen["aborted"] == "AbortError"


@pytest.mark.parametrize("listed", [False, True], ids=["every origin", "a listed origin"])
def test_module_in_a_browser_across_origins(make_backend, make_relay, receiver, page, tmp_path, listed):
    origins = f"https://elsewhere.example, {page.origin}" if listed else "*"
    backend = make_backend("--client-origins", origins)
    app = backend.app(callback=receiver.url, MaxRoomCount=100, Thresholds=[2])
    app.create("before").ok()
    relay = make_relay(backend.port)
    prepare(page, app, relay.port)
    check_seen(browse(page, tmp_path / "browser"))

    (alert,) = receiver.wait_for(1)
    assert alert["params"]["OptPlatform"] == "Web"
    assert alert["body"]["Operator_Account"] == "alice"

    creations = [(method, headers) for method, path, headers in relay.requests() if path == CREATE]
    assert [method for method, _ in creations] == ["OPTIONS", "POST"]
    for _, headers in creations:
        assert headers["origin"] == page.origin
    assert creations[0][1]["access-control-request-headers"] == "content-type"
    assert creations[1][1]["content-type"] == "application/json"
    assert "cookie" not in creations[1][1]


def test_browser_keeps_a_page_of_another_origin_out(make_backend, make_relay, page, tmp_path):
    backend = make_backend("--client-origins", "https://elsewhere.example")
    app = backend.app()
    relay = make_relay(backend.port)
    prepare(page, app, relay.port)
    seen = browse(page, tmp_path / "browser")
    assert "created" not in seen
    failed = seen["failed"]
    assert (failed["code"], failed["httpStatus"], failed["requestId"]) == (None, None, None)
    assert "not reached" in failed["info"]
    assert {method for method, _, _ in relay.requests()} == {"OPTIONS"}
    assert app.room_ids() == []


# ---- the backend's side ----


def ask(backend, method, target, **headers):
    """One request; returns status, headers in lower case and the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", backend.port, timeout=20)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target, None if method == "OPTIONS" else b"{}", named)
        answer = connection.getresponse()
        raw = answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, raw
    finally:
        connection.close()


def cors_of(headers):
    return {name: value for name, value in headers.items() if name.startswith("access-control-") or name == "vary"}


PREFLIGHT = {
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": "content-type",
    "access-control-max-age": "86400",
}
HERE = "https://here.example"
THERE = "https://there.example:8443"


@pytest.mark.parametrize(
    "origins, origin, allowed",
    [
        ("*", HERE, {"access-control-allow-origin": "*"}),
        ("*", "null", {"access-control-allow-origin": "*"}),
        (f"{HERE},{THERE}", HERE, {"access-control-allow-origin": HERE, "vary": "origin"}),
        (f"{HERE},{THERE}", THERE, {"access-control-allow-origin": THERE, "vary": "origin"}),
        (HERE, THERE, None),
        (HERE, "null", None),
        ("", HERE, None),
    ],
)
def test_cors_of_the_client_path(make_backend, origins, origin, allowed):
    backend = make_backend("--client-origins", origins)
    status, headers, raw = ask(
        backend, "OPTIONS", f"{CREATE}?sdkappid=1", Origin=origin, Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="content-type",
    )  # fmt: skip
    if allowed:
        assert (status, cors_of(headers), raw) == (204, {**allowed, **PREFLIGHT}, b"")
        assert "content-length" not in {name.lower() for name in headers}
    else:
        assert (status, cors_of(headers), json.loads(raw)["ErrorCode"]) == (200, {}, 60002)

    status, headers, raw = ask(backend, "POST", f"{CREATE}?sdkappid=1", Origin=origin)
    assert (status, cors_of(headers), json.loads(raw)["ErrorCode"]) == (200, allowed or {}, 70020)


def test_cors_answers_also_what_is_no_command(backend):
    """A page must be able to read why its call failed."""
    status, headers, raw = ask(backend, "POST", "/v4/live_client/nothing", Origin=HERE)
    assert (status, json.loads(raw)["ErrorCode"]) == (200, 60009)
    assert cors_of(headers) == {"access-control-allow-origin": "*"}


@pytest.mark.parametrize(
    "path", ["v4/live_engine_http_srv/create_room", "v4/live_config/get_callback", "manage/v1/app_list"]
)
def test_cors_is_for_the_client_path_only(backend, path):
    for method in ("OPTIONS", "POST"):
        status, headers, _ = ask(backend, method, f"/{path}", Origin=HERE, Access_Control_Request_Method="POST")
        assert (status, cors_of(headers)) == (200, {})


def test_cors_needs_an_origin(backend):
    status, headers, raw = ask(backend, "POST", CREATE)
    assert (status, cors_of(headers)) == (200, {})
    for headers_given in ({"Origin": HERE}, {"Access_Control_Request_Method": "POST"}):
        status, headers, raw = ask(backend, "OPTIONS", CREATE, **headers_given)
        assert (status, json.loads(raw)["ErrorCode"]) == (200, 60002)
        assert "access-control-allow-methods" not in headers


def test_origin_that_is_none_stops_the_start(tmp_path):
    done = run("serve", "--client-origins", f"{HERE},https://there.example/page", "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 2
    assert "client.origins" in done.stderr and "https://there.example/page" in done.stderr
    assert not (tmp_path / "data").exists()
