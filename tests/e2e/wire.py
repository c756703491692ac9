"""The wire from the outside: UserSig, HTTP and a misbehaving receiver, with the standard library only.

Nothing here shares code with the backend: a mistake made on both sides would otherwise go unseen.
"""

import base64
import hashlib
import hmac
import http.client
import http.server
import json
import random
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse
import zlib


def usersig(sdkappid, identifier, key, expire=86400, now=None, userbuf=None):
    """A UserSig as the vendor's Python generator makes it."""
    now = int(time.time()) if now is None else now
    text = f"TLS.identifier:{identifier}\nTLS.sdkappid:{sdkappid}\nTLS.time:{now}\nTLS.expire:{expire}\n"
    facts = {
        "TLS.ver": "2.0",
        "TLS.identifier": str(identifier),
        "TLS.sdkappid": int(sdkappid),
        "TLS.expire": int(expire),
        "TLS.time": now,
    }
    if userbuf is not None:
        encoded = base64.b64encode(userbuf).decode()
        text += f"TLS.userbuf:{encoded}\n"
        facts["TLS.userbuf"] = encoded
    digest = hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()
    facts["TLS.sig"] = base64.b64encode(digest).decode()
    packed = base64.b64encode(zlib.compress(json.dumps(facts).encode())).decode()
    return packed.replace("+", "*").replace("/", "-").replace("=", "_")


def sign(token, request_time):
    """The vendor's Sign of a callback."""
    return hashlib.sha256(f"{token}{request_time}".encode()).hexdigest()


# The standard library has no Ed25519, so the openssl tool does it. What stands before the 32 bytes of a key in DER (RFC 8410):
ED25519_PRIVATE_DER = bytes.fromhex("302e020100300506032b657004220420")
ED25519_PUBLIC_DER = bytes.fromhex("302a300506032b6570032100")


def _openssl(*arguments, **files):
    """Runs the openssl tool, whose arguments name the files, given as bytes; returns its status and output."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            with open(f"{folder}/{name}", "wb") as file:
                file.write(content)
        ended = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, timeout=60, check=False)
        return ended.returncode, ended.stdout


def _webhook_bytes(key_text):
    """The prefix of a webhook key and its bytes."""
    prefix, _, encoded = key_text.partition("_")
    assert prefix in ("whsec", "whsk", "whpk"), "no webhook key"
    return prefix, base64.b64decode(encoded, validate=True)


def webhook_key(kind, content):
    """A webhook key of bytes as text; kind is whsec, whsk or whpk."""
    return f"{kind}_{base64.b64encode(content).decode()}"


def webhook_public(private_text):
    """The public key of a private one, as texts."""
    prefix, content = _webhook_bytes(private_text)
    assert prefix == "whsk"
    arguments = ("pkey", "-inform", "DER", "-in", "key", "-pubout", "-outform", "DER")
    status, der = _openssl(*arguments, key=ED25519_PRIVATE_DER + content[:32])
    assert status == 0 and der.startswith(ED25519_PUBLIC_DER)
    return webhook_key("whpk", der[len(ED25519_PUBLIC_DER) :])


def webhook_signature(secret_text, webhook_id, timestamp, body):
    """One signature of Standard Webhooks: "v1,..." with a secret (whsec_), "v1a,..." with a private key (whsk_)."""
    prefix, content = _webhook_bytes(secret_text)
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    if prefix == "whsec":
        return "v1," + base64.b64encode(hmac.new(content, signed, hashlib.sha256).digest()).decode()
    assert prefix == "whsk", "a public key signs nothing"
    arguments = ("pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", "key", "-in", "signed")
    status, signature = _openssl(*arguments, key=ED25519_PRIVATE_DER + content[:32], signed=signed)
    assert status == 0 and len(signature) == 64
    return "v1a," + base64.b64encode(signature).decode()


def _webhook_match(key_text, webhook_id, timestamp, body, one):
    """True when `one` of webhook-signature was made with the key, or with the private one of a public key."""
    prefix, content = _webhook_bytes(key_text)
    if prefix == "whsec":
        return hmac.compare_digest(one, webhook_signature(key_text, webhook_id, timestamp, body))
    if prefix == "whsk":
        return _webhook_match(webhook_public(key_text), webhook_id, timestamp, body, one)
    if not one.startswith("v1a,"):
        return False
    arguments = "pkeyutl -verify -rawin -pubin -keyform DER -inkey key -in signed -sigfile signature".split()
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    files = {"key": ED25519_PUBLIC_DER + content, "signed": signed, "signature": base64.b64decode(one[4:], validate=True)}
    return _openssl(*arguments, **files)[0] == 0


def verify_webhook(keys, headers, body):
    """Those of the keys (texts of any kind) that a signature of the request was made with, in their order; none when the
    list is empty. `headers` has names in lower case, as Receiver keeps them. The time is the caller's to judge."""
    webhook_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    made = headers["webhook-signature"].split(" ")
    return [key for key in keys if any(_webhook_match(key, webhook_id, timestamp, body, one) for one in made)]


def wait(condition, seconds=20, what="condition"):
    """Waits until condition() is true; returns what it gave."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.01)


class Seen:
    """The error codes and RequestIds of all answers of this pytest session; test_codes.py judges them."""

    def __init__(self):
        self.lock = threading.Lock()
        self.codes = set()
        self.request_ids = set()
        self.repeated = []

    def note(self, body):
        if not isinstance(body, dict) or "RequestId" not in body:
            return  # not an answer of the backend: receivers give no RequestId
        with self.lock:
            self.codes.add(body.get("ErrorCode"))
            if body["RequestId"] in self.request_ids:
                self.repeated.append(body["RequestId"])
            self.request_ids.add(body["RequestId"])


SEEN = Seen()


class Reply:
    """One answer: HTTP status, raw bytes and, where it is JSON, the parsed body."""

    def __init__(self, status, raw):
        self.status = status
        self.raw = raw
        try:
            self.body = json.loads(raw)
        except ValueError:
            self.body = None
        SEEN.note(self.body)

    @property
    def code(self):
        return self.body["ErrorCode"]

    @property
    def info(self):
        return self.body["ErrorInfo"]

    @property
    def response(self):
        return self.body["Response"]

    def ok(self):
        assert self.body and self.body["ActionStatus"] == "OK" and self.code == 0, self.raw
        return self

    def refused(self, code, *words):
        assert self.body and self.body["ActionStatus"] == "FAIL" and self.code == code, self.raw
        for word in words:
            assert word in self.info, self.raw
        return self

    def bare(self):
        """Done, and nothing in the answer but the envelope."""
        self.ok()
        assert list(self.body) == ["ActionStatus", "ErrorInfo", "ErrorCode", "RequestId"], self.raw
        return self


class Client:
    """Talks to a backend over one kept connection. For one thread.

    `source` is the address to call from: all of 127.0.0.0/8 is this machine. With `once` a call is never sent again
    when the kept connection turns out to be closed, so that each call has at most one effect.
    """

    def __init__(self, port, tls=None, host="127.0.0.1", source=None, once=False):
        address = (source, 0) if source else None
        self.make = lambda: (
            http.client.HTTPSConnection(host, port, timeout=20, context=tls, source_address=address)
            if tls
            else http.client.HTTPConnection(host, port, timeout=20, source_address=address)
        )
        self.attempts = (1,) if once else (0, 1)
        self.connection = self.make()

    def post(self, path, body, headers=None, method="POST"):
        if not isinstance(body, (bytes, type(None))):
            body = json.dumps(body).encode()
        for attempt in self.attempts:
            try:
                self.connection.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
                answer = self.connection.getresponse()
                return Reply(answer.status, answer.read())
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self.connection.close()
                self.connection = self.make()
                if attempt:
                    raise

    def close(self):
        self.connection.close()


class App:
    """One app of a backend, with its key: makes the calls that its admins and users make."""

    def __init__(self, client, sdkappid, key):
        self.client = client
        self.sdkappid = sdkappid
        self.key = key

    def over(self, client):
        """The same app over another connection."""
        return App(client, self.sdkappid, self.key)

    def query(self, identifier="administrator", **changes):
        fields = {
            "sdkappid": self.sdkappid,
            "identifier": identifier,
            "usersig": usersig(self.sdkappid, identifier, self.key),
            "random": random.randrange(2**32),
            "contenttype": "json",
        }
        fields.update(changes)
        return urllib.parse.urlencode({k: v for k, v in fields.items() if v is not None})

    def rest(self, command, body, service="live_engine_http_srv", identifier="administrator", headers=None, **changes):
        return self.client.post(f"/v4/{service}/{command}?{self.query(identifier, **changes)}", body, headers)

    def config(self, command, body):
        return self.rest(command, body, service="live_config")

    def user(self, command, body, identifier, platform=None, headers=None, **changes):
        path = f"/v4/live_client/{command}?{self.query(identifier, platform=platform, **changes)}"
        return self.client.post(path, body, headers)

    def create(self, room_id, **fields):
        info = {"RoomId": room_id, "RoomType": "Live", **fields}
        return self.rest("create_room", {"RoomInfo": info})

    def fill(self, first, last):
        """Creates the rooms r<first> to r<last>."""
        for number in range(first, last + 1):
            self.create(f"r{number}").ok()

    def create_as(self, room_id, identifier, platform, **fields):
        info = {"RoomId": room_id, "RoomType": "Live", **fields}
        return self.user("create_room", {"RoomInfo": info}, identifier, platform)

    def destroy(self, room_id):
        return self.rest("destroy_room", {"RoomId": room_id})

    def info(self, room_id):
        return self.rest("get_room_info", {"RoomId": room_id}).ok().response["RoomInfo"]

    def update(self, room_id, **fields):
        return self.rest("update_room_info", {"RoomInfo": {"RoomId": room_id, **fields}})

    def update_as(self, room_id, identifier, platform="Web", **fields):
        return self.user("update_room_info", {"RoomInfo": {"RoomId": room_id, **fields}}, identifier, platform)

    def in_room(self, command, room_id="r", **fields):
        """A server call whose body is a RoomId and these fields."""
        return self.rest(command, {"RoomId": room_id, **fields})

    def admins(self, room_id, *accounts, op="add"):
        """Makes these accounts admins of the room, or ends that."""
        return self.in_room("modify_admin", room_id, Admin_Account=list(accounts), OpType=op)

    def set_metadata(self, room_id, values):
        """Sets the keys of the dict to its values."""
        return self.in_room("set_room_metadata", room_id, Metadata=metadata_list(values))

    def metadata(self, room_id, **fields):
        """The room's metadata as a dict; its order is that of the answer."""
        found = self.in_room("get_room_metadata", room_id, **fields).ok().response["Metadata"]
        assert all(list(one) == ["Key", "Value"] for one in found), found
        assert len({one["Key"] for one in found}) == len(found), "a key is there twice"
        return {one["Key"]: one["Value"] for one in found}

    def login(self, command, body):
        """A call of the accounts' service."""
        return self.rest(command, body, service="im_open_login_svc")

    def room_ids(self):
        """All rooms, page by page."""
        found, cursor = [], ""
        while True:
            page = self.rest("get_room_list", {"Next": cursor, "Count": 20}).ok().response
            found += [room["RoomId"] for room in page["RoomList"]]
            cursor = page["Next"]
            if not cursor:
                return found


def metadata_list(values):
    """A dict as the vendor's list of keys and values."""
    return [{"Key": key, "Value": value} for key, value in values.items()]


OK_REPLY = b'{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}'
WAITING = ("pending", "scheduled", "in_flight", "parked")  # states of a callback that are not final
ALERT = "Live.CallbackAfterCreateRoomReachingThreshold"
# words of callbacks that can be switched on and are never made
NEVER_PRODUCED = [
    "Live.CallbackAfterMemberStateChanged",
    "Mic.CallbackAfterSeatInfoChanged",
    "Live.CallbackAfterCreateBattle",
    "Live.CallbackAfterStartBattle",
    "Live.CallbackAfterEndBattle",
    "Live.CallbackBeforeSendGift",
    "Live.CallbackBeforeCallBackNotBlock",
    "Group.CallbackAfterSendMsg",
    "Group.CallbackBeforeSendMsg",
    "Follow.CallbackAfterFollowAdd",
    "Follow.CallbackAfterFollowDelete",
]


class Raw:
    """A bare connection, for what an HTTP library would not send."""

    def __init__(self, port, seconds=20):
        self.socket = socket.create_connection(("127.0.0.1", port), seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = self.socket.makefile("rb")

    def send(self, *pieces):
        """Sends what the peer still takes; it may have closed already."""
        try:
            for piece in pieces:
                self.socket.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def finish(self):
        """Says that nothing more comes; the peer may have closed already."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def reply(self):
        """The next reply on the connection, or None when it was closed instead."""
        try:
            answer = http.client.HTTPResponse(self)
            answer.begin()
            return Reply(answer.status, answer.read())
        except (http.client.BadStatusLine, ConnectionResetError):
            return None

    def makefile(self, mode):
        assert mode == "rb"
        return _Kept(self.input)

    def rest(self):
        """All that comes until the peer closes; a reset counts as closing."""
        try:
            return self.input.read()
        except ConnectionResetError:
            return b""

    def close(self):
        self.input.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


class _Kept:
    """A file that survives being closed: http.client closes what it has read from."""

    def __init__(self, file):
        self.file = file

    def __getattr__(self, name):
        return getattr(self.file, name)

    def close(self):
        pass


class Receiver:
    """An App backend for tests: keeps every request, and answers what `behave` says.

    `behave(number, request)` returns (status, headers, body), bytes to send as they are, or None; the last two close
    the connection. `number` counts from 1. A receiver that is down refuses connections and hangs up on kept ones; it
    comes up again at the same port.
    """

    def __init__(self, behave=None, tls=None, port=0):
        self.requests = []
        self.changed = threading.Condition()
        self.behave = behave or (lambda number, request: (200, {}, OK_REPLY))
        self.tls = tls
        self.scheme = "https" if tls else "http"
        self.port = port
        self.server = None
        self.up()

    def _handler(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            timeout = 30

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if receiver.server is not self.server:
                    self.close_connection = True
                    return
                url = urllib.parse.urlsplit(self.path)
                request = {
                    "path": self.path,
                    "query": urllib.parse.parse_qsl(url.query, keep_blank_values=True),
                    "params": dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True)),
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                    "raw": body,
                    "body": json.loads(body),
                    "time": time.time(),
                    "connection": self.client_address,
                }
                with receiver.changed:
                    receiver.requests.append(request)
                    number = len(receiver.requests)
                    receiver.changed.notify_all()
                answer = receiver.behave(number, request)
                try:
                    self.answer(answer)
                except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
                    self.close_connection = True

            def answer(self, answer):
                if answer is None or isinstance(answer, bytes):
                    self.close_connection = True
                    self.wfile.write(answer or b"")
                    return
                status, headers, payload = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *args):
                pass

        return Handler

    def up(self):
        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, client_address):
                pass  # a backend that was killed leaves connections behind

        self.server = Server(("127.0.0.1", self.port), self._handler())
        if self.tls:
            self.server.socket = self.tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def down(self):
        if not self.server:
            return
        server, self.server = self.server, None
        server.shutdown()
        server.server_close()
        self.thread.join(10)

    close = down

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def by_sequence(self):
        """The requests in the order of their events, one for each event."""
        with self.changed:
            found = {int(request["headers"]["highwater-sequence"]): request for request in self.requests}
        return [found[sequence] for sequence in sorted(found)]

    def wait_for(self, count, seconds=15):
        """Waits until `count` requests have come; returns them."""
        with self.changed:
            arrived = self.changed.wait_for(lambda: len(self.requests) >= count, seconds)
            assert arrived, f"{len(self.requests)} of {count} callbacks after {seconds} s"
            return list(self.requests)

    def wait_until(self, condition, seconds=15):
        """Waits until condition(requests) is true; returns the requests."""
        with self.changed:
            assert self.changed.wait_for(lambda: condition(self.requests), seconds), f"{len(self.requests)} callbacks"
            return list(self.requests)
