"""`highwater record`: what was received, listed, shown and exported while it goes on being received."""

import concurrent.futures
import contextlib
import csv
import io
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time

import pytest

import conftest
import wire
from clock import Clock
from test_receive import SAMPLE, Sender

APP = "1400000001"


@pytest.fixture
def receive(make_app_backend):
    return make_app_backend(sdkappids="1400000001,7")


@pytest.fixture
def record(receive):
    def call(*arguments, exit=0):
        ended = conftest.run("record", *arguments, env={"HIGHWATER_RECORD": str(receive.record)})
        assert ended.returncode == exit, (arguments, ended.stdout, ended.stderr)
        return ended.stdout if exit == 0 else ended.stderr

    return call


@pytest.fixture
def some(receive):
    """Four events: an alert, a test, another callback, and an alert of another app; the first came twice."""
    with contextlib.closing(Sender(receive.port)) as sender:
        for _ in range(2):
            sender.send(headers={"webhook-id": "evt_1", "Highwater-Sequence": "1", "Highwater-Threshold": "70"}).ok()
        sender.send({**SAMPLE, "CurRoomCount": 0}, headers={"webhook-id": "evt_2", "Highwater-Test": "1", "Highwater-Sequence": "5"}).ok()
        body = {"CallbackCommand": "Live.CallbackAfterCreateRoom", "RoomInfo": {"RoomId": "größe \x1b[2J\u202e"}}
        sender.send(body, CallbackCommand=body["CallbackCommand"]).ok()
        sender.send(SdkAppid="7").ok()
    return receive


@pytest.mark.smoke
def test_list_names_the_newest_first(record, some):
    lines = record("list").splitlines()
    assert lines[0].split() == ["ID", "RECEIVED", "APP", "TIMES", "EVENT"]
    assert [line.split(maxsplit=4)[4] for line in lines[1:]] == [
        "alert, 400 of 500 rooms",
        "CreateRoom größe ?[2J?",
        "test alert, 0 of 500 rooms  evt_2",
        "alert, 400 of 500 rooms  evt_1",
    ]
    assert [line.split()[3] for line in lines[1:]] == ["1", "1", "1", "2"]
    assert len(record("list", "--limit", "1").splitlines()) == 2
    assert len(record("list", "--app", "7").splitlines()) == 2
    assert len(record("list", "--command", "Live.CallbackAfterCreateRoom").splitlines()) == 2
    assert record("list", "--until", "1h") == "nothing is recorded that fits\n"
    assert [json.loads(line)["Id"] for line in record("list", "--json").splitlines()] == [4, 3, 2, 1]


def test_show_tells_all_of_one(record, some):
    text = record("show", "evt_1")
    assert text == record("show", "1")
    for words in ("event 1: alert, 400 of 500 rooms", "2 times", "webhook-id  evt_1", "sequence    1", "threshold   70 %",
                  "verified    nothing", '"CurRoomCount": 400'):  # fmt: skip
        assert words in text, text
    assert json.loads(record("show", "1", "--json")) == some.events()[0]
    assert "\x1b" not in record("show", "3") and "\u202e" not in record("show", "3")
    assert "there is no event 99 in the record" in record("show", "99", exit=1)
    assert "there is no event evt_9" in record("show", "evt_9", exit=1)


def test_export_as_json_lines(record, some):
    assert [json.loads(line) for line in record("export").splitlines()] == some.events()
    assert [json.loads(line)["Id"] for line in record("export", "--app", APP).splitlines()] == [1, 2, 3]
    assert record("export", "--since", str(int((time.time() + 60) * 1000))) == ""


def test_export_as_csv(record, some):
    ended = subprocess.run([conftest.BINARY, "record", "export", "--format", "csv", "--record", some.record], capture_output=True,
                           timeout=60, check=True)  # fmt: skip
    assert all(line.endswith(b"\r") for line in ended.stdout.split(b"\n")[:-1])
    rows = list(csv.DictReader(io.StringIO(ended.stdout.decode(), newline="")))
    for row, event in zip(rows, some.events(), strict=True):
        assert json.loads(row["Body"]) == event["Body"]
        assert row["Signed"] == "false" and row["Test"] == ("true" if event.get("Test") else "false")
        for name in ("Id", "ReceivedTime", "SdkAppid", "CallbackCommand", "ClientIP", "Peer", "Times", "LastTime", "Kind"):
            assert row[name] == str(event[name])
        for name in ("WebhookId", "Sequence", "Threshold", "Attempt", "Replay"):
            assert row[name] == str(event.get(name, ""))


def test_cells_are_no_formulas_and_stay_in_their_place(record, receive):
    names = ["=1+1", "+1", "-1", "@x", 'a"b', "a,b", "'x"]
    with contextlib.closing(Sender(receive.port)) as sender:
        for name in names:
            sender.send(headers={"webhook-id": name}).ok()
    rows = list(csv.DictReader(io.StringIO(record("export", "--format", "csv"), newline="")))
    assert [row["WebhookId"] for row in rows] == ["'=1+1", "'+1", "'-1", "'@x", 'a"b', "a,b", "'x"]


def test_export_is_whole_while_events_come(record, receive):
    """Each event once and in order, whatever is added meanwhile; in bounded memory."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        def send(worker):
            with contextlib.closing(Sender(receive.port)) as sender:
                for number in range(300):
                    sender.send({**SAMPLE, "Operator_Account": f"{worker}-{number}", "Padding": "x" * 20000}).ok()

        done = [pool.submit(send, worker) for worker in range(4)]
        while not all(one.done() for one in done):
            ids = [json.loads(line)["Id"] for line in record("export").splitlines()]
            assert ids == list(range(1, len(ids) + 1))
        for one in done:
            one.result()
    assert len(record("export").splitlines()) == 1200


def test_pipe_that_ends_early_is_no_error(receive, some):
    ended = subprocess.run(["bash", "-c", f"set -o pipefail; {conftest.BINARY} record export --record {some.record} | head -n 1"],
                           capture_output=True, timeout=60, check=False)  # fmt: skip
    assert len(ended.stdout.splitlines()) == 1 and ended.stderr == b""


def test_full_standard_output_is_told(some):
    with open("/dev/full", "wb") as full:
        ended = subprocess.run([conftest.BINARY, "record", "export", "--record", some.record], stdout=full, stderr=subprocess.PIPE,
                               timeout=60, check=False)  # fmt: skip
    assert (ended.returncode, ended.stderr.count(b"No space left"), ended.stderr.count(b"\n")) == (3, 1, 1)


def as_nobody(*arguments):
    return subprocess.run([conftest.BINARY, *arguments], user="nobody", group="nogroup", extra_groups=[], capture_output=True, text=True,
                          timeout=60, check=False)  # fmt: skip


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_user_who_may_not_write_is_told_what_to_do(some):
    """SQLite speaks of a readonly database to somebody who only reads."""
    try:
        as_nobody("--version")
    except PermissionError:
        pytest.skip("nobody may not run the program")
    some.stop()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        shutil.copy(some.record, folder + "/callbacks.db")
        for mode in (0o644, 0o600):
            os.chmod(folder + "/callbacks.db", mode)
            ended = as_nobody("record", "list", "--record", folder + "/callbacks.db")
            assert ended.returncode == 3 and "as the user that `highwater receive` runs as" in ended.stderr, ended.stderr


def test_until_the_beginning_of_time_is_nothing(record, some):
    assert record("list", "--until", "0") == "nothing is recorded that fits\n"
    assert record("export", "--until", "1970-01-01T00:00:00Z") == ""


def test_resolving_for_an_app_that_is_not_there_is_refused(record, some):
    assert record("resolve", "--app", APP).startswith("noted that the alert of app")
    assert "the record has nothing of app 1400000002" in record("resolve", "--app", "1400000002", exit=1)
    assert [json.loads(line)["SdkAppid"] for line in record("export").splitlines() if "AlertResolved" in line] == [int(APP)]


def test_csv_of_no_record_is_nothing_at_all(tmp_path, receive, record):
    ended = conftest.run("record", "export", "--format", "csv", "--record", str(tmp_path / "none.db"))
    assert (ended.returncode, ended.stdout) == (3, "")
    assert record("export", "--format", "csv").startswith("Id,Kind,") and record("export") == ""


def test_event_is_found_by_an_id_of_digits(receive, record, some):
    with contextlib.closing(Sender(some.port)) as sender:
        sender.send(headers={"webhook-id": "4711"}).ok()
    assert json.loads(record("show", "4711", "--json"))["WebhookId"] == "4711"


def test_gaps(record, some):
    assert record("gaps") == "no number is missing\n", "a test opens none"
    with contextlib.closing(Sender(some.port)) as sender:
        sender.send(headers={"webhook-id": "evt_5", "Highwater-Sequence": "5"}).ok()
    text = record("gaps")
    assert text.splitlines()[1].split()[:4] == [APP, "2", "to", "4"]
    assert "callback list" in text
    (gap,) = json.loads(record("gaps", "--json"))
    assert (gap["SdkAppid"], gap["First"], gap["Last"]) == (1400000001, 2, 4)
    assert record("gaps", "--app", "7") == "no number is missing\n"
    assert record("gaps", "--clear") == "3 missing numbers do not count any more\n"
    assert record("gaps") == "no number is missing\n"


def test_gap_is_logged_when_it_is_old(make_app_backend):
    receive = make_app_backend("--receive-gap-after", "500ms")
    with contextlib.closing(Sender(receive.port)) as sender:
        for sequence in ("1", "4"):
            sender.send(headers={"webhook-id": sequence, "Highwater-Sequence": sequence}).ok()
        deadline = time.monotonic() + 15
        while "sequence_gap app=1400000001 first=2 last=3" not in receive.log():
            assert time.monotonic() < deadline, receive.log()
            time.sleep(0.05)
        for sequence in ("3", "2"):
            sender.send(headers={"webhook-id": sequence, "Highwater-Sequence": sequence}).ok()
    assert receive.metric("highwater_receive_app_sequence_missing", app=APP) == 0


def test_old_events_go_as_fast_as_they_came(make_app_backend):
    """Thousands in a second or two, and not 500 a second."""
    receive = make_app_backend()
    with contextlib.closing(Sender(receive.port)) as sender:
        sender.send().ok()
    receive.stop()
    with contextlib.closing(sqlite3.connect(receive.record)) as db, db:
        db.execute("UPDATE callbacks SET receive_ms = receive_ms - 7200000")
        columns = "kind, receive_ms, sdkappid, command, client_ip, platform, peer, body, last_ms"
        db.execute(f"INSERT INTO callbacks ({columns}) WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000)"
                   f" SELECT {columns} FROM callbacks, n")  # fmt: skip
    receive.arguments += ["--receive-keep", "1h"]
    began = time.monotonic()
    receive.start()
    deadline = began + 15
    while receive.rows():
        assert time.monotonic() < deadline, len(receive.rows())
        time.sleep(0.1)
    assert receive.metric("highwater_receive_pruned_total") == 20001


def test_step_of_the_clock_removes_nothing_at_once(receive, clock_shim, tmp_path):
    """A clock that is a year ahead by mistake had all events removed within seconds."""
    receive.stop()
    clock = Clock(tmp_path / "shift")
    receive.environment |= clock.environment(clock_shim)
    receive.start()
    for count, what in ((400, lambda: True), (401, lambda: "event=clock_stepped" in receive.log())):
        with contextlib.closing(Sender(receive.port)) as sender:
            sender.send({**SAMPLE, "CurRoomCount": count}).ok()
        clock.set(365 * 86400)
        wire.wait(what, what="it to be seen")
    wire.wait(lambda: len(receive.rows()) == 2, what="both")
    assert receive.metric("highwater_receive_pruned_total") == 0
    assert receive.log().count("event=clock_stepped") == 1


BAD = [
    (["list", "--record", "/nonexistent"], 3, "record /nonexistent: it cannot be found"),
    (["export", "--format", "xml"], 2, '--format: "xml" is none of jsonl and csv'),
    (["list", "--since", "yesterday"], 2, "--since: "),
    (["show"], 2, "ID|WEBHOOK-ID"),
    (["resolve"], 2, "--app"),
    (["resolve", "--app", "1", "--threshold", "101"], 2, "--threshold"),
    (["list", "--record", "/dev/null"], 2, ""),
    (["list", "--record", "/"], 3, "record /: it is a folder"),
    (["gaps", "--clear"], 3, "none.db: it cannot be found"),
    (["resolve", "--app", "1"], 3, "none.db: it cannot be found"),
]


@pytest.mark.parametrize("arguments, status, words", BAD, ids=[" ".join(row[0]) for row in BAD])
def test_bad_usage(arguments, status, words, tmp_path):
    ended = conftest.run("record", *arguments, env={"HIGHWATER_RECORD": str(tmp_path / "none.db")})
    assert ended.returncode == status and words in ended.stderr, ended.stderr
    assert not os.path.exists(tmp_path / "none.db"), "looking makes no file"


def test_record_of_another_program_is_refused(tmp_path, make_backend):
    backend = make_backend()
    ended = conftest.run("record", "list", "--record", str(backend.data / "highwater.db"))
    assert ended.returncode == 2 and "belongs to another program" in ended.stderr
