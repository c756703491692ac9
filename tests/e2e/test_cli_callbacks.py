"""The commands for callbacks: lists, attempts, replay, pause and resume, test; what they print and their exit codes."""

import json
import re
import time

import pytest

import wire
from conftest import run

SDKAPPID = 1400000001
APP = ("--app", str(SDKAPPID))
CREATED = "Live.CallbackAfterCreateRoom"
SLOW = tuple("--callback-retry-first 1h --callback-retry-longest 1h --callback-probe-longest 1h".split())
FOREIGN = "evt_ffffffffffffffff0000010000000001"


def make_cli(backend):
    environment = {
        "HIGHWATER_SERVER": f"http://127.0.0.1:{backend.port}",
        "HIGHWATER_ADMIN_TOKEN_FILE": str(backend.data / "admin-token"),
    }

    def call(*arguments, exit=0):
        ended = run("callback", *arguments, env=environment)
        assert ended.returncode == exit, (arguments, ended.stdout, ended.stderr)
        assert (ended.stderr == "") == (exit == 0), ended.stderr
        return ended

    return call


@pytest.fixture
def cli(backend):
    return make_cli(backend)


def every_room(backend, receiver, sdkappid=SDKAPPID):
    return backend.app(sdkappid, MaxRoomCount=1000, callback=receiver.url, commands=[CREATED])


def delivered(rows):
    return rows and all(row["State"] == "delivered" for row in rows)


def failing(number, request):
    return 503, {}, b"<b>not now</b>"


# ---- list ----


def test_list_of_one_app_and_of_all(backend, receiver, cli):
    app = every_room(backend, receiver)
    assert cli("list").stdout == cli("list", *APP).stdout == "no callbacks were made yet\n"
    assert json.loads(cli("list", "--json").stdout) == {"CallbackList": []}
    app.fill(1, 2)
    backend.wait_deliveries(delivered)
    every_room(backend, receiver, 7).create("other").ok()
    (other,) = backend.wait_deliveries(delivered, 7)
    head, *rows = cli("list", *APP).stdout.splitlines()
    assert head.split() == ["SEQUENCE", "TIME", "EVENT", "STATE", "ATTEMPTS", "WEBHOOK-ID"]
    assert [row.split()[2:6] for row in rows] == [["CreateRoom", f"r{n}", "delivered", "1"] for n in (2, 1)]
    head, first, *rows = cli("list").stdout.splitlines()
    assert head.split()[0] == "APP" and len(rows) == 2
    assert first.split()[:2] == ["7", "1"] and first.split()[-1] == other["WebhookId"]
    assert head.index("SEQUENCE") + len("SEQUENCE") == first.index(" 1 ") + 2
    assert json.loads(cli("list", "--json").stdout) == {"CallbackList": backend.callbacks()}


def test_list_takes_state_time_and_limit(make_backend, make_receiver, receiver):
    backend = make_backend(*SLOW)
    cli = make_cli(backend)
    every_room(backend, make_receiver(failing)).create("r").ok()
    backend.wait_deliveries(lambda rows: rows[0]["Attempts"] == 1)
    every_room(backend, receiver, 7).fill(1, 3)
    rows = backend.wait_deliveries(delivered, 7)

    def listed(*words):
        return [(row["SdkAppid"], row["Sequence"]) for row in json.loads(cli("list", "--json", *words).stdout)["CallbackList"]]

    assert listed() == [(7, 3), (7, 2), (7, 1), (SDKAPPID, 1)]
    assert listed("--state", "scheduled") == listed("--state", "waiting") == [(SDKAPPID, 1)]
    assert listed("--state", "final", "--limit", "2") == [(7, 3), (7, 2)]
    assert listed("--app", "7", "--state", "scheduled") == []
    assert "no such callbacks" in cli("list", "--app", "7", "--state", "failed").stdout
    assert listed("--since", str(rows[1]["EventTime"]), "--app", "7") in ([(7, 3), (7, 2)], [(7, 3), (7, 2), (7, 1)])
    assert listed("--since", "1h") == listed("--since", "2020-01-01T00:00:00Z", "--until", "0s") == listed()
    assert listed("--until", "2020-01-01T00:00:00+01:00") == []
    text = cli("list", "--limit", "1").stdout
    assert "--limit N" in text and len(text.splitlines()) == 3
    assert "HTTP status 503" in cli("list", *APP).stdout or "503" in cli("list", *APP).stdout


def test_list_goes_over_pages(backend, receiver, cli):
    every_room(backend, receiver).fill(1, 205)
    backend.wait_deliveries(delivered, seconds=60)
    for limit, count in ((20, 20), (100, 100), (101, 101), (205, 205), (1000, 205)):
        rows = json.loads(cli("list", *APP, "--json", "--limit", str(limit)).stdout)["CallbackList"]
        assert [row["Sequence"] for row in rows] == list(range(205, 205 - count, -1))
    assert len(cli("list", *APP).stdout.splitlines()) == 22
    assert "--limit" not in cli("list", *APP, "--limit", "206").stdout


# ---- attempts ----


def test_attempts_shows_each(make_backend, make_receiver):
    answers = [(503, {}, b"<b>not now</b>"), (200, {}, wire.OK_REPLY)]
    receiver = make_receiver(lambda number, request: answers[min(number, 2) - 1])
    backend = make_backend()
    cli = make_cli(backend)
    every_room(backend, receiver).create("r").ok()
    (row,) = backend.wait_deliveries(delivered)
    text = cli("attempts", row["WebhookId"]).stdout
    for word in (row["WebhookId"], f"callback 1 of app {SDKAPPID}", "CreateRoom r", "state    delivered", "attempt 1, ended ",
                 "attempt 2, ended ", f"address  127.0.0.1:{receiver.port}", "HTTP status 503", "<b>not now</b>",
                 "HTTP status 200", "asked to wait"):  # fmt: skip
        assert word in text, text
    assert len(re.findall(r"^  time     (?:\w[\w ]* [\d.]+ ms, )+whole [\d.]+ ms$", text, re.M)) == 2
    assert re.search(r"^  time     .*connect [\d.]+ ms, first byte ", text, re.M)
    shown = json.loads(cli("attempts", row["WebhookId"], "--json").stdout)
    assert shown == {**row, "AttemptList": backend.attempts(row)}


def test_attempts_tells_how_many_are_kept(make_backend, make_receiver):
    receiver = make_receiver(lambda number, request: failing(number, request) if number < 12 else (200, {}, wire.OK_REPLY))
    backend = make_backend(*"--callback-retry-first 1ms --callback-retry-longest 5ms --callback-probe-longest 5ms".split())
    every_room(backend, receiver).create("r").ok()
    (row,) = backend.wait_deliveries(delivered)
    text = make_cli(backend)("attempts", row["WebhookId"]).stdout
    assert "attempts 12; the newest 10 are kept" in text and text.count("ended ") == 10


# ---- replay ----


def test_replay_of_one(backend, receiver, cli):
    every_room(backend, receiver).create("r").ok()
    (row,) = backend.wait_deliveries(delivered)
    assert cli("replay", row["WebhookId"]).stdout == "replayed 1 callback\n"
    receiver.wait_for(2)
    backend.wait_deliveries(delivered)
    assert "replayed 1 time" in cli("attempts", row["WebhookId"]).stdout
    cli("pause", *APP)
    assert json.loads(cli("replay", row["WebhookId"], "--json").stdout) == {"Replayed": 1}
    assert "still waits" in cli("replay", row["WebhookId"], exit=1).stderr
    assert "still waits" in cli("replay", row["WebhookId"], "--state", "failed", exit=1).stderr


def test_replay_of_ranges_over_pages(backend, receiver, cli):
    every_room(backend, receiver).fill(1, 250)
    rows = backend.wait_deliveries(delivered, seconds=60)
    assert cli("replay", *APP, "--from", "1", "--to", "1000").stdout == "replayed 0 callbacks\n"  # none has failed
    assert cli("replay", *APP, "--from", "1", "--to", "240", "--state", "final").stdout == "replayed 240 callbacks\n"
    receiver.wait_for(490)
    backend.wait_deliveries(delivered, seconds=60)
    since = str(rows[-1]["EventTime"])
    text = cli("replay", *APP, "--since", since, "--state", "delivered", "--json").stdout
    assert 1 <= json.loads(text)["Replayed"] < 250
    backend.wait_deliveries(delivered)
    assert json.loads(cli("replay", *APP, "--since", "1h", "--until", "30m", "--state", "final", "--json").stdout) == {"Replayed": 0}
    assert sum(row["Replays"] for row in backend.deliveries()) == 240 + json.loads(text)["Replayed"]


# ---- pause, resume ----


def test_pause_and_resume(backend, receiver, cli):
    app = every_room(backend, receiver)
    assert str(SDKAPPID) in cli("pause", *APP).stdout
    app.create("r").ok()
    assert backend.deliveries()[0]["State"] == "parked"
    words = run("app", "show", str(SDKAPPID), "--server", f"http://127.0.0.1:{backend.port}",
                "--admin-token-file", str(backend.data / "admin-token")).stdout  # fmt: skip
    assert re.search(r"endpoint +paused since \S+, by an operator, nothing delivered yet", words), words
    assert json.loads(cli("resume", *APP, "--json").stdout) == {}
    backend.wait_deliveries(delivered)
    assert "are sent" in cli("resume", *APP).stdout


# ---- test ----


@pytest.mark.smoke
def test_test_that_arrives(backend, receiver, cli):
    backend.app(MaxRoomCount=10, callback=receiver.url)
    text = cli("test", *APP).stdout
    assert "test, 0 of 10 rooms" in text and "state    delivered" in text and "has taken the test" in text
    assert receiver.requests[0]["headers"]["highwater-test"] == "1"
    shown = json.loads(cli("test", *APP, "--json").stdout)
    assert (shown["State"], shown["Sequence"], len(shown["AttemptList"])) == ("delivered", 2, 1)
    assert "test, 0 of 10 rooms" in cli("list", *APP).stdout


def test_test_that_does_not_arrive_says_why(make_backend, make_receiver, receiver):
    backend = make_backend(*SLOW)
    cli = make_cli(backend)
    receiver.down()
    app = backend.app(callback=receiver.url)
    started = time.monotonic()
    ended = cli("test", *APP, "--wait", "1s", exit=1)
    assert 1 <= time.monotonic() - started < 20
    assert "nothing listens" in ended.stdout and "not delivered in time" in ended.stderr
    app.config("update_callback", {"Url": make_receiver(failing).url, "CallbackCommandList": [wire.ALERT]}).ok()
    ended = cli("test", *APP, "--wait", "500ms", "--json", exit=1)
    shown = json.loads(ended.stdout)
    assert shown["State"] in wire.WAITING and "not delivered in time" in ended.stderr


def test_test_goes_on_after_a_failed_attempt(backend, make_receiver, cli):
    receiver = make_receiver(lambda number, request: (404, {}, b"") if number < 2 else (200, {}, wire.OK_REPLY))
    backend.app(callback=receiver.url)
    text = cli("test", *APP).stdout
    assert "HTTP status 404" in text and "look at the URL" in text and "attempt 2, ended" in text


def test_test_that_would_not_be_sent(backend, receiver, cli):
    app = backend.app()
    assert "100301" in cli("test", *APP, exit=1).stderr
    app.config("set_callback", {"Url": receiver.url, "CallbackCommandList": [CREATED]}).ok()
    assert "100002" in cli("test", *APP, exit=1).stderr
    app.config("update_callback", {"Url": receiver.url, "CallbackCommandList": [wire.ALERT]}).ok()
    cli("pause", *APP)
    assert "paused" in cli("test", *APP, exit=1).stderr
    assert receiver.requests == []


# ---- what is wrong ----


@pytest.mark.parametrize("words, code, named", [
    (["list", "--state", "lost"], 1, "State"),
    (["list", "--since", "yesterday"], 2, "--since"),
    (["list", "--until", "2h30m"], 2, "--until"),
    (["list", "--since", "1h", "--until", "2h"], 1, "Since"),
    (["list", "--limit", "0"], 2, "--limit"),
    (["list", "--app", "77"], 1, "70020"),
    (["list", "x"], 2, "too many"),
    (["attempts"], 2, "WEBHOOK-ID"),
    (["attempts", "evt_1"], 1, "WebhookId"),
    (["attempts", FOREIGN], 1, "WebhookId"),
    (["attempts", FOREIGN, "x"], 2, "too many"),
    (["attempts", FOREIGN, "--app", "1"], 2, "--app"),
    (["replay"], 2, "which callbacks"),
    (["replay", FOREIGN], 1, "WebhookId"),
    (["replay", FOREIGN, "--app", "1"], 2, "not both"),
    (["replay", FOREIGN, "--since", "1h"], 2, "not both"),
    (["replay", "--app", "1400000001"], 2, "which callbacks"),
    (["replay", "--from", "1", "--to", "2"], 2, "--app"),
    (["replay", "--since", "1h"], 2, "--app"),
    (["replay", "--app", "1400000001", "--from", "1"], 2, "--to"),
    (["replay", "--app", "1400000001", "--to", "1"], 2, "--from"),
    (["replay", "--app", "1400000001", "--until", "1h"], 2, "--since"),
    (["replay", "--app", "1400000001", "--from", "1", "--to", "2", "--since", "1h"], 2, "range"),
    (["replay", "--app", "1400000001", "--from", "1", "--to", "2", "--until", "1h"], 2, "range"),
    (["replay", "--app", "1400000001", "--from", "0", "--to", "2"], 2, "--from"),
    (["replay", "--app", "1400000001", "--from", "2", "--to", "1"], 1, "FromSequence"),
    (["replay", "--app", "1400000001", "--since", "now"], 2, "--since"),
    (["replay", "--app", "1400000001", "--since", "1h", "--state", "pending"], 1, "State"),
    (["replay", "--app", "77", "--since", "1h"], 1, "70020"),
    (["pause"], 2, "--app"),
    (["pause", "--app", "77"], 1, "70020"),
    (["resume"], 2, "--app"),
    (["resume", "--app", "77"], 1, "70020"),
    (["test"], 2, "--app"),
    (["test", "--app", "77"], 1, "70020"),
    (["test", "--app", "1400000001", "--wait", "5"], 2, "--wait"),
    (["test", "--app", "1400000001", "--wait", "2h"], 2, "--wait"),
])  # fmt: skip
def test_wrong_words_change_nothing(backend, receiver, cli, words, code, named):
    every_room(backend, receiver).create("r").ok()
    backend.wait_deliveries(delivered)
    before = backend.show(), backend.callbacks()
    ended = cli(*words, exit=code)
    assert named in ended.stderr and ended.stdout == "", ended
    assert (backend.show(), backend.callbacks()) == before
