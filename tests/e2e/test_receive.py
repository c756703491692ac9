"""`highwater receive`: verifies, records durably, answers; and refuses everything else without a trace in the record."""

import concurrent.futures
import contextlib
import fcntl
import http.client
import json
import os
import signal
import stat
import subprocess
import threading
import time
import urllib.parse

import pytest

import conftest
import wire

TOKEN = "xxxxyyyy"
SAMPLE = {
    "CallbackCommand": wire.ALERT,
    "Operator_Account": "brennanli",
    "EventTime": 1739966441121,
    "CurRoomCount": 400,
    "MaxRoomCount": 500,
}
BODY = json.dumps(SAMPLE, separators=(",", ":")).encode()


class Sender:
    """Sends callbacks as the vendor's backend does."""

    def __init__(self, port, token=None):
        self.port = port
        self.token = token
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def query(self, **changes):
        fields = {
            "SdkAppid": "1400000001",
            "CallbackCommand": wire.ALERT,
            "contenttype": "json",
            "ClientIP": "203.0.113.9",
            "OptPlatform": "iOS",
        }
        if self.token:
            now = int(time.time())
            fields.update(Sign=wire.sign(self.token, now), RequestTime=str(now))
        fields.update(changes)
        return urllib.parse.urlencode({name: value for name, value in fields.items() if value is not None})

    def send(self, body=BODY, path="/callback", headers=None, method="POST", query=None, **changes):
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        target = f"{path}?{self.query(**changes) if query is None else query}"
        self.connection.request(method, target, body, {"Content-Type": "application/json", **(headers or {})})
        answer = self.connection.getresponse()
        return wire.Reply(answer.status, answer.read())

    def close(self):
        self.connection.close()


@pytest.fixture
def receive(make_app_backend):
    return make_app_backend(token=TOKEN)


@pytest.fixture
def sender(receive):
    made = Sender(receive.port, TOKEN)
    yield made
    made.close()


@pytest.mark.smoke
def test_right_callback_is_answered_with_exactly_the_vendors_reply(receive, sender):
    headers = {"webhook-id": "evt_1", "Highwater-Attempt": "2", "Highwater-Sequence": "9", "Highwater-Threshold": "70"}
    before = int(time.time() * 1000)
    reply = sender.send(headers=headers)
    assert reply.status == 200
    assert reply.raw == b'{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}'
    (line,) = receive.events()
    assert before <= line["ReceivedTime"] == line.pop("LastTime") <= time.time() * 1000
    assert line.pop("ReceivedTime") and line == {
        "Id": 1,
        "Kind": "Callback",
        "Times": 1,
        "SdkAppid": 1400000001,
        "CallbackCommand": wire.ALERT,
        "ClientIP": "203.0.113.9",
        "OptPlatform": "iOS",
        "Signed": True,
        "WebhookId": "evt_1",
        "Attempt": 2,
        "Sequence": 9,
        "Threshold": 70,
        "Peer": "127.0.0.1",
        "Body": SAMPLE,
        "Signature": "",
    }


def test_record_is_for_its_owner_only(receive, sender):
    sender.send().ok()
    files = list(receive.record.parent.glob("callbacks.db*"))
    assert len(files) == 4, "the database, its log, its index, its lock"
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_new_event_is_printed_too(receive, sender):
    sender.send().ok()
    sender.send({**SAMPLE, "CurRoomCount": 401}, headers={"Highwater-Test": "1", "Highwater-Sequence": "7"}).ok()
    sender.send().ok()  # not new
    assert receive.printed() == receive.events()[:0] + [{**line, "Times": 1, "LastTime": line["ReceivedTime"]}
                                                        for line in receive.events()]  # fmt: skip
    assert [line["Times"] for line in receive.events()] == [2, 1]


def test_vendors_own_callback_without_our_headers_is_recorded(receive, sender):
    sender.send().ok()
    (line,) = receive.events()
    assert "WebhookId" not in line and "Attempt" not in line


@pytest.mark.parametrize("changes", [{"SdkAppid": None, "SdkAppId": "1400000001"}, {"SdkAppid": None, "sdkappid": "1400000001"},
                                     {"contenttype": "JSON"}, {"contenttype": None}, {"ClientIP": None, "OptPlatform": None},
                                     {"OptPlatform": "macOS"}, {"extra": "1"}])  # fmt: skip
def test_other_spellings_of_the_vendors_pages_are_read(receive, sender, changes):
    sender.send(**changes).ok()
    assert receive.events()[0]["SdkAppid"] == 1400000001


@pytest.mark.parametrize("changes", [{"CurRoomCount": "400", "MaxRoomCount": "500"}, {"EventTime": "1739966441121"}, {"More": [1]}])
def test_loose_packets_are_taken_as_sent(receive, sender, changes):
    sender.send({**SAMPLE, **changes}).ok()
    assert receive.events()[0]["Body"] == {**SAMPLE, **changes}


def test_packet_of_another_callback_is_recorded_too(receive, sender):
    body = {"CallbackCommand": "Live.CallbackAfterDestroyRoom", "RoomId": "r"}
    sender.send(body, CallbackCommand="Live.CallbackAfterDestroyRoom").ok()
    assert receive.events()[0]["Body"] == body


def test_body_is_recorded_on_one_line_whatever_its_white_space(receive, sender):
    body = json.dumps({**SAMPLE, "x": 'a "quoted" \\ \n text'}, indent=4).encode()
    sender.send(body.replace(b"\n", b"\r\n")).ok()
    assert receive.events()[0]["Body"]["x"] == 'a "quoted" \\ \n text'


def stamp(ago):
    then = int(time.time()) - ago
    return {"Sign": wire.sign(TOKEN, then), "RequestTime": str(then)}


REFUSALS = {
    # name: what to change, HTTP status, ErrorCode
    "no SdkAppid": (lambda: {"SdkAppid": None}, 400, 60025),
    "SdkAppid empty": (lambda: {"SdkAppid": ""}, 400, 60025),
    "SdkAppid text": (lambda: {"SdkAppid": "x"}, 400, 60025),
    "SdkAppid of others": (lambda: {"SdkAppid": "1400000002"}, 403, 70020),
    "SdkAppid twice": (lambda: {"SdkAppId": "1400000002"}, 400, 60025),
    "no CallbackCommand": (lambda: {"CallbackCommand": None}, 400, 60025),
    "command of another": (lambda: {"CallbackCommand": "Live.CallbackAfterCreateRoom"}, 400, 100002),
    "no Sign": (lambda: {"Sign": None}, 401, 60025),
    "no Sign, no time": (lambda: {"Sign": None, "RequestTime": None}, 401, 60025),
    "no RequestTime": (lambda: {"RequestTime": None}, 400, 60025),
    "Sign of another token": (lambda: {"Sign": wire.sign("other", int(time.time()))}, 401, 60025),
    "Sign of another time": (lambda: {"Sign": wire.sign(TOKEN, 1)}, 401, 60025),
    "Sign in capitals": (lambda: {k: v.upper() for k, v in stamp(0).items()}, 401, 60025),
    "Sign cut": (lambda: {"Sign": stamp(0)["Sign"][:-1]}, 401, 60025),
    "Sign long": (lambda: {"Sign": "0" * 1000}, None, 60025),
    "too old": (lambda: stamp(120), 401, 60025),
    "from the future": (lambda: stamp(-120), 401, 60025),
    "RequestTime text": (lambda: {"RequestTime": "now"}, 400, 60025),
    "broken query": (lambda: {"query": "SdkAppid=1400000001&%zz"}, 400, 60025),
    "no query": (lambda: {"query": ""}, 400, 60025),
    "empty body": (lambda: {"body": b""}, 400, 60003),
    "not JSON": (lambda: {"body": b"hello"}, 400, 60003),
    "array": (lambda: {"body": b"[]"}, 400, 60003),
    "deep": (lambda: {"body": b"[" * 10000}, 400, 60003),
    "not UTF-8": (lambda: {"body": b'{"CallbackCommand":"\xff"}'}, 400, 60003),
    "no command": (lambda: {"body": {"EventTime": 1}}, 400, 60003),
    "no count": (lambda: {"body": {k: v for k, v in SAMPLE.items() if k != "CurRoomCount"}}, 400, 100002),
    "count negative": (lambda: {"body": {**SAMPLE, "CurRoomCount": -1}}, 400, 100002),
    "count text": (lambda: {"body": {**SAMPLE, "MaxRoomCount": "many"}}, 400, 100002),
    "body too large": (lambda: {"body": {**SAMPLE, "x": "y" * 140000}}, 413, 60003),
    "GET": (lambda: {"method": "GET", "body": None}, 405, 60002),
    "PUT": (lambda: {"method": "PUT"}, 405, 60002),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal_is_answered_and_not_recorded(receive, sender, name):
    change, status, code = REFUSALS[name]
    reply = sender.send(**change())
    assert status is None or reply.status == status, reply.raw
    assert reply.status >= 400
    reply.refused(code)
    assert list(reply.body) == ["ActionStatus", "ErrorInfo", "ErrorCode"]
    assert reply.info
    sender.close()
    sender.send().ok()
    assert len(receive.events()) == 1, "only the right one is recorded"


def test_path_is_compared_when_it_is_set(make_app_backend):
    receive = make_app_backend("--receive-path", "/callback")
    sender = Sender(receive.port)
    for path in ("/", "/callback/", "/Callback", "/other"):
        assert sender.send(path=path).refused(60009).status == 404
    sender.send(path="/callback").ok()
    sender.close()
    assert len(receive.events()) == 1


def test_without_a_token_sign_is_not_asked_for(make_app_backend):
    receive = make_app_backend()
    sender = Sender(receive.port)
    sender.send().ok()
    sender.close()
    assert receive.events()[0]["Signed"] is False


def test_token_comes_from_a_file(make_app_backend, tmp_path):
    (tmp_path / "token").write_text(TOKEN + "\n")
    receive = make_app_backend("--receive-token-file", str(tmp_path / "token"))
    receive.secrets.add(TOKEN)
    unsigned, signed = Sender(receive.port), Sender(receive.port, TOKEN)
    unsigned.send().refused(60025)
    signed.send().ok()
    unsigned.close()
    signed.close()


def test_several_apps_are_served(make_app_backend):
    receive = make_app_backend(sdkappids="1400000001,7")
    sender = Sender(receive.port)
    sender.send().ok()
    sender.send(SdkAppid="7").ok()
    sender.send(SdkAppid="8").refused(70020)
    sender.close()
    assert [line["SdkAppid"] for line in receive.events()] == [1400000001, 7]


# ---- webhook signatures ----

SECRET = wire.webhook_key("whsec", bytes(range(32)))
NEW_SECRET = wire.webhook_key("whsec", bytes(range(100, 124)))
PRIVATE = wire.webhook_key("whsk", bytes(range(32, 64)))
PUBLIC = wire.webhook_public(PRIVATE)
NEW_PRIVATE = wire.webhook_key("whsk", bytes(range(64, 96)))
KEYS = {SECRET, NEW_SECRET, PRIVATE, NEW_PRIVATE}  # must never be in a log


def webhook(*keys, body=BODY, webhook_id="evt_1", ago=0, **changes):
    """The headers of a callback that was signed with these keys; `changes` sets others, and None removes one."""
    timestamp = str(int(time.time()) - ago)
    signatures = [wire.webhook_signature(key, webhook_id, timestamp, body) for key in keys]
    made = {"webhook-id": webhook_id, "webhook-timestamp": timestamp, "webhook-signature": " ".join(signatures)}
    made.update({name.replace("_", "-"): value for name, value in changes.items()})
    return {name: value for name, value in made.items() if value is not None}


def write_keys(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def make_keyed(make_app_backend, tmp_path):
    """Starts a receiver that knows these keys from a file, and gives it with a sender."""
    senders = []

    def make(*keys, arguments=(), token=None):
        path = write_keys(tmp_path / "keys", "".join(f"{key}\n" for key in keys))
        receive = make_app_backend("--receive-secret-file", str(path), *arguments, token=token)
        receive.secrets |= KEYS
        senders.append(Sender(receive.port, token))
        return receive, senders[-1]

    yield make
    for sender in senders:
        sender.close()


def test_webhook_tools_of_the_tests_agree_with_published_signatures():
    signed = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    made = wire.webhook_signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", *signed)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    made = wire.webhook_signature("whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=", *signed)
    assert made == "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
    headers = webhook(SECRET, PRIVATE)
    assert wire.verify_webhook([NEW_SECRET, PUBLIC, SECRET, PRIVATE], headers, BODY) == [PUBLIC, SECRET, PRIVATE]
    assert wire.verify_webhook([PUBLIC, SECRET], headers, BODY + b" ") == []


@pytest.mark.smoke
def test_signed_callback_is_recorded_with_the_kind_of_its_signature(make_keyed):
    receive, sender = make_keyed(SECRET, PUBLIC)
    sender.send(headers=webhook(SECRET)).ok()
    sender.send(headers=webhook(PRIVATE, webhook_id="evt_2")).ok()
    sender.send(headers=webhook(NEW_SECRET, PRIVATE, webhook_id="evt_3")).ok()
    found = [(line["WebhookId"], line["Signature"], line["Signed"]) for line in receive.events()]
    assert found == [("evt_1", "v1", False), ("evt_2", "v1a", False), ("evt_3", "v1a", False)]
    assert [line["Body"] for line in receive.events()] == [SAMPLE] * 3


OTHER_BODY = BODY.replace(b'"CurRoomCount":400', b'"CurRoomCount":401')
WEBHOOK_REFUSALS = {
    # name: headers, words of the answer
    "unsigned": (lambda: {}, "webhook-id is missing"),
    "no id": (lambda: webhook(SECRET, **{"webhook-id": None}), "webhook-id is missing"),
    "no timestamp": (lambda: webhook(SECRET, webhook_timestamp=None), "webhook-timestamp is missing"),
    "no signature": (lambda: webhook(SECRET, webhook_signature=None), "webhook-signature is missing"),
    "signature empty": (lambda: webhook(SECRET, webhook_signature=""), "webhook-signature is missing"),
    "id with a full stop": (lambda: webhook(SECRET, webhook_id="evt.1"), "webhook-id must be"),
    "id too long": (lambda: webhook(SECRET, webhook_id="x" * 257), "webhook-id must be"),
    "timestamp in ms": (lambda: webhook(SECRET, webhook_timestamp=str(int(time.time() * 1000))), "too far in the future"),
    "timestamp text": (lambda: webhook(SECRET, webhook_timestamp="now"), "webhook-timestamp must be"),
    "many signatures": (lambda: webhook(*[SECRET] * 17), "at most 16 signatures"),
    "stale": (lambda: webhook(SECRET, ago=330), "too long ago: it is more than 300 seconds away"),
    "future": (lambda: webhook(SECRET, ago=-330), "too far in the future: it is more than 300 seconds away"),
    "unknown version": (lambda: webhook(webhook_signature="v2,AAAA"), "no signature of a kind"),
    "kind without key": (lambda: webhook(PRIVATE), "no signature of a kind"),
    "wrong secret": (lambda: webhook(NEW_SECRET), "no signature in webhook-signature matches"),
    "another body": (lambda: webhook(SECRET, body=OTHER_BODY), "no signature in webhook-signature matches"),
    "another id": (lambda: webhook(SECRET, **{"webhook-id": "evt_2"}), "no signature in webhook-signature matches"),
    "another time": (lambda: webhook(SECRET, webhook_timestamp=str(int(time.time()) - 9)), "signature matches"),
}


@pytest.mark.parametrize("name", WEBHOOK_REFUSALS)
def test_webhook_refusal_is_answered_and_not_recorded(make_keyed, name):
    headers, words = WEBHOOK_REFUSALS[name]
    receive, sender = make_keyed(SECRET)
    reply = sender.send(headers=headers()).refused(60025, words)
    assert reply.status == 401
    assert list(reply.body) == ["ActionStatus", "ErrorInfo", "ErrorCode"]
    sender.send(headers=webhook(SECRET)).ok()
    assert len(receive.events()) == 1, "only the right one is recorded"
    assert words in receive.log()


@pytest.mark.parametrize("keys", [(SECRET, SECRET), (PUBLIC, PRIVATE)], ids=["v1", "v1a"])
def test_body_altered_by_one_byte_is_refused_before_it_is_parsed(make_keyed, keys):
    trusted, signing = keys
    receive, sender = make_keyed(trusted)
    headers = webhook(signing)
    for at in (0, len(BODY) // 2, len(BODY) - 1):
        altered = BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :]
        sender.send(altered, headers=headers).refused(60025, "no signature in webhook-signature matches")
    sender.send(BODY + b"\n", headers=headers).refused(60025, "no signature in webhook-signature matches")
    sender.send(headers=headers).ok()
    assert len(receive.events()) == 1


def test_signed_body_is_still_checked(make_keyed):
    receive, sender = make_keyed(SECRET)
    sender.send(b"[]", headers=webhook(SECRET, body=b"[]")).refused(60003)
    assert receive.events() == []


def test_callback_sent_again_within_the_tolerance_is_counted(make_keyed):
    receive, sender = make_keyed(SECRET)
    headers = webhook(SECRET, ago=200)
    sender.send(headers=headers).ok()
    sender.send(headers=headers).ok()
    assert [(line["WebhookId"], line["Times"]) for line in receive.events()] == [("evt_1", 2)]


def test_tolerance_is_a_setting(make_keyed):
    receive, sender = make_keyed(SECRET, arguments=("--receive-tolerance", "1h"))
    sender.send(headers=webhook(SECRET, ago=3500)).ok()
    sender.send(headers=webhook(SECRET, ago=-3500)).ok()
    sender.send(headers=webhook(SECRET, ago=3700)).refused(60025, "3600 seconds")
    assert [line["Times"] for line in receive.events()] == [2]


@pytest.mark.parametrize("value", ["999ms", "1500ms", "61m", "5"])
def test_tolerance_out_of_range_is_refused(value):
    ended = conftest.run("receive", "--receive-sdkappids", "1", "--check", "--receive-tolerance", value)
    assert ended.returncode == 2
    assert "tolerance" in ended.stderr


@pytest.mark.parametrize("old,new,trusted_new", [(SECRET, NEW_SECRET, NEW_SECRET),
                                                (PRIVATE, NEW_PRIVATE, wire.webhook_public(NEW_PRIVATE)),
                                                (SECRET, PRIVATE, PUBLIC)], ids=["v1", "v1a", "v1 to v1a"])  # fmt: skip
def test_keys_are_rotated_without_a_refusal(make_keyed, old, new, trusted_new):
    """The receiver learns the new key first; then the sender signs with both, then with the new one."""
    trusted_old = wire.webhook_public(old) if old.startswith("whsk") else old
    receive, sender = make_keyed(trusted_old, trusted_new)
    for number, signing in enumerate(((old,), (new, old), (new,))):
        sender.send(headers=webhook(*signing, webhook_id=f"evt_{number}")).ok()
    assert len(receive.events()) == 3


def test_receiver_with_the_old_key_only_takes_what_both_have_signed(make_keyed):
    receive, sender = make_keyed(SECRET)
    sender.send(headers=webhook(NEW_SECRET, SECRET)).ok()
    sender.send(headers=webhook(NEW_SECRET)).refused(60025)
    assert len(receive.events()) == 1


def test_token_and_keys_must_both_be_right(make_keyed):
    receive, sender = make_keyed(SECRET, token=TOKEN)
    sender.send(headers=webhook(SECRET), Sign=None).refused(60025, "Sign is missing")
    sender.send(headers=webhook(SECRET), **stamp(120)).refused(60025, "RequestTime")
    sender.send(headers=webhook(NEW_SECRET)).refused(60025, "no signature in webhook-signature matches")
    sender.send().refused(60025, "webhook-id is missing")
    sender.send(headers=webhook(SECRET)).ok()
    assert [(line["Signed"], line["Signature"]) for line in receive.events()] == [(True, "v1")]


def test_webhook_headers_are_not_looked_at_without_keys(receive, sender):
    sender.send(headers=webhook(SECRET, ago=10000)).ok()
    assert receive.events()[0]["Signature"] == ""


def test_first_of_several_signature_headers_counts(make_keyed):
    receive, sender = make_keyed(SECRET)
    right, wrong = webhook(SECRET), webhook(NEW_SECRET)
    for order, status in (((right, wrong), 200), ((wrong, right), 401)):
        sender.connection.putrequest("POST", f"/?{sender.query()}")
        for name in ("webhook-id", "webhook-timestamp"):
            sender.connection.putheader(name, right[name])
        for headers in order:
            sender.connection.putheader("webhook-signature", headers["webhook-signature"])
        sender.connection.putheader("Content-Length", str(len(BODY)))
        sender.connection.endheaders(BODY)
        answer = sender.connection.getresponse()
        assert (answer.status, answer.read() == wire.OK_REPLY) == (status, status == 200)
    assert len(receive.events()) == 1


def test_tests_and_replays_can_be_told_in_the_record(receive, sender):
    sender.send(headers={"webhook-id": "a", "Highwater-Test": "1"}).ok()
    sender.send(headers={"webhook-id": "b", "Highwater-Replay": "3"}).ok()
    sender.send(headers={"webhook-id": "c"}).ok()
    found = [(line.get("Test"), line.get("Replay")) for line in receive.events()]
    assert found == [(True, None), (None, 3), (None, None)]


def test_replay_of_a_known_event_shows_at_it(receive, sender):
    for replay in ({}, {"Highwater-Replay": "1"}, {"Highwater-Replay": "2"}, {"Highwater-Replay": "1"}, {}):
        sender.send(headers={"webhook-id": "a", **replay}).ok()
    assert [(line["Replay"], line["Times"]) for line in receive.events()] == [(2, 5)]


# ---- each event once ----


@pytest.mark.smoke
def test_event_is_recorded_once_however_often_it_comes(receive, sender):
    """Known by its webhook-id, whatever else changes; over restarts, too."""
    for number in range(5):
        sender.send({**SAMPLE, "CurRoomCount": 400 + number}, headers={"webhook-id": "evt_1"}).ok()
    receive.kill()
    receive.start()
    again = Sender(receive.port, TOKEN)
    again.send(headers={"webhook-id": "evt_1"}).ok()
    again.send(headers={"webhook-id": "evt_2"}).ok()
    again.close()
    assert [(line["WebhookId"], line["Times"], line["Body"]["CurRoomCount"]) for line in receive.events()] == [
        ("evt_1", 6, 400),
        ("evt_2", 1, 400),
    ]


def test_event_without_an_id_is_known_by_its_body(receive, sender):
    for then in (int(time.time()) - 3, int(time.time())):
        sender.send(RequestTime=str(then), Sign=wire.sign(TOKEN, then)).ok()
    sender.send({**SAMPLE, "CurRoomCount": 401}).ok()
    sender.send(headers={"webhook-id": "evt_1"}).ok()
    assert [line["Times"] for line in receive.events()] == [2, 1, 1]


def test_ids_are_of_each_app(make_app_backend):
    """An app cannot make another's events look known."""
    receive = make_app_backend(sdkappids="1400000001,7")
    for sdkappid in (1400000001, 7, 1400000001):
        sender = Sender(receive.port)
        sender.send(headers={"webhook-id": "evt_1"}, SdkAppid=str(sdkappid)).ok()
        sender.send(SdkAppid=str(sdkappid)).ok()
        sender.close()
    assert [(line["SdkAppid"], line["Times"]) for line in receive.events()] == [
        (1400000001, 2), (1400000001, 2), (7, 1), (7, 1)]  # fmt: skip


def test_many_at_once_of_one_event_are_one(receive):
    def send(_):
        sender = Sender(receive.port, TOKEN)
        for number in range(50):
            sender.send(headers={"webhook-id": f"evt_{number}"}).ok()
        sender.close()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(8)))
    assert [line["Times"] for line in receive.events()] == [8] * 50


@pytest.mark.parametrize("separator", [" ", ",", " , "])
def test_keys_come_from_the_environment(make_app_backend, separator):
    receive = make_app_backend(start=False)
    receive.environment["HIGHWATER_RECEIVE_SECRET"] = separator.join([NEW_SECRET, PUBLIC])
    receive.secrets |= KEYS
    sender = Sender(receive.start().port)
    sender.send(headers=webhook(NEW_SECRET)).ok()
    sender.send(headers=webhook(PRIVATE)).ok()
    sender.send(headers=webhook(SECRET)).refused(60025)
    sender.close()


def test_private_key_is_taken_with_a_warning_that_shows_its_public_one(make_keyed):
    receive, sender = make_keyed("# ours", "", PRIVATE)
    sender.send(headers=webhook(PRIVATE)).ok()
    (warning,) = [line for line in receive.log().splitlines() if "private_key_given" in line]
    assert "level=warn" in warning and f"public_key={PUBLIC}" in warning.replace('"', "")


def test_public_key_is_taken_without_a_warning(make_keyed):
    receive, sender = make_keyed(PUBLIC)
    sender.send(headers=webhook(PRIVATE)).ok()
    assert "private_key_given" not in receive.log()


BAD_KEY_FILES = {
    # name: text, mode, exit status, words
    "empty": ("", 0o600, 2, "holds no key"),
    "comments": (f"# {SECRET}\n\n", 0o600, 2, "holds no key"),
    "no prefix": (f"{SECRET}\n{SECRET[6:]}\n", 0o600, 2, "line 2: a key must begin with whsec_, whsk_ or whpk_"),
    "cut": (f"\n#\n{SECRET[:-1]}\n", 0o600, 2, "line 3: what follows the prefix of the key is not base64"),
    "short": ("whsec_c2hvcnQ=\n", 0o600, 2, "line 1: a secret (whsec_) must have 24 to 64 bytes"),
    "two on a line": (f"{SECRET} {NEW_SECRET}\n", 0o600, 2, "line 1: what follows"),
    "bad public key": (f"{wire.webhook_key('whpk', bytes(32))}\n", 0o600, 2, "line 1: with this public key"),
    "too many": (f"{SECRET}\n" * 9, 0o600, 2, "line 9: more than 8 keys"),
    "too long": ("#" * 1048577, 0o600, 2, "holds more than 1048576 bytes"),
    "for others": (f"{SECRET}\n", 0o640, 3, "others than its owner may open it"),
}


@pytest.mark.parametrize("name", BAD_KEY_FILES)
def test_bad_key_file_stops_the_start(tmp_path, name):
    text, mode, status, words = BAD_KEY_FILES[name]
    path = write_keys(tmp_path / "keys", text, mode)
    ended = conftest.run("receive", "--receive-sdkappids", "1", "--check", "--receive-secret-file", str(path))
    assert ended.returncode == status
    assert ended.stderr.startswith(f"highwater receive: receive.secret_file: {path}")
    assert words in ended.stderr
    output = ended.stdout + ended.stderr
    assert not any(key[6:18] in output for key in KEYS), "a key is shown"


def test_missing_key_file_stops_the_start(tmp_path):
    ended = conftest.run("receive", "--receive-sdkappids", "1", "--check", "--receive-secret-file", str(tmp_path / "none"))
    assert ended.returncode == 3
    assert "receive.secret_file" in ended.stderr and "none" in ended.stderr


@pytest.mark.parametrize("value,words", [(" , ", "holds no key"), (f"{SECRET},{NEW_SECRET[6:]}", "key 2: a key must begin"),
                                         (" ".join([SECRET] * 9), "key 9: more than 8 keys")])  # fmt: skip
def test_bad_keys_in_the_environment_stop_the_start(value, words):
    ended = conftest.run("receive", "--receive-sdkappids", "1", "--check", env={"HIGHWATER_RECEIVE_SECRET": value})
    assert ended.returncode == 2
    assert f"HIGHWATER_RECEIVE_SECRET: {words}" in ended.stderr
    assert not any(key[6:18] in ended.stdout + ended.stderr for key in KEYS), "a key is shown"


def test_keys_given_twice_stop_the_start(tmp_path):
    path = write_keys(tmp_path / "keys", SECRET)
    arguments = ("receive", "--receive-sdkappids", "1", "--check", "--receive-secret-file", str(path))
    ended = conftest.run(*arguments, env={"HIGHWATER_RECEIVE_SECRET": SECRET})
    assert ended.returncode == 2
    assert "twice" in ended.stderr and SECRET[6:] not in ended.stderr


# ---- durability ----


@pytest.mark.smoke
def test_answered_line_survives_kill_9(receive):
    for number in range(5):
        sender = Sender(receive.port, TOKEN)
        sender.send({**SAMPLE, "CurRoomCount": number + 1}).ok()
        receive.kill()
        assert [line["Body"]["CurRoomCount"] for line in receive.events()] == list(range(1, number + 2))
        sender.close()
        receive.start(60)


def test_every_answered_line_survives_kill_9_under_load(receive):
    acknowledged, lock, enough = [], threading.Lock(), threading.Event()

    def send(worker):
        sender = Sender(receive.port, TOKEN)
        try:
            for number in range(10000):
                mark = f"{worker}-{number}"
                sender.send({**SAMPLE, "Operator_Account": mark}).ok()
                with lock:
                    acknowledged.append(mark)
                    if len(acknowledged) >= 400:
                        enough.set()
        except (OSError, http.client.HTTPException):
            pass  # killed
        finally:
            sender.close()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        done = [pool.submit(send, worker) for worker in range(8)]
        assert enough.wait(60)
        receive.kill()
        for future in done:
            future.result()
    receive.start()
    recorded = [line["Body"]["Operator_Account"] for line in receive.events()]
    assert set(acknowledged) <= set(recorded)
    assert len(recorded) == len(set(recorded))
    assert len(recorded) <= len(acknowledged) + 8


def test_file_that_is_no_record_is_left_alone(receive):
    receive.stop()
    receive.record.write_bytes(b'{"ReceivedTime":1}\n' * 1000)
    ended = conftest.run(*receive.arguments, env=receive.environment)
    assert ended.returncode == 2
    assert f"{receive.record}: this is not an SQLite file" in ended.stderr
    assert receive.record.read_bytes() == b'{"ReceivedTime":1}\n' * 1000
    receive.record.unlink()


def test_second_receiver_on_the_same_record_is_refused(receive, sender):
    ended = conftest.run(*receive.arguments, env=receive.environment)
    assert ended.returncode == 3
    assert "another highwater process uses it" in ended.stderr
    sender.send().ok()


def test_restart_appends(receive, sender):
    sender.send().ok()
    sender.close()
    assert receive.stop() == 0
    receive.start()
    again = Sender(receive.port, TOKEN)
    again.send({**SAMPLE, "CurRoomCount": 401}).ok()
    again.close()
    assert [line["Id"] for line in receive.events()] == [1, 2]


def test_record_that_is_no_regular_file_is_refused(receive):
    ended = conftest.run(*receive.arguments, "--receive-record", "/dev/full", env=receive.environment)
    assert ended.returncode in (2, 3)
    assert "twice" in ended.stderr or "/dev/full" in ended.stderr


def test_long_line_is_printed_into_a_pipe_that_is_read(receive):
    """Whatever the pipe has room for; it was 4 KiB at most."""
    assert receive.stop() == 0
    with open(receive.log_path, "ab") as log:
        child = subprocess.Popen([conftest.BINARY, *receive.arguments, "--http-port-file", str(receive.port_file)], cwd=receive.folder,
                                 stdout=subprocess.PIPE, stderr=log, env={**os.environ, **receive.environment})  # fmt: skip
    wire.wait(receive.port_file.exists, what="it to be ready")
    with contextlib.closing(Sender(int(receive.port_file.read_text()), TOKEN)) as sender:
        for size in (5000, 100000, 10):
            sender.send({**SAMPLE, "Padding": "x" * size}).ok()
            assert len(json.loads(child.stdout.readline())["Body"]["Padding"]) == size
        for number in range(2000):  # and now nobody reads
            sender.send({**SAMPLE, "CurRoomCount": number, "Padding": "x" * 3000}).ok()
    child.terminate()
    assert child.wait(20) == 0
    assert "event=cannot_print" in receive.log()
    child.stdout.close()


def test_second_receiver_leaves_the_port_file_of_the_first(receive, tmp_path):
    """It does not start, since the record is in use; the file is what finds the metrics of the one that runs."""
    ended = conftest.run(*receive.arguments, "--http-port-file", str(tmp_path / "port"), env=receive.environment)
    assert ended.returncode == 3 and "another highwater process uses it" in ended.stderr
    assert receive.status("/healthz")[0] == 200


def test_lock_that_is_held_for_a_moment_is_waited_for(receive):
    """As by the child of a receiver that was killed while it started a sink's program."""
    assert receive.stop() == 0
    with open(str(receive.record) + ".lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        release = threading.Timer(0.3, fcntl.flock, (lock, fcntl.LOCK_UN))
        release.start()
        receive.start()
        release.join()
    assert receive.status("/healthz")[0] == 200


def test_link_to_the_record_in_use_is_the_same_record(receive, tmp_path):
    (tmp_path / "link.db").symlink_to(receive.record)
    arguments = [str(tmp_path / "link.db") if one == str(receive.record) else one for one in receive.arguments]
    arguments[arguments.index("--status-listen") + 1] = ""
    ended = conftest.run(*arguments, "--http-port-file", str(tmp_path / "port"), env=receive.environment)
    assert ended.returncode == 3 and "another highwater process uses it" in ended.stderr


def test_long_line_into_nothing_is_no_trouble(receive):
    """A service has StandardOutput=null; each event of more than 4 KiB was a warning in its journal."""
    assert receive.stop() == 0
    with open(receive.log_path, "ab") as log:
        child = subprocess.Popen([conftest.BINARY, *receive.arguments, "--http-port-file", str(receive.port_file)], cwd=receive.folder,
                                 stdout=subprocess.DEVNULL, stderr=log, env={**os.environ, **receive.environment})  # fmt: skip
    wire.wait(receive.port_file.exists, what="it to be ready")
    with contextlib.closing(Sender(int(receive.port_file.read_text()), TOKEN)) as sender:
        sender.send({**SAMPLE, "Padding": "x" * 10000}).ok()
    child.terminate()
    assert child.wait(20) == 0
    assert "cannot_print" not in receive.log()


def test_check_looks_at_the_address_of_metrics():
    ended = conftest.run("receive", "--receive-sdkappids", "1", "--check", "--status-listen", "8082")
    assert ended.returncode == 2 and 'status.listen: "8082" is no address with a port' in ended.stderr
    assert conftest.run("receive", "--receive-sdkappids", "1", "--check", "--status-listen=").returncode == 0


def test_closed_standard_output_is_no_other_file(receive, tmp_path):
    """What is opened first would take its number, and the events that are printed would go into the record's lock."""
    assert receive.stop() == 0
    line = " ".join([conftest.BINARY, *receive.arguments, "--http-port-file", str(receive.port_file)])
    with open(tmp_path / "log", "wb") as log:
        child = subprocess.Popen(["bash", "-c", f"exec {line} <&- >&-"], cwd=receive.folder, stderr=log,
                                 env={**os.environ, **receive.environment})  # fmt: skip
    wire.wait(receive.port_file.exists, what="it to be ready")
    with contextlib.closing(Sender(int(receive.port_file.read_text()), TOKEN)) as sender:
        sender.send().ok()
    wire.wait(lambda: "event=cannot_print" in (tmp_path / "log").read_text(), what="it to be told")
    child.terminate()
    assert child.wait(20) == 0
    assert os.path.getsize(str(receive.record) + ".lock") == 0


def test_sigterm_ends_it_cleanly(receive, sender):
    sender.send().ok()
    receive.child.send_signal(signal.SIGTERM)
    assert receive.child.wait(20) == 0
    assert not receive.port_file.exists()


# ---- bad peers ----


def test_garbage_and_half_requests_hinder_nobody(make_app_backend):
    receive = make_app_backend("--http-request-timeout", "500ms")
    sender = Sender(receive.port)
    halves = [wire.Raw(receive.port) for _ in range(20)]
    for number, raw in enumerate(halves):
        raw.send((b"\x00\xff", b"POST /callback?x HTTP/1.1\r\nHo", b"hello\r\n\r\n", b"")[number % 4])
    sender.send().ok()
    for raw in halves[1::4]:
        assert b'"ErrorCode":0' not in raw.rest()
    for raw in halves:
        raw.close()
    sender.close()
    assert len(receive.events()) == 1


# ---- together with the backend ----


@pytest.mark.smoke
def test_backend_to_app_backend(make_backend, make_app_backend):
    receive = make_app_backend("--receive-path", "/callback", token=TOKEN)
    backend = make_backend()
    app = backend.app(MaxRoomCount=10, callback=f"http://127.0.0.1:{receive.port}/callback", token=TOKEN)
    app.fill(1, 9)
    app.create_as("r10", "alice", "Android").ok()
    rows = backend.wait_deliveries(lambda rows: all(row["State"] == "delivered" for row in rows), seconds=60)
    assert [row["Attempts"] for row in rows] == [1, 1, 1, 1]
    lines = sorted(receive.events(), key=lambda line: line["Sequence"])
    assert [line["Body"] for line in lines] == [row["Body"] for row in rows]
    assert [line["WebhookId"] for line in lines] == [row["WebhookId"] for row in rows]
    assert [line["OptPlatform"] for line in lines] == ["RESTAPI"] * 3 + ["Android"]
    assert all(line["Signed"] for line in lines)


def test_wrong_token_is_retried_until_it_is_right(make_backend, make_app_backend):
    receive = make_app_backend(token=TOKEN)
    backend = make_backend()
    app = backend.app(MaxRoomCount=1, callback=f"http://127.0.0.1:{receive.port}/", token="wrong token")
    app.create("r").ok()
    rows = backend.wait_deliveries(lambda rows: rows[0]["Attempts"] >= 2)
    assert (rows[0]["HttpStatus"], rows[0]["State"] in wire.WAITING) == (401, True)
    assert receive.events() == []
    app.config("set_callback_token", {"Token": TOKEN}).ok()
    backend.secrets.add(TOKEN)
    backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")
    assert len(receive.events()) == 1


def test_kills_of_the_app_backend_lose_no_alert(make_backend, make_app_backend):
    receive = make_app_backend()
    backend = make_backend()
    app = backend.app(MaxRoomCount=60, Thresholds=[1], callback=f"http://127.0.0.1:{receive.port}/")
    for number in range(1, 61):
        app.create(f"r{number}").ok()
        if number % 20 == 0:
            receive.kill()
            receive.arguments[receive.arguments.index("--http-listen") + 1] = f"127.0.0.1:{receive.port}"
            receive.start()
    rows = backend.wait_deliveries(lambda rows: all(row["State"] == "delivered" for row in rows), seconds=30)
    lines = receive.events()
    assert sorted(line["WebhookId"] for line in lines) == sorted(row["WebhookId"] for row in rows), "each once"
    assert sorted(line["Body"]["CurRoomCount"] for line in lines) == list(range(1, 61))
