"""What `highwater receive` passes on, to a real Alertmanager, a real mail server, a program and an HTTP receiver: everything
at least once, in order, whatever dies in between; and a dead sink delays nobody."""

import contextlib
import json
import os
import socket
import sqlite3
import ssl
import statistics
import time

import pytest

import conftest
import sinkpeers
import wire
from test_receive import SAMPLE, TOKEN, Sender

APP = "1400000001"
QUICK = ("--receive-sink-retry-longest", "1s")


@pytest.fixture
def make_alertmanager(tmp_path):
    made = []

    def make(**keywords):
        one = sinkpeers.Alertmanager(tmp_path / f"alertmanager{len(made)}", **keywords)
        made.append(one)
        return one.start()

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def make_mail_server():
    made = []

    def make(**keywords):
        one = sinkpeers.MailServer(**keywords)
        made.append(one)
        return one.start()

    yield make
    for one in made:
        one.stop()


def send(receive, token=TOKEN, **changes):
    """One alert, answered OK."""
    headers = changes.pop("headers", None)
    url = changes.pop("url", {})
    with contextlib.closing(Sender(receive.port, token)) as sender:
        sender.send({**SAMPLE, **changes}, headers=headers, **url).ok()


def write_program(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def records(folder):
    """What the program below wrote, in order."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"), key=lambda path: int(path.stem))]


@pytest.fixture
def program(tmp_path):
    """Keeps each packet it gets under its number, and counts how often it came."""
    folder = tmp_path / "kept"
    folder.mkdir()
    path = write_program(
        tmp_path / "program",
        f'set -e\ncat > {folder}/$$.new\nmv {folder}/$$.new {folder}/$HIGHWATER_ID.json\necho x >> {folder}/$HIGHWATER_ID.times\n',
    )
    return path, folder


# ---- the Alertmanager ----


@pytest.mark.smoke
def test_alert_fires_with_its_labels_and_is_renewed(make_alertmanager, make_app_backend):
    alertmanager = make_alertmanager()
    receive = make_app_backend("--receive-alertmanager-url", alertmanager.url, token=TOKEN)
    send(receive, EventTime=int(time.time() * 1000), headers={"Highwater-Threshold": "70"})
    (alert,) = alertmanager.wait_active(lambda found: len(found) == 1)
    assert alert["labels"] == {"alertname": "LiveRoomsReachingThreshold", "app": APP, "threshold": "70", "current": "400",
                               "maximum": "500"}  # fmt: skip
    assert alert["annotations"]["summary"] == "app 1400000001 has 400 of 500 rooms (80 %)"
    send(receive, EventTime=int(time.time() * 1000) + 1, CurRoomCount=450, headers={"Highwater-Threshold": "70"})
    (alert,) = alertmanager.wait_active(lambda found: found and found[0]["annotations"]["current"] == "450")
    assert alert["labels"]["current"] == "400", "the alert is the same while it fires"
    assert alert["annotations"]["summary"] == "app 1400000001 has 450 of 500 rooms (90 %)"


def test_apps_thresholds_tests_and_maxima_are_alerts_of_their_own(make_alertmanager, make_app_backend):
    alertmanager = make_alertmanager()
    receive = make_app_backend("--receive-alertmanager-url", alertmanager.url, sdkappids="1400000001,7")
    now = int(time.time() * 1000)
    send(receive, None, EventTime=now, headers={"Highwater-Threshold": "70"})
    send(receive, None, EventTime=now, headers={"Highwater-Threshold": "90", "webhook-id": "a"})
    send(receive, None, EventTime=now, headers={"Highwater-Threshold": "70", "webhook-id": "b", "Highwater-Test": "1"})
    send(receive, None, EventTime=now, url={"SdkAppid": "7"})
    found = alertmanager.wait_active(lambda found: len(found) == 4)
    labels = [(one["labels"]["app"], one["labels"]["threshold"], one["labels"].get("test", "")) for one in found]
    assert sorted(labels) == sorted([(APP, "70", ""), (APP, "90", ""), (APP, "70", "true"), ("7", "70", "")])
    send(receive, None, EventTime=now + 1, MaxRoomCount=1000, CurRoomCount=800, headers={"Highwater-Threshold": "70"})
    found = alertmanager.wait_active(lambda found: any(one["labels"]["maximum"] == "1000" for one in found))
    of_app = [one["labels"] for one in found if one["labels"]["app"] == APP and one["labels"]["threshold"] == "70"
              and "test" not in one["labels"]]  # fmt: skip
    assert [labels["maximum"] for labels in of_app] == ["1000"], "the one with the old maximum has ended"


def test_alert_resolves_when_it_was_quiet_for_long_enough(make_alertmanager, make_app_backend):
    alertmanager = make_alertmanager()
    receive = make_app_backend("--receive-alertmanager-url", alertmanager.url, "--receive-alertmanager-quiet", "3s", token=TOKEN)
    send(receive, EventTime=int(time.time() * 1000))
    alertmanager.wait_active(lambda found: len(found) == 1)
    began = time.monotonic()
    alertmanager.wait_active(lambda found: not found)
    assert 1.5 < time.monotonic() - began < 10


def test_alert_resolves_when_an_operator_says_so(make_alertmanager, make_app_backend):
    alertmanager = make_alertmanager()
    receive = make_app_backend("--receive-alertmanager-url", alertmanager.url, token=TOKEN)
    now = int(time.time() * 1000)
    send(receive, EventTime=now, headers={"Highwater-Threshold": "70"})
    send(receive, EventTime=now, CurRoomCount=450, headers={"Highwater-Threshold": "90"})
    alertmanager.wait_active(lambda found: len(found) == 2)
    ended = conftest.run("record", "resolve", "--record", str(receive.record), "--app", APP, "--threshold", "90")
    assert ended.returncode == 0, ended.stderr
    (left,) = alertmanager.wait_active(lambda found: len(found) == 1)
    assert left["labels"]["threshold"] == "70"
    assert conftest.run("record", "resolve", "--record", str(receive.record), "--app", APP).returncode == 0
    alertmanager.wait_active(lambda found: not found)
    send(receive, EventTime=now + 5, CurRoomCount=460, headers={"Highwater-Threshold": "90"})
    alertmanager.wait_active(lambda found: len(found) == 1)


def test_alertmanager_that_was_dead_hears_the_newest(make_alertmanager, make_app_backend):
    """Also what is older than the quiet time: it was never heard."""
    alertmanager = make_alertmanager()
    alertmanager.stop()
    receive = make_app_backend("--receive-alertmanager-url", alertmanager.url, "--receive-alertmanager-quiet", "2s", *QUICK,
                               token=TOKEN)  # fmt: skip
    for count in range(400, 450):
        send(receive, EventTime=int(time.time() * 1000), CurRoomCount=count)
    wire.wait(lambda: "sink_fails sink=alertmanager" in receive.log(), what="a failure")
    receive.kill()
    receive.start()
    time.sleep(2.1)
    alertmanager.start()
    (alert,) = alertmanager.wait_active(lambda found: len(found) == 1)
    assert alert["annotations"]["current"] == "449"
    wire.wait(lambda: "sink_recovered sink=alertmanager" in receive.log(), what="the recovery in the log")


def test_alertmanager_that_has_forgotten_is_told_again(make_alertmanager, make_app_backend, tmp_path):
    """It keeps alerts in memory only. Ours are said again every minute, and when `receive` starts."""
    alertmanager = make_alertmanager()
    receive = make_app_backend("--receive-alertmanager-url", alertmanager.url, token=TOKEN)
    send(receive, EventTime=int(time.time() * 1000))
    alertmanager.wait_active(lambda found: len(found) == 1)
    receive.stop()
    alertmanager.stop()
    alertmanager.start()
    assert alertmanager.active() == []
    receive.start()
    alertmanager.wait_active(lambda found: len(found) == 1)


def test_silence_fires_and_ends(make_alertmanager, make_app_backend):
    alertmanager = make_alertmanager()
    receive = make_app_backend("--receive-alertmanager-url", alertmanager.url, "--receive-silence", "2s", token=TOKEN)
    (alert,) = alertmanager.wait_active(lambda found: len(found) == 1, "LiveCallbacksSilent")
    assert alert["labels"] == {"alertname": "LiveCallbacksSilent", "app": APP}
    send(receive, EventTime=int(time.time() * 1000))
    alertmanager.wait_active(lambda found: not found, "LiveCallbacksSilent")
    assert "app_silent app=1400000001" in receive.log() and "app_resumed app=1400000001" in receive.log()
    assert [row["command"] for row in receive.rows()][:1] == ["Highwater.CallbacksSilent"]


# ---- mail ----


def test_mail_tells_of_the_alert(make_mail_server, make_app_backend, certificates, tmp_path):
    server = make_mail_server(certificate=(certificates / "leaf.pem", certificates / "leaf.key"), users={b"ops": b"secret word"})
    (tmp_path / "password").write_text("secret word\n")
    (tmp_path / "password").chmod(0o600)
    receive = make_app_backend(
        "--receive-mail-url", f"smtp://127.0.0.1:{server.port}", "--receive-mail-from", "highwater@example.com",
        "--receive-mail-to", "ops@example.com, boss@example.com", "--receive-mail-user", "ops",
        "--receive-mail-password-file", str(tmp_path / "password"), "--receive-sink-ca-file", str(certificates / "ca.pem"),
        token=TOKEN,
    )  # fmt: skip
    receive.secrets.add("secret word")
    send(receive, headers={"Highwater-Threshold": "70"})
    (message,) = server.wait_for(1)
    assert server.envelopes == [("highwater@example.com", ["ops@example.com", "boss@example.com"], True, True)]
    assert message["Subject"] == "[Highwater] app 1400000001 has 400 of 500 rooms"
    assert message["From"] == "Highwater <highwater@example.com>" and message["To"] == "ops@example.com, boss@example.com"
    assert abs(message["Date"].datetime.timestamp() - time.time()) < 60 and message["Message-ID"].endswith("@example.com>")
    text = message.get_content()
    assert "400 of 500 rooms (80 %), at or above the threshold of 70 %, at 2025-02-19T12:00:41.121Z" in text


def test_mails_are_one_per_interval_with_the_newest(make_mail_server, make_app_backend):
    server = make_mail_server()
    receive = make_app_backend(
        "--receive-mail-url", f"smtp://127.0.0.1:{server.port}", "--receive-mail-tls", "off",
        "--receive-mail-from", "a@example.com", "--receive-mail-to", "b@example.com", "--receive-mail-interval", "2s",
        token=TOKEN,
    )  # fmt: skip
    send(receive)
    server.wait_for(1)
    for count in range(401, 421):
        send(receive, CurRoomCount=count, EventTime=SAMPLE["EventTime"] + count)
    messages = server.wait_for(2)
    assert len(messages) == 2
    assert "420 of 500 rooms" in messages[1]["Subject"]
    assert "20 alerts since" in messages[1].get_content()


def test_mail_server_that_fails_gets_everything_later(make_mail_server, make_app_backend):
    server = make_mail_server()
    server.refuse = "451 4.3.0 not now"
    receive = make_app_backend(
        "--receive-mail-url", f"smtp://127.0.0.1:{server.port}", "--receive-mail-tls", "off",
        "--receive-mail-from", "a@example.com", "--receive-mail-to", "b@example.com", *QUICK, token=TOKEN,
    )  # fmt: skip
    send(receive)
    wire.wait(lambda: "sink_fails sink=mail" in receive.log(), what="a failure")
    assert "451" in receive.log()
    receive.kill()
    server.refuse = None
    receive.start()
    assert "400 of 500 rooms" in server.wait_for(1)[0]["Subject"]


@pytest.mark.parametrize("trouble", ["no tls", "other authority", "wrong password"])
def test_mail_is_not_sent_where_it_would_not_be_safe(make_mail_server, make_app_backend, certificates, tmp_path, trouble):
    certificate = None if trouble == "no tls" else (certificates / "leaf.pem", certificates / "leaf.key")
    server = make_mail_server(certificate=certificate, users={b"ops": b"right"} if trouble == "wrong password" else None)
    (tmp_path / "password").write_text("a wrong one")
    (tmp_path / "password").chmod(0o600)
    ca = "other.pem" if trouble == "other authority" else "ca.pem"
    receive = make_app_backend(
        "--receive-mail-url", f"smtp://127.0.0.1:{server.port}", "--receive-mail-from", "a@example.com",
        "--receive-mail-to", "b@example.com", "--receive-mail-user", "ops", "--receive-mail-password-file",
        str(tmp_path / "password"), "--receive-sink-ca-file", str(certificates / ca), *QUICK, token=TOKEN,
    )  # fmt: skip
    receive.secrets.add("a wrong one")
    send(receive)
    wire.wait(lambda: "sink_fails sink=mail" in receive.log(), what="a failure")
    words = {"no tls": "does not offer TLS", "other authority": "certificate", "wrong password": "refused user and password"}
    assert words[trouble] in receive.log()
    assert server.messages == []


# ---- programs ----


@pytest.mark.smoke
def test_program_gets_each_event_once_and_in_order(make_app_backend, program):
    path, folder = program
    receive = make_app_backend("--receive-command", str(path), token=TOKEN)
    for number in range(20):
        send(receive, CurRoomCount=400 + number)
        send(receive, CurRoomCount=400 + number)  # comes again: not new
    wire.wait(lambda: len(records(folder)) == 20, what="20 packets")
    assert [one["CurRoomCount"] for one in records(folder)] == list(range(400, 420))
    assert all(path.read_text() == "x\n" for path in folder.glob("*.times"))


def test_program_has_the_facts_in_its_environment_and_nothing_else(make_app_backend, tmp_path):
    path = write_program(tmp_path / "program", f"env > {tmp_path}/new\nls -l /proc/self/fd >> {tmp_path}/new\n"
                         f"grep Sig /proc/self/status >> {tmp_path}/new\nmv {tmp_path}/new {tmp_path}/seen\n")  # fmt: skip
    receive = make_app_backend("--receive-command", str(path), token=TOKEN, start=False)
    receive.environment["HIGHWATER_RECEIVE_TOKEN"] = TOKEN
    receive.start()
    send(receive, headers={"webhook-id": "evt_1", "Highwater-Threshold": "70", "Highwater-Sequence": "9"})
    wire.wait((tmp_path / "seen").exists, what="the program")
    seen = (tmp_path / "seen").read_text()
    for line in ("HIGHWATER_KIND=Callback", f"HIGHWATER_COMMAND={wire.ALERT}", "HIGHWATER_ID=1", f"HIGHWATER_SDKAPPID={APP}",
                 "HIGHWATER_WEBHOOK_ID=evt_1", "HIGHWATER_THRESHOLD=70", "HIGHWATER_SEQUENCE=9", "HIGHWATER_TEST=0"):  # fmt: skip
        assert line in seen.splitlines(), seen
    assert TOKEN not in seen and "callbacks.db" not in seen and "socket:" not in seen, seen
    masks = {line.split()[0]: int(line.split()[1], 16) for line in seen.splitlines() if line.startswith("Sig") and "/" not in line}
    threads = 3 << 31  # the C library's own, which it ignores for every child
    assert masks["SigBlk:"] == 0 and masks["SigIgn:"] & ~threads == 0, seen


def test_program_has_the_whole_path(make_app_backend, tmp_path):
    """A variable of more than 1 KiB was left out: then the program found nothing."""
    path = write_program(tmp_path / "program", f'printf %s "$PATH" > {tmp_path}/new\n/bin/mv {tmp_path}/new {tmp_path}/seen\n')
    receive = make_app_backend("--receive-command", str(path), token=TOKEN, start=False)
    receive.environment["PATH"] = os.environ["PATH"] + ":/nonexistent/folder" * 200
    receive.start()
    send(receive)
    wire.wait((tmp_path / "seen").exists, what="the program")
    assert (tmp_path / "seen").read_text() == receive.environment["PATH"]


def test_program_that_fails_is_run_again_and_nothing_is_left_out(make_app_backend, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    path = write_program(tmp_path / "program", f'test -e {tmp_path}/good || {{ echo "no \x1b[31mdatabase" >&2; exit 3; }}\n'
                         f"cat > {kept}/$HIGHWATER_ID.part && mv {kept}/$HIGHWATER_ID.part {kept}/$HIGHWATER_ID.json\n")  # fmt: skip
    receive = make_app_backend("--receive-command", str(path), *QUICK, token=TOKEN)
    for number in range(5):
        send(receive, CurRoomCount=400 + number)
    wire.wait(lambda: "sink_fails" in receive.log(), what="a failure")
    assert "ended with exit code 3: no  [31mdatabase" in receive.log()
    receive.kill()
    receive.start()
    (tmp_path / "good").touch()
    wire.wait(lambda: len(records(kept)) == 5, what="5 packets")
    assert [one["CurRoomCount"] for one in records(kept)] == list(range(400, 405))


def test_program_that_hangs_is_killed_with_its_children(make_app_backend, tmp_path):
    path = write_program(tmp_path / "program", f"sleep 1000 &\necho $! > {tmp_path}/child\nwait\n")
    receive = make_app_backend("--receive-command", str(path), "--receive-command-timeout", "300ms", *QUICK, token=TOKEN)
    send(receive)
    wire.wait(lambda: "did not end within 300 ms" in receive.log(), what="the end of it")
    child = int((tmp_path / "child").read_text())
    wire.wait(lambda: not os.path.exists(f"/proc/{child}") or "zombie" in open(f"/proc/{child}/status").read(), what="its child's end")
    assert receive.stop() == 0


def test_program_need_not_read(make_app_backend, tmp_path):
    path = write_program(tmp_path / "program", f"echo >> {tmp_path}/ran\n")
    receive = make_app_backend("--receive-command", str(path), token=TOKEN)
    send(receive, Padding="x" * 100000)
    send(receive, Padding="y" * 100000)
    wire.wait(lambda: (tmp_path / "ran").exists() and (tmp_path / "ran").read_text() == "\n\n", what="two runs")


# ---- HTTP ----


def test_post_gets_the_record_signed(make_receiver, make_app_backend, tmp_path, certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "leaf.pem", certificates / "leaf.key")
    receiver = make_receiver(tls=context)
    secret = wire.webhook_key("whsec", b"k" * 32)
    for name, text in (("key", secret), ("bearer", "a bearer token")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    receive = make_app_backend(
        "--receive-post-url", receiver.url + "/in?x=1", "--receive-post-secret-file", str(tmp_path / "key"),
        "--receive-post-token-file", str(tmp_path / "bearer"), "--receive-sink-ca-file", str(certificates / "ca.pem"), token=TOKEN,
    )  # fmt: skip
    receive.secrets |= {secret, "a bearer token"}
    send(receive, headers={"webhook-id": "evt_1", "Highwater-Sequence": "3"})
    send(receive, CurRoomCount=401)
    first, second = receiver.wait_for(2)
    assert first["path"] == "/in?x=1" and first["headers"]["authorization"] == "Bearer a bearer token"
    assert first["headers"]["webhook-id"] == "evt_1" and second["headers"]["webhook-id"] == "row_2"
    assert [one["body"] for one in (first, second)] == receive.printed()
    for one in (first, second):
        headers = one["headers"]
        expected = wire.webhook_signature(secret, headers["webhook-id"], int(headers["webhook-timestamp"]), one["raw"])
        assert headers["webhook-signature"] == expected


def test_post_is_sent_again_until_it_is_taken(make_receiver, make_app_backend):
    answers = [(500, {}, b"out of order"), (404, {}, b""), None, (302, {"Location": "/"}, b"")]
    receiver = make_receiver(lambda number, request: answers[number - 1] if number <= len(answers) else (204, {}, b""))
    receive = make_app_backend("--receive-post-url", receiver.url, *QUICK, token=TOKEN)
    for number in range(3):
        send(receive, CurRoomCount=400 + number)
    requests = receiver.wait_for(7)
    assert [one["body"]["Body"]["CurRoomCount"] for one in requests] == [400] * 5 + [401, 402]
    assert 'HTTP status 500: out of order' in receive.log()


def test_large_page_with_a_right_status_is_taken(make_receiver, make_app_backend):
    """It was posted again for ever."""
    receiver = make_receiver(lambda number, request: (200, {}, b"<html>" + b"x" * 100000))
    receive = make_app_backend("--receive-post-url", receiver.url, *QUICK, token=TOKEN)
    for number in range(3):
        send(receive, CurRoomCount=400 + number)
    assert [one["body"]["Body"]["CurRoomCount"] for one in receiver.wait_for(3)] == [400, 401, 402]
    wire.wait(lambda: receive.metric("highwater_receive_sink_events_total", sink="post") == 3, what="all to be taken")
    assert len(receiver.requests) == 3 and receive.metric("highwater_receive_sink_failures_total", sink="post") == 0


def test_only_alerts_when_that_is_asked_for(make_receiver, make_app_backend, program):
    path, folder = program
    receiver = make_receiver()
    receive = make_app_backend("--receive-post-url", receiver.url, "--receive-post-events", "alerts", "--receive-command", str(path),
                               token=TOKEN)  # fmt: skip
    with contextlib.closing(Sender(receive.port, TOKEN)) as sender:
        for command in ("Live.CallbackAfterCreateRoom", wire.ALERT, "Live.CallbackAfterDestroyRoom"):
            sender.send({**SAMPLE, "CallbackCommand": command}, CallbackCommand=command).ok()
    wire.wait(lambda: len(records(folder)) == 3, what="3 packets")
    (request,) = receiver.wait_for(1)
    assert request["body"]["CallbackCommand"] == wire.ALERT


# ---- what holds for all ----


def test_dead_sinks_delay_neither_answers_nor_each_other(make_receiver, make_app_backend, program):
    """The receiver of POSTs hangs, the Alertmanager refuses connections, mail goes nowhere; the program gets all."""
    path, folder = program
    hanging = socket.socket()
    hanging.bind(("127.0.0.1", 0))
    hanging.listen(1)
    dead = f"http://127.0.0.1:{sinkpeers.free_port()}"
    plain = make_app_backend(folder="plain", token=TOKEN)
    receive = make_app_backend(
        "--receive-post-url", f"http://127.0.0.1:{hanging.getsockname()[1]}/", "--receive-alertmanager-url", dead,
        "--receive-mail-url", dead.replace("http", "smtp"), "--receive-mail-from", "a@example.com", "--receive-mail-to", "b@example.com",
        "--receive-command", str(path), token=TOKEN,
    )  # fmt: skip

    def times(one):
        found = []
        with contextlib.closing(Sender(one.port, TOKEN)) as sender:
            for number in range(200):
                began = time.perf_counter()
                sender.send({**SAMPLE, "CurRoomCount": number}).ok()
                found.append(time.perf_counter() - began)
        return statistics.median(found)

    ratio = times(receive) / times(plain)
    assert ratio < 3, f"answers take {ratio} times as long beside dead sinks"
    wire.wait(lambda: len(records(folder)) == 200, what="200 packets", seconds=60)
    assert receive.stop() == 0, "and it ends although they hang"
    hanging.close()


def test_kills_leave_nothing_out(make_receiver, make_app_backend, program):
    path, folder = program
    receiver = make_receiver()
    receive = make_app_backend("--receive-post-url", receiver.url, "--receive-command", str(path), token=TOKEN)
    for number in range(60):
        send(receive, CurRoomCount=number)
        if number % 10 == 9:
            receive.kill()
            receive.start()
    wire.wait(lambda: len(records(folder)) == 60, what="60 packets", seconds=60)
    receiver.wait_until(lambda requests: {one["body"]["Body"]["CurRoomCount"] for one in requests} == set(range(60)), 60)
    order = [one["body"]["Id"] for one in receiver.requests]
    first = [number for index, number in enumerate(order) if number not in order[:index]]
    assert first == sorted(first), "the first time in order"


def test_sink_that_is_new_begins_with_what_comes(make_receiver, make_app_backend):
    receiver = make_receiver()
    receive = make_app_backend(token=TOKEN)
    send(receive)
    receive.stop()
    receive.arguments += ["--receive-post-url", receiver.url]
    receive.start()
    receive.kill()
    receive.start()
    send(receive, CurRoomCount=401)
    assert [one["body"]["Id"] for one in receiver.wait_for(1)] == [2]


def test_what_a_sink_has_not_is_kept_longer(make_receiver, make_app_backend):
    """Rows that are old go, but not those that a sink has not taken."""
    receiver = make_receiver()
    receiver.down()
    receive = make_app_backend("--receive-post-url", receiver.url, *QUICK, token=TOKEN)
    send(receive)
    send(receive, CurRoomCount=401)
    receive.stop()
    with contextlib.closing(sqlite3.connect(receive.record)) as db, db:
        db.execute("UPDATE callbacks SET receive_ms = receive_ms - 7200000")
    receive.arguments += ["--receive-keep", "1h"]
    receive.start()
    time.sleep(1.5)
    assert len(receive.rows()) == 2
    receiver.up()
    assert [one["body"]["Id"] for one in receiver.wait_for(2)] == [1, 2]
    wire.wait(lambda: receive.rows() == [], what="the old rows to go")
    send(receive)
    wire.wait(lambda: [row["id"] for row in receive.rows()] == [3], what="a number that was not given before")


BAD_SETTINGS = [
    (["--receive-alertmanager-url", "127.0.0.1:9093"], "receive.alertmanager_url: "),
    (["--receive-alertmanager-url", "http://a/?x"], "receive.alertmanager_url: "),
    (["--receive-command", "program"], 'receive.command: "program" is no absolute path'),
    (["--receive-command", "/nonexistent"], "receive.command: /nonexistent cannot be run: No such file"),
    (["--receive-command", "/bin/true", "--receive-command-events", "some"], 'receive.command_events: "some" is none of all and alerts'),
    (["--receive-post-url", "ftp://a/"], "receive.post_url: "),
    (["--receive-post-secret-file", "/dev/null"], "receive.post_secret_file needs receive.post_url"),
    (["--receive-post-url", "http://a/", "--receive-post-secret-file", "/nonexistent"], "receive.post_secret_file: "),
    (["--receive-mail-url", "http://a"], "receive.mail_url needs receive.mail_from"),
    (["--receive-mail-url", "smtp://a", "--receive-mail-from", "a", "--receive-mail-to", "b@c"], "receive.mail_from: "),
    (["--receive-mail-url", "smtp://a", "--receive-mail-from", "a@b", "--receive-mail-to", "b@c,,"], "receive.mail_to: "),
    (["--receive-mail-url", "smtp://u:p@a", "--receive-mail-from", "a@b", "--receive-mail-to", "b@c"], "receive.mail_url: "),
    (["--receive-mail-url", "smtps://a", "--receive-mail-tls", "off", "--receive-mail-from", "a@b", "--receive-mail-to", "b@c"],
     "receive.mail_tls: is off, but"),  # fmt: skip
    (["--receive-mail-user", "u"], "receive.mail_user needs receive.mail_password_file"),
    (["--receive-command", "/tmp"], "receive.command: /tmp is no file"),
    (["--receive-sink-ca-file", "/nonexistent"], "receive.sink_ca_file: "),
    (["--receive-sink-ca-file", "/tmp"], "receive.sink_ca_file: reading /tmp: Is a directory"),
]


@pytest.mark.parametrize("arguments, words", BAD_SETTINGS, ids=[" ".join(row[0])[:60] for row in BAD_SETTINGS])
def test_bad_settings_of_sinks_stop_the_start(arguments, words):
    ended = conftest.run("receive", "--receive-sdkappids", "1", "--check", *arguments)
    assert ended.returncode in (2, 3), ended.stderr
    assert words in ended.stderr and "highwater receive: receive." in ended.stderr, ended.stderr


POST = ["--receive-post-url", "http://a/"]
MAIL = ["--receive-mail-url", "smtp://a", "--receive-mail-from", "a@b", "--receive-mail-to", "b@c", "--receive-mail-user", "u"]


@pytest.mark.parametrize("name, others", [("post-token-file", POST), ("post-secret-file", POST), ("mail-password-file", MAIL)])
def test_secret_that_others_may_read_is_refused(tmp_path, name, others):
    secret = tmp_path / "secret"
    secret.write_text(wire.webhook_key("whsec", b"k" * 32))
    for mode, exit in ((0o640, 3), (0o600, 0)):
        secret.chmod(mode)
        ended = conftest.run("receive", "--receive-sdkappids", "1", "--check", *others, f"--receive-{name}", str(secret))
        assert ended.returncode == exit, ended.stderr
        assert exit == 0 or "others than its owner may open it (mode 0640)" in ended.stderr
