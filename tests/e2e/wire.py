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
import ssl
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


class Reply:
    """One answer: HTTP status, raw bytes and, where it is JSON, the parsed body."""

    def __init__(self, status, raw):
        self.status = status
        self.raw = raw
        try:
            self.body = json.loads(raw)
        except ValueError:
            self.body = None

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


class Client:
    """Talks to a backend over one kept connection."""

    def __init__(self, port, tls=None, host="127.0.0.1"):
        self.make = lambda: (
            http.client.HTTPSConnection(host, port, timeout=20, context=tls)
            if tls
            else http.client.HTTPConnection(host, port, timeout=20)
        )
        self.connection = self.make()

    def post(self, path, body, headers=None, method="POST"):
        if not isinstance(body, (bytes, type(None))):
            body = json.dumps(body).encode()
        for attempt in (0, 1):
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

    def create_as(self, room_id, identifier, platform, **fields):
        info = {"RoomId": room_id, "RoomType": "Live", **fields}
        return self.user("create_room", {"RoomInfo": info}, identifier, platform)

    def destroy(self, room_id):
        return self.rest("destroy_room", {"RoomId": room_id})

    def room_ids(self):
        """All rooms, page by page."""
        found, cursor = [], ""
        while True:
            page = self.rest("get_room_list", {"Next": cursor, "Count": 20}).ok().response
            found += [room["RoomId"] for room in page["RoomList"]]
            cursor = page["Next"]
            if not cursor:
                return found


OK_REPLY = b'{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}'
ALERT = "Live.CallbackAfterCreateRoomReachingThreshold"


class Receiver:
    """An App backend for tests: keeps every request, and answers what `behave` says.

    `behave(number, request)` returns (status, headers, body) or None to close without an answer; `number` counts from 1.
    """

    def __init__(self, behave=None, tls=None, port=0):
        self.requests = []
        self.changed = threading.Condition()
        self.behave = behave or (lambda number, request: (200, {}, OK_REPLY))
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
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
                if answer is None:
                    self.close_connection = True
                    return
                status, headers, payload = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                try:
                    self.wfile.write(payload)
                except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
                    self.close_connection = True

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, client_address):
                pass  # a backend that was killed leaves connections behind

        self.server = Server(("127.0.0.1", port), Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.scheme = "https" if tls else "http"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

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

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)
