"""`highwater check`: the real receiver passes; receivers that are wrong on purpose fail in the very cases they are wrong in."""

import contextlib
import hashlib
import hmac
import http.server
import json
import os
import socket
import socketserver
import threading
import time
import urllib.parse
import xml.etree.ElementTree

import pytest

import conftest
import wire
from test_receive import Sender

TOKEN = "a callback token"
SECRET = wire.webhook_key("whsec", b"s" * 32)
PRIVATE = wire.webhook_key("whsk", b"p" * 32)


def write(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def check(url, *arguments, exit=None):
    ended = conftest.run("check", url, "--json", *arguments, seconds=120)
    assert ended.returncode in (0, 1), ended.stderr
    found = json.loads(ended.stdout)
    assert found["Conforms"] is (ended.returncode == 0)
    if exit is not None:
        assert ended.returncode == exit, failed(found)
    return found


def failed(found, result="failed"):
    return {case["Id"] for case in found["CaseList"] if case["Result"] == result}


# ---- the real one ----

SIGN = {"refuse-no-sign", "refuse-bad-sign", "refuse-stale-sign", "refuse-future-sign"}
SIGNATURE = {"refuse-no-signature", "refuse-bad-signature", "refuse-stale-signature", "refuse-future-signature", "refuse-changed-body"}


@pytest.mark.smoke
@pytest.mark.parametrize("token, keys", [(True, SECRET), (True, None), (False, SECRET), (False, PRIVATE), (False, None)])
def test_highwater_receive_conforms(make_app_backend, tmp_path, token, keys):
    arguments, credentials = [], []
    if token:
        credentials += ["--token-file", write(tmp_path / "token", TOKEN)]
    if keys:
        public = wire.webhook_public(keys) if keys.startswith("whsk") else keys
        arguments += ["--receive-secret-file", write(tmp_path / "keys", public)]
        credentials += ["--secret-file", write(tmp_path / "secret", keys)]
    receive = make_app_backend(*arguments, token=TOKEN if token else None)
    found = check(f"http://127.0.0.1:{receive.port}/callback", *credentials, exit=0)
    assert failed(found) == set()
    skipped = (set() if token else SIGN) | (set() if keys else SIGNATURE)
    assert failed(found, "skipped") == skipped
    assert all(event.get("Test") or event["CallbackCommand"] != wire.ALERT for event in receive.events()), "alerts are tests"


def test_no_gap_is_seen_where_none_is(make_app_backend):
    """The numbers that it makes up say nothing of those of the real sender."""
    receive = make_app_backend()
    with contextlib.closing(Sender(receive.port)) as sender:
        for number in (100, 101):
            sender.send(headers={"webhook-id": f"real-{number}", "Highwater-Sequence": str(number)}).ok()
        check(f"http://127.0.0.1:{receive.port}/callback", exit=0)
        sender.send(headers={"webhook-id": "real-102", "Highwater-Sequence": "102"}).ok()
    assert receive.metric("highwater_receive_app_sequence_missing", app="1400000001") == 0
    assert receive.metric("highwater_receive_app_sequence_resets_total", app="1400000001") == 0


def test_report_for_people_and_junit(make_app_backend, tmp_path):
    receive = make_app_backend()
    report = tmp_path / "report.xml"
    ended = conftest.run("check", f"http://127.0.0.1:{receive.port}/", "--junit", str(report))
    assert ended.returncode == 0 and "\x1b" not in ended.stdout, ended.stdout
    assert "21 passed, 0 failed that must pass, 0 failed that should, 9 skipped" in ended.stdout
    suite = xml.etree.ElementTree.parse(report).getroot()
    assert suite.tag == "testsuite" and (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("30", "0", "9")
    assert len(suite.findall("testcase")) == 30 and len(suite.findall("testcase/skipped")) == 9


def test_junit_report_replaces_nothing_but_a_file(tmp_path):
    """As root it once made a file of /dev/null; a link or a pipe is written to, too."""
    real, link, pipe = tmp_path / "real.xml", tmp_path / "link.xml", tmp_path / "pipe"
    link.symlink_to(real)
    os.mkfifo(pipe)
    assert conftest.run("check", "http://127.0.0.1:9/", "--junit", str(link)).returncode == 1
    assert link.is_symlink() and b"<testsuite" in real.read_bytes()
    end = os.open(pipe, os.O_RDWR)
    assert conftest.run("check", "http://127.0.0.1:9/", "--junit", str(pipe)).returncode == 1
    assert os.read(end, 65536).startswith(b"<?xml") and pipe.is_fifo()
    os.close(end)
    full = conftest.run("check", "http://127.0.0.1:9/", "--junit", "/dev/full")
    assert full.returncode == 3 and "No space left" in full.stderr and not os.path.isfile("/dev/full")


def test_place_of_the_report_is_looked_at_before_anything_is_sent(make_receiver, tmp_path):
    receiver = make_receiver()
    for path in (tmp_path, tmp_path / "none" / "report.xml"):
        ended = conftest.run("check", receiver.url, "--junit", str(path))
        assert ended.returncode == 3 and f"--junit: writing {path}" in ended.stderr, ended.stderr
    assert receiver.requests == []


def test_several_apps_need_an_app_that_is_foreign(make_app_backend):
    receive = make_app_backend(sdkappids="1400000001,1400000002")
    url = f"http://127.0.0.1:{receive.port}/"
    assert failed(check(url)) == {"refuse-foreign-app"}
    check(url, "--foreign-app", "9", exit=0)


def test_nobody_there():
    found = check("http://127.0.0.1:9/", exit=1)
    assert [case["Id"] for case in found["CaseList"]] == ["accept"]
    ended = conftest.run("check", "http://127.0.0.1:9/")
    assert "Nothing answered, so the rest was left out; `highwater doctor` looks" in ended.stdout


# ---- wrong ones ----


class Model(http.server.BaseHTTPRequestHandler):
    """A receiver that does as it must; each wrong one below changes one thing."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30
    apps = ("1400000001",)
    body_max = 131072

    def log_message(self, *arguments):
        pass

    def ok(self):
        self.reply(200, {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0})

    def refuse(self, status=400):
        self.reply(status, {"ActionStatus": "FAIL", "ErrorInfo": "no", "ErrorCode": 1})

    def reply(self, status, content):
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def query(self):
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))

    def sign_is_right(self, query):
        try:
            then = int(query.get("RequestTime", ""))
        except ValueError:
            return False
        right = hashlib.sha256(f"{TOKEN}{then}".encode()).hexdigest()
        return hmac.compare_digest(query.get("Sign", ""), right) and abs(time.time() - then) <= 60

    def signature_is_right(self, body):
        headers = self.headers
        try:
            then = int(headers.get("webhook-timestamp", ""))
        except ValueError:
            return False
        right = wire.webhook_signature(SECRET, headers.get("webhook-id", ""), then, body)
        return right in headers.get("webhook-signature", "").split(" ") and abs(time.time() - then) <= 300

    def take(self, query, packet):
        if packet["CallbackCommand"] == wire.ALERT:
            int(packet["CurRoomCount"]), int(packet["MaxRoomCount"]), int(packet["EventTime"])
        self.ok()

    def judge_body(self, query, body):
        try:
            packet = json.loads(body)
            assert packet["CallbackCommand"] == query["CallbackCommand"]
            if packet["CallbackCommand"] == wire.ALERT:
                assert all(name in packet for name in ("CurRoomCount", "MaxRoomCount"))
        except (ValueError, KeyError, TypeError, AssertionError):
            self.refuse()
            return
        self.take(query, packet)

    def do_POST(self):
        length = int(self.headers.get("Content-Length", "0"))
        if length > self.body_max:
            self.refuse(413)
            self.close_connection = True
            return
        body = self.rfile.read(length)
        query = self.query()
        if query.get("SdkAppid") not in self.apps:
            self.refuse(403)
        elif not self.sign_is_right(query) or not self.signature_is_right(body):
            self.refuse(401)
        else:
            self.judge_body(query, body)

    def do_GET(self):
        self.refuse(405)


class AnyApp(Model):
    def query(self):
        return super().query() | {"SdkAppid": self.apps[0]}


class Gets(Model):
    def do_GET(self):
        self.ok()


class AnyMethod(Model):
    def do_GET(self):
        self.do_POST()


class NoSign(Model):
    def sign_is_right(self, query):
        return True


class OldSigns(Model):
    def sign_is_right(self, query):
        return query.get("Sign") == hashlib.sha256((TOKEN + query.get("RequestTime", "")).encode()).hexdigest()


class NoSignature(Model):
    def signature_is_right(self, body):
        return True


class SignatureOfTheParsedBody(Model):
    """Verifies what it has written anew after parsing: a body changed in white space passes, and real ones may not."""

    def signature_is_right(self, body):
        try:
            body = json.dumps(json.loads(body), separators=(",", ":")).encode()
        except ValueError:
            return False
        return super().signature_is_right(body)


class AnySignatureTime(Model):
    def signature_is_right(self, body):
        headers = self.headers
        right = wire.webhook_signature(SECRET, headers.get("webhook-id", ""), headers.get("webhook-timestamp", ""), body)
        return right in headers.get("webhook-signature", "").split(" ")


class AnyCommand(Model):
    def judge_body(self, query, body):
        try:
            packet = json.loads(body)
        except ValueError:
            self.refuse()
            return
        super().judge_body({"CallbackCommand": packet.get("CallbackCommand")}, body)


class StrictNumbers(Model):
    def take(self, query, packet):
        if packet["CallbackCommand"] == wire.ALERT and not isinstance(packet["CurRoomCount"], int):
            self.refuse()
        else:
            self.ok()


class StrictFields(Model):
    def take(self, query, packet):
        self.refuse() if "Unknown" in packet else self.ok()


class AlertsOnly(Model):
    def take(self, query, packet):
        self.ok() if packet["CallbackCommand"] == wire.ALERT else self.refuse()


class Once(Model):
    seen = set()

    def take(self, query, packet):
        known = self.headers["webhook-id"] in self.seen
        self.seen.add(self.headers["webhook-id"])
        self.refuse(409) if known else self.ok()


class InOrder(Model):
    last = [0]

    def take(self, query, packet):
        number = int(self.headers.get("Highwater-Sequence") or 0)
        late = 7 < number < self.last[0]
        self.last[0] = max(number, self.last[0])
        self.refuse(409) if late else self.ok()


class OkToAnything(Model):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.ok()


class Text(Model):
    def ok(self):
        self.reply(200, b"ok")


class ShortReply(Model):
    def ok(self):
        self.reply(200, {"ActionStatus": "OK"})


class BreaksAtRubbish(Model):
    """A body that is no JSON ends it: nothing is answered from then on."""

    broken = threading.Event()

    def judge_body(self, query, body):
        if self.broken.is_set() or not body.endswith(b"}"):
            self.broken.set()
            self.close_connection = True
        else:
            super().judge_body(query, body)


class Redirects(Model):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(307)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()


class Closes(Model):
    def reply(self, status, content):
        self.close_connection = True
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)


class Slow(Model):
    def ok(self):
        time.sleep(1.1)
        super().ok()


class OneAtATime(Model):
    busy = threading.Lock()

    def take(self, query, packet):
        if not self.busy.acquire(blocking=False):
            self.refuse(503)
            return
        try:
            time.sleep(0.02)
            self.ok()
        finally:
            self.busy.release()


class Swallows(Model):
    """Reads whatever comes, however much."""

    body_max = 1 << 30


ACCEPT = {"accept", "accept-strings", "accept-unknown-fields", "accept-other-callback", "accept-unknown-command",
          "accept-parameter-order", "accept-slow", "accept-duplicates", "accept-reordered", "reply-form", "burst",
          "accept-afterwards"}  # fmt: skip
REFUSE = {"refuse-command-mismatch", "refuse-no-json", "refuse-empty", "refuse-missing-field", "refuse-foreign-app", "answer-oversized"}

CASES = [
    (Model, set()),
    (AnyApp, {"refuse-foreign-app"}),
    (Gets, {"refuse-get"}),
    (AnyMethod, {"refuse-get"}),
    (NoSign, SIGN),
    (OldSigns, {"refuse-stale-sign", "refuse-future-sign"}),
    (NoSignature, SIGNATURE),
    (SignatureOfTheParsedBody, {"refuse-changed-body", "accept-unknown-fields"}),
    (AnySignatureTime, {"refuse-stale-signature", "refuse-future-signature"}),
    (AnyCommand, {"refuse-command-mismatch"}),
    (StrictNumbers, {"accept-strings"}),
    (StrictFields, {"accept-unknown-fields"}),
    (AlertsOnly, {"accept-other-callback", "accept-unknown-command"}),
    (Once, {"accept-duplicates"}),
    (InOrder, {"accept-reordered"}),
    (OkToAnything, SIGN | SIGNATURE | REFUSE),
    (Text, ACCEPT),
    (ShortReply, {"reply-form"}),
    (BreaksAtRubbish, {"refuse-no-json", "refuse-empty", "refuse-missing-field", "reply-form", "reply-time", "keep-alive", "burst", "accept-afterwards"}),
    (Redirects, ACCEPT | REFUSE | SIGN | SIGNATURE),
    (Closes, {"keep-alive"}),
    (Slow, {"reply-time"}),
    (OneAtATime, {"burst"}),
    (Swallows, {"answer-oversized"}),
]  # fmt: skip


@pytest.fixture
def serve():
    made = []

    def make(handler):
        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request, client_address):
                pass

        server = Server(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        made.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/callback"

    yield make
    for server in made:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("handler, wrong", CASES, ids=[row[0].__name__ for row in CASES])
def test_wrong_receivers_are_found_out(serve, tmp_path, handler, wrong):
    url = serve(handler)
    found = check(url, "--token-file", write(tmp_path / "token", TOKEN), "--secret-file", write(tmp_path / "secret", SECRET))
    assert failed(found) == wrong
    assert all(case["Advice"] for case in found["CaseList"] if case["Result"] == "failed")
    must = {case["Id"] for case in found["CaseList"] if case["Level"] == "must"}
    assert found["Conforms"] is not bool(wrong & must)


def test_receiver_that_hangs_is_left_in_time(tmp_path):
    """It takes connections and never answers: bounded in time, and said so."""
    with socket.socket() as hanging:
        hanging.bind(("127.0.0.1", 0))
        hanging.listen()
        began = time.monotonic()
        found = check(f"http://127.0.0.1:{hanging.getsockname()[1]}/", exit=1)
        assert time.monotonic() - began < 30
    assert failed(found) == {"accept"} and "timeout" in found["CaseList"][0]["Seen"]


BAD = [
    ([], "URL"),
    (["http://"], "the URL"),
    (["http://127.0.0.1:9/", "--foreign-app", "1400000001"], "--foreign-app must be another app than --app"),
    (["http://127.0.0.1:9/", "--junit", "/nonexistent/report.xml"], "--junit: "),
    (["http://127.0.0.1:9/", "--secret-file", "/nonexistent"], "/nonexistent"),
]


@pytest.mark.parametrize("arguments, words", BAD, ids=[" ".join(row[0])[:50] for row in BAD])
def test_bad_usage(arguments, words):
    ended = conftest.run("check", *arguments)
    assert ended.returncode in (2, 3) and words in ended.stderr, ended.stderr
