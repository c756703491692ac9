"""`highwater trigger`: callbacks as the backend would send them, and wrong ones, against the real receiver."""

import json
import subprocess

import pytest

import conftest
import wire

TOKEN = "a callback token"
SECRET = wire.webhook_key("whsec", b"s" * 32)


def write(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


@pytest.fixture
def files(tmp_path):
    return "--token-file", write(tmp_path / "token", TOKEN), "--secret-file", write(tmp_path / "secret", SECRET)


@pytest.fixture
def receive(make_app_backend, tmp_path):
    keys = write(tmp_path / "keys", SECRET)
    receive = make_app_backend("--receive-secret-file", keys, "--receive-path", "/callback", token=TOKEN)
    receive.secrets.add(SECRET)
    return receive


@pytest.fixture
def trigger(receive, files):
    def call(*arguments, exit=0, path="/callback"):
        ended = conftest.run("trigger", f"http://127.0.0.1:{receive.port}{path}", *files, *arguments)
        assert ended.returncode == exit, (arguments, ended.stdout, ended.stderr)
        assert TOKEN not in ended.stdout + ended.stderr and SECRET not in ended.stdout + ended.stderr
        return ended.stdout if exit in (0, 1) else ended.stderr

    return call


@pytest.mark.smoke
def test_alert_is_delivered_and_shown(trigger, receive):
    text = trigger("--current", "450", "--max", "600", "--operator", 'a"b', "--ip", "2001:db8::1", "--platform", "iOS",
                   "--event-id", "my-id", "--threshold", "80")  # fmt: skip
    assert text.splitlines()[0].startswith("> POST http://127.0.0.1:")
    assert "< HTTP status 200 after " in text and text.endswith("delivered: the backend would not send it again\n")
    (event,) = receive.events()
    assert event["Body"] == {"CallbackCommand": wire.ALERT, "Operator_Account": 'a"b', "EventTime": event["Body"]["EventTime"],
                             "CurRoomCount": 450, "MaxRoomCount": 600}  # fmt: skip
    assert (event["ClientIP"], event["OptPlatform"], event["WebhookId"], event["Threshold"], event["Signature"], event["Signed"]) == (
        "2001:db8::1", "iOS", "my-id", 80, "v1", True)  # fmt: skip


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_what_proves_the_sender_is_not_shown(make_receiver, files, arguments):
    """Sign is good for a minute, a signature for five; a parameter of the URL may be a secret for ever."""
    receiver = make_receiver()
    made = conftest.run("trigger", receiver.url + "/callback?key=0123456789abcdef&x", *files, *arguments)
    (request,) = receiver.wait_for(1)
    signature = request["headers"]["webhook-signature"]
    for secret in (request["params"]["Sign"], signature[3:], "0123456789abcdef"):
        assert secret not in made.stdout and secret[:8] + "..." in made.stdout
    assert "RequestTime=" + request["params"]["RequestTime"] in made.stdout and f"&SdkAppid={request['params']['SdkAppid']}&" in made.stdout


@pytest.mark.parametrize("target", ["/CallbackCommand=abc/d", "/a?myCallbackCommand=1", "/a?x=&CallbackCommand=Live.CallbackAfterCreateRoom"])
def test_words_of_the_url_stay_as_they_are(make_receiver, files, target):
    """What looks like a parameter of ours may stand in the URL that was given."""
    receiver = make_receiver()
    conftest.run("trigger", receiver.url + target, *files)
    (request,) = receiver.wait_for(1)
    assert request["path"].startswith(target + ("&" if "?" in target else "?") + "SdkAppid=1400000001&CallbackCommand=" + wire.ALERT + "&")


def test_packet_of_ones_own_brings_its_command(trigger, receive, tmp_path):
    path = write(tmp_path / "packet", json.dumps({"CallbackCommand": "Live.CallbackAfterEndBattle", "RoomId": "r"}))
    trigger("--body-file", path)
    (event,) = receive.events()
    assert event["CallbackCommand"] == "Live.CallbackAfterEndBattle" and "Threshold" not in event
    trigger("--body-file", path, "--command", "Live.CallbackAfterCreateRoom", exit=1)


def test_json_has_all_of_a_reply_that_is_no_text(make_receiver):
    receiver = make_receiver(lambda number, request: (200, {}, b'{"a\xff\xc3\xa9\xe2\x82\x00'))
    (exchange,) = json.loads(conftest.run("trigger", receiver.url, "--json").stdout)["ExchangeList"]
    assert exchange["Reply"] == '{"a\ufffd\u00e9\ufffd\ufffd\0' and exchange["HttpStatus"] == 200 and exchange["Method"] == "POST"


def test_json_of_a_hostile_reply_does_nothing_to_the_terminal(make_receiver):
    receiver = make_receiver(lambda number, request: (200, {}, "\x1b[31m\u009b31m\x7f\u202e".encode()))
    ended = conftest.run("trigger", receiver.url, "--json")
    assert json.loads(ended.stdout)["ExchangeList"][0]["Reply"] == "\x1b[31m\u009b31m\x7f\u202e"
    assert ended.stdout.replace("\n", "").isprintable()


def test_nobody_who_reads_is_the_end(make_receiver):
    """Not 1,000 callbacks behind `| head -1`."""
    receiver = make_receiver()
    line = f"{conftest.BINARY} trigger {receiver.url} --times 1000 | head -n 1"
    ended = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout.startswith("> POST ") and len(receiver.requests) < 100


def test_request_is_the_backends_own(make_backend, make_receiver, files):
    """The same URL, headers and packet, but for what names the event and the time."""
    receiver = make_receiver()
    backend = make_backend()
    app = backend.app(MaxRoomCount=1, callback=receiver.url + "/callback", token=TOKEN)
    app.create("r").ok()
    receiver.wait_for(1)
    made = conftest.run("trigger", receiver.url + "/callback", *files, "--current", "1", "--max", "1", "--threshold", "70")
    assert made.returncode == 0, made.stdout
    real, ours = receiver.wait_for(2)
    real["params"].pop("Sign"), ours["params"].pop("Sign")
    for one in (real, ours):
        one["params"]["RequestTime"] = one["body"]["EventTime"] = 0
        one["headers"] = {name: value for name, value in one["headers"].items() if name != "highwater-sequence"}
    assert [name for name, _ in real["query"]] == [name for name, _ in ours["query"]]
    assert real["params"] == ours["params"] and real["body"] == ours["body"] and list(real["body"]) == list(ours["body"])
    assert set(real["headers"]) == set(ours["headers"])
    same = ("content-type", "user-agent", "highwater-attempt", "highwater-threshold", "accept")
    assert all(real["headers"].get(name) == ours["headers"].get(name) for name in same)


FINE = ["strings", "unknown-fields", "order", "unknown-command", "slow"]
WRONG = {
    "wrong-app": 403, "get": 405, "wrong-command": 400, "no-sign": 401, "bad-sign": 401, "stale-sign": 401, "future-sign": 401,
    "no-signature": 401, "bad-signature": 401, "stale-signature": 401, "future-signature": 401, "changed-body": 401,
    "no-json": 400, "empty": 400, "missing-field": 400, "oversized": 413,
}  # fmt: skip


@pytest.mark.parametrize("fault", FINE)
def test_what_must_be_taken_is_taken(trigger, receive, fault):
    found = json.loads(trigger("--fault", fault, "--json"))
    assert found["AsItMust"] and found["ExchangeList"][0]["Delivered"] and found["Fault"] == fault
    assert len(receive.events()) == 1


@pytest.mark.parametrize("fault", WRONG)
def test_what_must_be_refused_is_refused(trigger, receive, fault):
    found = json.loads(trigger("--fault", fault, "--json"))
    (exchange,) = found["ExchangeList"]
    assert found["AsItMust"] and found["Verdict"].startswith("refused, as it must be")
    assert exchange["HttpStatus"] == WRONG[fault], exchange
    assert receive.events() == []


def test_faults_of_the_help_are_those_tested(trigger):
    text = conftest.run("trigger", "--help").stdout
    listed = {line.split(":")[0].strip() for line in text.splitlines() if ": " in line and line.startswith("  ") and "--" not in line}
    assert set(FINE) | set(WRONG) | {"no-id"} <= listed
    for words in ("--max N\n      The app's maximum that the alert tells. Default 500.", "has reached. Default 70.", "OptPlatform. Default RESTAPI."):
        assert words in text


def test_callback_of_the_vendors_cloud_has_none_of_our_headers(make_app_backend):
    receive = make_app_backend()
    ended = conftest.run("trigger", f"http://127.0.0.1:{receive.port}/", "--fault", "no-id")
    assert ended.returncode == 0 and "webhook-id" not in ended.stdout
    assert "WebhookId" not in receive.events()[0]


def test_wrong_one_that_is_taken_is_told(make_receiver):
    receiver = make_receiver()
    ended = conftest.run("trigger", receiver.url, "--fault", "wrong-app")
    assert ended.returncode == 1 and "taken, but it must be refused: it had the SDKAppID of another app" in ended.stdout


@pytest.mark.parametrize("command", ["Live.CallbackAfterCreateRoom", "Live.CallbackAfterDestroyRoom", "Live.CallbackAfterUpdateRoomInfo",
                         "Live.CallbackAfterSetMetadata", "Live.CallbackAfterDelMetadata", "Live.CallbackAfterMemberStateChanged",
                         "Live.CallbackAfterChangeOwner", "Live.CallbackAfterModifyAdmin", "Mic.CallbackAfterSeatInfoChanged",
                         "Live.CallbackBeforeSendGift"])  # fmt: skip
def test_each_callback_of_the_family(trigger, receive, command):
    trigger("--command", command, "--room", "Größe \U0001f680", "--operator", "alice")
    (event,) = receive.events()
    assert event["CallbackCommand"] == event["Body"]["CallbackCommand"] == command
    assert "Größe \U0001f680" in json.dumps(event["Body"], ensure_ascii=False)


def test_same_event_several_times(trigger, receive):
    text = trigger("--times", "3")
    assert text.count("delivered: ") == 3
    (event,) = receive.events()
    assert (event["Times"], event["Attempt"]) == (3, 1)


def test_packet_of_a_file(trigger, receive, tmp_path):
    body = {"CallbackCommand": "Live.CallbackAfterStartBattle", "BattleId": "b"}
    trigger("--command", body["CallbackCommand"], "--body-file", write(tmp_path / "body", json.dumps(body)))
    assert receive.events()[0]["Body"] == body


@pytest.mark.parametrize("skew, fine", [("50s", True), ("-50s", True), ("70s", False), ("-70s", False), ("-2h", False)])
def test_clock_that_is_off(trigger, receive, skew, fine):
    trigger("--skew", skew, exit=0 if fine else 1)
    assert len(receive.events()) == fine


def test_nobody_there(trigger, receive):
    receive.stop()
    text = trigger(exit=1)
    assert "< no answer after" in text and "not delivered, the backend would try again: connect: " in text


def test_tls(make_app_backend, certificates):
    receive = make_app_backend("--http-cert-file", str(certificates / "leaf.pem"), "--http-key-file", str(certificates / "leaf.key"))
    url = f"https://127.0.0.1:{receive.port}/"
    ended = conftest.run("trigger", url, "--ca-file", str(certificates / "ca.pem"))
    assert ended.returncode == 0 and "TLSv1.3" in ended.stdout
    assert "certificate" in conftest.run("trigger", url, "--ca-file", str(certificates / "other.pem")).stdout


BAD = [
    ([], "URL"),
    (["ftp://a/"], "the URL must begin with http:// or https://"),
    (["http://a/", "--fault", "nothing"], '--fault: "nothing" is none'),
    (["http://a/", "--fault", "bad-sign"], "--fault bad-sign needs --token-file"),
    (["http://a/", "--fault", "bad-signature"], "--fault bad-signature needs --secret-file"),
    (["http://a/", "--skew", "5"], '--skew: "5" is no duration such as 90s or -5m'),
    (["http://a/", "--skew", "-30000d"], "--skew: -30000d is before 1970"),
    (["http://a/", "--platform", "Amiga"], '--platform: "Amiga" is none of'),
    (["http://a/", "--ip", "a\nb"], "--ip: "),
    (["http://a/", "--command", "a&b"], '--command: "a&b" is no callback command'),
    (["http://a/", "--command", "Live.CallbackAfterEndBattle"], "give one with --body-file"),
    (["http://a/", "--event-id", "a b"], "an event's id has 1 to 256 characters"),
    (["http://a/", "--times", "0"], "--times"),
    (["http://a/", "--token-file", "-", "--secret-file", "-"], "--token-file and --secret-file cannot both read standard input"),
    (["http://a/", "--cert-file", "x"], "--cert-file and --key-file belong together"),
    (["http://a/", "--token-file", "/nonexistent"], "/nonexistent"),
    (["http://a/", "--ca-file", "/"], "--ca-file: reading the CA file /: Is a directory"),
    (["http://a/", "--ca-file", "/nonexistent"], "--ca-file: "),
    (["http://a/", "--body-file", "/nonexistent"], "/nonexistent"),
]


@pytest.mark.parametrize("arguments, words", BAD, ids=[" ".join(row[0])[:50] for row in BAD])
def test_bad_usage(arguments, words):
    ended = conftest.run("trigger", *arguments)
    assert ended.returncode in (2, 3) and words in ended.stderr, ended.stderr
