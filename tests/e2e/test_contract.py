"""The program beside docs/openapi.yaml: every example is sent and every reply checked against its schema, every refusal
is provoked, and every webhook is received. How the document says what to send stands at its top."""

import fnmatch
import http.client
import itertools
import json
import re
import resource
import subprocess
import time
import urllib.parse

import pytest

import eventstream
import openapi
import wire

SDKAPPID = 1400000001


NEWEST = "evt_00000000000000000000000000000001"  # stands for the backend's newest callback
EXAMPLE = "\nEXAMPLE\n"  # in PEM: stands for a certificate and its key


@pytest.fixture(scope="session")
def pair(tmp_path_factory):
    """A certificate and its key, in PEM."""
    folder = tmp_path_factory.mktemp("pair")
    subprocess.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=example "
        "-keyout key.pem -out cert.pem".split(),
        cwd=folder, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return {"Certificate": (folder / "cert.pem").read_text(), "Key": (folder / "key.pem").read_text()}


class Bench:
    """A backend of its own, the key of its app, and what is sent to it by the document."""

    def __init__(self, backend, pair):
        self.backend = backend
        self.pair = pair
        self.key = None
        self.connection = http.client.HTTPConnection("127.0.0.1", backend.port, timeout=20)

    def close(self):
        self.connection.close()

    def exchange(self, method, path, body, headers):
        """One request; returns (content type, reply)."""
        raw = body if isinstance(body, (str, bytes, type(None))) else json.dumps(body)
        raw = raw.encode() if isinstance(raw, str) else raw
        for attempt in (0, 1):  # the connection may have been closed by an earlier refusal
            try:
                self.connection.request(method, path, raw, {"Content-Type": "application/json", **headers})
                answer = self.connection.getresponse()
                return answer.getheader("Content-Type"), wire.Reply(answer.status, answer.read())
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self.connection.close()
                if attempt:
                    raise

    def usersig(self, caller, fault):
        app, name, key, times = SDKAPPID, caller, self.key, {}
        if fault == "other-app":
            app += 1
        elif fault == "other-identifier":
            name = "somebody"
        elif fault == "other-key":
            key = "another key than that of the app"
        elif fault == "expired":
            times = {"now": int(time.time()) - 7200, "expire": 3600}
        text = wire.usersig(app, name, key, **times)
        return text[: len(text) // 2] if fault == "cut" else text

    def query(self, operation, entry):
        caller = entry.get("caller", operation.caller)
        fields = {
            "sdkappid": SDKAPPID,
            "identifier": caller,
            "usersig": self.usersig(caller, entry.get("usersig")),
            "random": 99999999,
            "contenttype": "json",
            **entry.get("query", {}),
        }
        given = {name: value for name, value in fields.items() if value is not None}
        return urllib.parse.urlencode(given, quote_via=urllib.parse.quote)  # "+" is no space here

    def filled(self, body):
        """The body with what only this backend knows, or must be fresh."""
        if not isinstance(body, dict):
            return body
        body = {name: self.pair[name] if EXAMPLE in str(value) else value for name, value in body.items()}
        if body.get("WebhookId") == NEWEST:
            body["WebhookId"] = self.backend.callbacks()[0]["WebhookId"]
        if body.get("Token") == "ADMIN-TOKEN":
            body["Token"] = self.backend.token
        return body

    def send(self, operation, body, entry=None):
        """Sends it as `entry`, a refusal of the document, says; returns (content type, reply)."""
        entry = entry or {}
        body = self.filled(body)
        path, headers = operation.path, {}
        if operation.scheme() == "usersig":
            path += "?" + (entry.get("raw_query") or self.query(operation, entry))
        elif operation.scheme() == "adminToken":
            token = entry.get("token", self.backend.token)
            headers = {"Authorization": f"Bearer {token}"} if token else {}
        elif operation.scheme() == "csrfHeader":
            headers = {"Highwater-Csrf": "1"}
        kind, reply = self.exchange(entry.get("method", operation.method), path, body, headers)
        self.learn(operation, body, reply)
        return kind, reply

    def learn(self, operation, body, reply):
        """The key of the app that the examples speak of; no key and no token may come into the log."""
        response = reply.body.get("Response") if reply.body else None
        if isinstance(response, dict):
            keys = {one["Key"] for one in [response, *response.get("Keys", [])] if "Key" in one}
            secrets = {one["Secret"] for one in [response, *response.get("Secrets", [])] if "Secret" in one}
            self.backend.secrets |= keys | secrets | {self.backend.token}
        if operation.id == "app_create" and response and body["SdkAppid"] == SDKAPPID:
            self.key = response["Key"]
        if operation.id in ("set_callback_token", "callback_set") and isinstance(body, dict) and body.get("Token"):
            self.backend.secrets.add(body["Token"])
        if operation.id == "app_certificate_set" and isinstance(body, dict) and body.get("Key") == self.pair["Key"]:
            self.backend.secrets.add(body["Key"].splitlines()[1])

    def step(self, name):
        """Sends a step of a setup, which must succeed."""
        operation = openapi.by_id()[name.partition("#")[0]]
        example = name.partition("#")[2] or next(iter(operation.examples))
        _, reply = self.send(operation, operation.examples[example])
        assert reply.body and reply.code == 0, f"setup {name}: {reply.raw}"

    def set_up(self, steps):
        for name in steps:
            self.step(name)
        return self


def reply_faults(schema, kind, reply):
    """What in a reply is not as the document says."""
    if reply.status != 200 or kind != "application/json":
        return [f"status {reply.status}, content type {kind}"]
    if reply.body is None:
        return [f"no JSON: {reply.raw[:200]}"]
    faults = openapi.breaks(schema, reply.body) + openapi.undocumented([schema], reply.body)
    return [f"{fault} in {reply.raw[:600]}" for fault in faults]


def example_faults(bench, operation):
    faults = []
    for name, body in operation.examples.items() or [("no body", None)]:
        kind, reply = bench.send(operation, body)
        found = reply_faults(operation.reply_schema, kind, reply)
        if not found and reply.code != 0:
            found = [f"refused: {reply.raw}"]
        faults += [f"example {name}: {fault}" for fault in found]
    return faults


def stream_faults(bench, operation):
    """Of a call that answers with a stream: every event that comes of a creation and its alert fits its schema."""
    schemas = operation.node["x-highwater-events"]
    stream = eventstream.EventStream(bench.backend)
    try:
        if not stream.is_stream:
            return [f"no stream: {stream.body()}"]
        bench.set_up(["app_create", "set_callback", "app_set#small", "create_room", "create_room#everything"])
        for kind in schemas.keys() - {"lost"}:
            stream.wait_for(kind)
        faults = [f"an event {one.kind}, which is not in the document" for one in stream.events if one.kind not in schemas]
        known = [one for one in stream.events if one.kind in schemas]
        return faults + [f"{one}: {fault}" for one in known for fault in openapi.breaks(schemas[one.kind], one.data)]
    finally:
        stream.close()


def send_refusal(bench, operation, entry):
    """Sends it, so often as it says, until its code comes."""
    bench.set_up(entry.get("setup", []) if not is_fresh(entry) else [])
    body = openapi.filled(entry) if "body" in entry else next(iter(operation.examples.values()), None)
    for _ in range(entry.get("times", 1)):
        kind, reply = bench.send(operation, body, entry)
        if reply.body and reply.code == entry["code"]:
            break
    return kind, reply


def is_fresh(entry):
    return entry.get("fresh") or "settings" in entry


def refusal_faults(bench, operation, entry):
    kind, reply = send_refusal(bench, operation, entry)
    found = reply_faults(operation.reply_schema, kind, reply)
    if not found and reply.code != entry["code"]:
        found = [f"{entry['code']} expected: {reply.raw}"]
    return [f"{entry['summary']}: {fault}" for fault in found]


@pytest.fixture
def make_bench(make_backend, pair):
    """Makes benches, each with a backend of its own and a setup done."""
    made = []
    numbers = itertools.count()

    def make(steps, settings=None):
        arguments = [part for name, value in (settings or {}).items() for part in (flag(name), str(value))]
        backend = make_backend(*arguments, folder=f"bench-{next(numbers)}", rates=bool(settings))
        made.append(Bench(backend, pair))
        return made[-1].set_up(steps)

    yield make
    for bench in made:
        bench.close()


def flag(setting):
    return "--" + setting.replace(".", "-").replace("_", "-")


@pytest.mark.parametrize("operation", openapi.operations(), ids=lambda operation: operation.id)
def test_operation_is_as_documented(make_bench, operation):
    """Its examples succeed and its refusals are refused, each with a reply that fits the schema."""
    bench = make_bench(operation.setup)
    faults = []
    if "x-highwater-events" in operation.node:
        faults = stream_faults(bench, operation)
    elif "x-highwater-unsupported" not in operation.node:
        faults = example_faults(bench, operation)
    for entry in operation.refusals:
        if not is_fresh(entry):
            faults += refusal_faults(bench, operation, entry)
    for entry in operation.refusals:
        if is_fresh(entry):
            faults += refusal_faults(make_bench(entry.get("setup", []), entry.get("settings")), operation, entry)
    assert not faults, "\n".join(faults)


# ---- webhooks ----


def value_faults(parameters, values, what):
    """What in the query or the headers is not as the document says."""
    faults = []
    for parameter in parameters:
        name = parameter["name"]
        value = values.get(name.lower() if what == "header" else name)
        if value is None:
            faults += [f"{what} {name} is missing"] if parameter.get("required") else []
            continue
        faults += [f"{what} {name}: {fault}" for fault in openapi.breaks(parameter["schema"], value)]
    return faults


def callback_faults(webhook, request):
    query = [parameter for parameter in webhook.parameters if parameter["in"] == "query"]
    headers = [parameter for parameter in webhook.parameters if parameter["in"] == "header"]
    faults = value_faults(query, request["params"], "parameter") + value_faults(headers, request["headers"], "header")
    names = [name for name, _ in request["query"]]
    if names != [parameter["name"] for parameter in query]:
        faults.append(f"the query is {names}")
    ours = {name for name in request["headers"] if name.startswith(("webhook-", "highwater-"))}
    if not ours <= {parameter["name"].lower() for parameter in headers}:
        faults.append(f"the headers are {ours}")
    if request["headers"].get("content-type") != "application/json":
        faults.append(f"content type {request['headers'].get('content-type')}")
    schema = webhook.media["schema"]
    body = json.loads(request["raw"])
    return faults + openapi.breaks(schema, body) + openapi.misordered(schema, body)


@pytest.mark.parametrize("webhook", openapi.webhooks(), ids=lambda webhook: webhook.id)
def test_webhook_is_as_documented(make_bench, receiver, webhook):
    """Switched on, provoked and received: query, headers and body, with the order of the fields."""
    bench = make_bench(webhook.setup)
    provoke = webhook.node["x-highwater-provoke"]
    token = "token of the contract"
    calls = {
        "set_callback_token": {"Token": token, "IsTokenEnable": True},
        "set_callback": {"Url": receiver.url, "CallbackCommandList": [webhook.id]},
    }
    for name, body in calls.items():
        bench.send(openapi.by_id()[name], body)[1].ok()
    bench.set_up(provoke)
    requests = receiver.wait_for(len(provoke))
    bench.backend.wait_deliveries(lambda found: all(one["State"] == "delivered" for one in found))
    assert bench.backend.made() == len(provoke), "the calls that provoke it make one callback each"
    faults = [fault for request in requests for fault in callback_faults(webhook, request)]
    assert not faults, "\n".join(faults)
    for request in requests:
        assert request["params"]["Sign"] == wire.sign(token, request["params"]["RequestTime"])
        assert request["params"]["CallbackCommand"] == request["body"]["CallbackCommand"] == webhook.id


def test_words_that_are_no_webhook_are_never_sent(make_bench, receiver):
    """All other words are switched on while everything that makes a callback is done."""
    bench = make_bench(["app_create"])
    produced = {webhook.id for webhook in openapi.webhooks()}
    words = openapi.load()["components"]["schemas"]["CallbackWord"]["enum"]
    others = [word for word in words if word not in produced]
    body = {"Url": receiver.url, "CallbackCommandList": others}
    bench.send(openapi.by_id()["set_callback"], body)[1].ok()
    bench.set_up(["app_set#small", "create_room", "create_room#everything", "update_room_info", "set_room_metadata"])
    bench.set_up(["del_room_metadata", "modify_admin", "change_room_owner", "mute_member", "ban_member"])
    bench.set_up(["add_robot", "destroy_room"])
    assert others and bench.backend.made() == 0 and receiver.requests == []


# ---- what is not one operation's ----


def unsupported_patterns():
    """The table of the program: a pattern of the path after /v4/, and what such calls belong to."""
    text = (openapi.ROOT / "src" / "api" / "routes.c").read_text()
    table = re.search(r"routes_unsupported\[\] = \{(.*?)\n\};", text, re.S)
    return re.findall(r'\{"([^"]+)", "([^"]+)"\}', table[1])


def test_unsupported_calls_are_60017_and_named(make_bench):
    """Those of the document and one of each kind that the program knows; the text says which call, and what it is."""
    bench = make_bench(["app_create"])
    listed = [operation for operation in openapi.operations() if "x-highwater-unsupported" in operation.node]
    patterns = unsupported_patterns()
    paths = {operation.path for operation in listed} | {f"/v4/{name.replace('*', 'x')}" for name, _ in patterns}
    for path in sorted(paths):
        kind, reply = bench.exchange("POST", f"{path}?{bench.query(listed[0], {})}", {}, {})
        assert reply_faults(listed[0].reply_schema, kind, reply) == [], path
        reply.refused(60017, f"{path.rpartition('/')[2]} is not supported: ")
        topics = [topic for name, topic in patterns if fnmatch.fnmatchcase(path.removeprefix("/v4/"), name)]
        assert topics and reply.info.endswith(topics[0]), reply.info
    assert listed and patterns


def test_paths_that_are_not_in_the_document_are_60009(make_bench):
    bench = make_bench(["app_create"])
    known = {operation.path for operation in openapi.operations() if "x-highwater-unsupported" not in operation.node}
    others = {path + "x" for path in known} | {path + "/" for path in known} | {path.upper() for path in known}
    others |= {path.rpartition("/")[0] or "/" for path in known} | {"/v4/live_engine_http_srv/open_room"}
    for path in sorted(others - known):
        kind, reply = bench.exchange("POST", path, {}, {})
        assert (reply.status, kind) == (200, "application/json"), (path, reply.raw)
        reply.refused(60009)
        assert openapi.breaks({"$ref": "#/components/schemas/Failure"}, reply.body) == [], path


def test_bodies_over_the_limit_are_413_everywhere(make_bench):
    bench = make_bench(["app_create"])
    for operation in openapi.operations():
        kind, reply = bench.send(operation, b" " * (64 * 1024 + 1))
        assert (reply.status, kind) == (413, "application/json"), operation.id
        media = openapi.resolve(operation.node["responses"]["413"])["content"]["application/json"]
        assert openapi.breaks(media["schema"], reply.body) == [] and reply.code == 60003, operation.id


def test_headers_over_the_limit_are_431(make_bench):
    bench = make_bench([])
    kind, reply = bench.exchange("POST", "/healthz?" + "x" * (17 * 1024), {}, {})
    assert (reply.status, kind) == (431, "application/json")
    assert openapi.breaks({"$ref": "#/components/schemas/Failure"}, reply.body) == [] and reply.code == 60002


@pytest.mark.parametrize("name", ["get_room_list", "client_get_room_list"])
def test_next_leads_through_the_list_and_nowhere_else(make_bench, name):
    """What the document's own requests cannot say: `Next` comes from the page before, and only as it came."""
    bench = make_bench(["app_create", "create_room", "create_room#everything", "create_room#flag_as_text"])
    operation = openapi.by_id()[name]
    found, cursors = [], [""]
    while cursors[-1] or len(cursors) == 1:
        kind, reply = bench.send(operation, {"Next": cursors[-1], "Count": 1})
        assert reply_faults(operation.reply_schema, kind, reply.ok()) == []
        found += [room["RoomId"] for room in reply.response["RoomList"]]
        cursors.append(reply.response["Next"])
    assert found == ["live-room-3", "live-room-2", "live-room"]
    token = cursors[1]
    for altered in (token[:-1] + ("1" if token[-1] != "1" else "2"), "1" + token, token + "0", token.replace("-", "")):
        bench.send(operation, {"Next": altered})[1].refused(100002, "Next")


def test_store_that_cannot_write_is_100001(make_bench):
    """Its files may not grow: what was asked for is refused and not there, and goes well when they may again."""
    bench = make_bench(["app_create", "create_room"])
    child = bench.backend.child.pid
    before = resource.prlimit(child, resource.RLIMIT_FSIZE)
    resource.prlimit(child, resource.RLIMIT_FSIZE, (1, before[1]))
    kind, reply = bench.send(openapi.by_id()["destroy_room"], {"RoomId": "live-room"})
    resource.prlimit(child, resource.RLIMIT_FSIZE, before)
    assert reply_faults(openapi.by_id()["destroy_room"].reply_schema, kind, reply.refused(100001)) == []
    bench.set_up(["get_room_info", "destroy_room"])
