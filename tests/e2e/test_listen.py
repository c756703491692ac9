"""`highwater listen`: shows callbacks as they come, keeps them, passes them on, sends them again; with the real backend, whose
replays reach it."""

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import time

import pytest

import conftest
import wire
from receivers import CREATED
from test_receive import SAMPLE, TOKEN, Sender

SECRET = wire.webhook_key("whsec", b"s" * 32)


def write(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


class Listen:
    """A `highwater listen` that runs: what it prints, and its end."""

    def __init__(self, folder, *arguments, terminal=False):
        self.folder = folder
        self.record = folder / "listen.db"
        self.out, self.err = folder / "out", folder / "err"
        for path in (self.out, self.err):
            path.unlink(missing_ok=True)
        self.terminal, end = pty.openpty() if terminal else (None, open(self.out, "ab"))
        with open(self.err, "ab") as err:
            self.child = subprocess.Popen(
                [conftest.BINARY, "listen", "--listen", "127.0.0.1:0", "--record", str(self.record), *arguments],
                stdout=end, stderr=err, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        os.close(end) if terminal else end.close()
        wire.wait(lambda: "Ctrl-C ends" in self.err.read_text() or self.child.poll() is not None, what="it to listen")
        assert self.child.poll() is None, self.err.read_text()
        self.port = int(re.findall(r"http://127\.0\.0\.1:(\d+)/", self.err.read_text())[-1])

    def lines(self):
        return self.out.read_text().splitlines()

    def wait_lines(self, count, seconds=15):
        wire.wait(lambda: len(self.lines()) >= count, what=f"{count} lines", seconds=seconds)
        return self.lines()

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGINT)
            self.child.wait(20)
        return self.child.returncode


@pytest.fixture
def listen(tmp_path):
    made = []

    def make(*arguments, folder="listen", **keywords):
        (tmp_path / folder).mkdir(exist_ok=True)
        made.append(Listen(tmp_path / folder, *arguments, **keywords))
        return made[-1]

    yield make
    for one in made:
        assert one.stop() in (0, -signal.SIGKILL), one.err.read_text()


def send(listen, token=None, **changes):
    headers = changes.pop("headers", None)
    with contextlib.closing(Sender(listen.port, token)) as sender:
        return sender.send({**SAMPLE, **changes}, headers=headers)


@pytest.mark.smoke
def test_callbacks_are_shown_as_they_come(listen):
    listening = listen()
    send(listening, headers={"Highwater-Sequence": "3", "webhook-id": "a"}).ok()
    send(listening, headers={"Highwater-Attempt": "2", "Highwater-Replay": "1", "webhook-id": "a"}).ok()
    send(listening, headers={"Highwater-Test": "1"}).ok()
    with contextlib.closing(Sender(listening.port)) as sender:
        sender.send(b"{").refused(60003)
    texts = [re.sub(r"^\d\d:\d\d:\d\d +", "", line) for line in listening.wait_lines(4)]
    assert texts[3].startswith("refused with status 400: request body: ")
    assert texts[:3] == [
        "1  app 1400000001  alert, 400 of 500 rooms  #3  (not verified)",
        "1  app 1400000001  alert, 400 of 500 rooms  attempt 2  replay 1  known, came 2 times  (not verified)",
        "2  app 1400000001  test alert, 400 of 500 rooms  (not verified)",
    ]
    assert listening.stop() == 0
    assert "3 callbacks taken, 1 of them known before, 1 refused" in listening.err.read_text()
    assert "believing everybody" in listening.err.read_text()


def test_credentials_are_checked(listen, tmp_path):
    listening = listen("--token-file", write(tmp_path / "token", TOKEN), "--secret-file", write(tmp_path / "secret", SECRET), "--app", "7")
    url = f"http://127.0.0.1:{listening.port}/"
    files = "--token-file", str(tmp_path / "token"), "--secret-file", str(tmp_path / "secret")
    assert conftest.run("trigger", url, *files, "--app", "7").returncode == 0
    assert conftest.run("trigger", url, *files, "--app", "7", "--fault", "changed-body").returncode == 0
    assert conftest.run("trigger", url, *files, "--app", "8").returncode == 1
    lines = listening.wait_lines(3)
    assert "verified by Sign and signature" in lines[0] and "no signature" in lines[1] and "SdkAppid 8 is not served here" in lines[2]
    assert "checking Sign and signatures" in listening.err.read_text() and TOKEN not in listening.err.read_text()


def test_json_for_machines(listen, make_receiver):
    receiver = make_receiver()
    listening = listen("--json", "--forward", receiver.url)
    send(listening, headers={"webhook-id": "a"}).ok()
    send(listening, headers={"webhook-id": "a"}).ok()
    send(listening, token="x").ok()
    with contextlib.closing(Sender(listening.port)) as sender:
        sender.send(SdkAppid="x").refused(60025)
    found = [json.loads(line) for line in listening.wait_lines(7)]
    taken = [one for one in found if one["Event"] == "callback"]
    assert [(one["New"], one["Record"]["Id"], one["Record"]["Times"]) for one in taken] == [(True, 1, 1), (False, 1, 2), (True, 2, 1)]
    assert taken[0]["Record"]["Body"] == SAMPLE
    (refused,) = [one for one in found if one["Event"] == "refused"]
    assert (refused["Status"], refused["Result"]) == (400, "query")
    assert sorted((one["Id"], one["Status"], one["Error"]) for one in found if one["Event"] == "forwarded") == [
        (1, 200, ""), (1, 200, ""), (2, 200, "")]  # fmt: skip


def test_forward_is_byte_for_byte(listen, make_receiver, tmp_path):
    """So the server that is being developed can verify it itself."""
    receiver = make_receiver()
    listening = listen("--forward", receiver.url + "/local")
    files = "--token-file", write(tmp_path / "token", TOKEN), "--secret-file", write(tmp_path / "secret", SECRET)
    ended = conftest.run("trigger", f"http://127.0.0.1:{listening.port}/cb", *files, "--fault", "unknown-fields", "--event-id", "a", "--json")
    (sent,) = json.loads(ended.stdout)["ExchangeList"]
    (request,) = receiver.wait_for(1)
    path, query = request["path"].split("?", 1)
    sign = wire.sign(TOKEN, request["params"]["RequestTime"])  # trigger shows the beginning only, as of signatures
    assert path == "/local" and query.replace(sign, sign[:8] + "...") == sent["Url"].split("?", 1)[1]
    assert request["raw"].decode() == sent["Body"]
    headers = dict(line.split(": ", 1) for line in sent["HeaderList"])
    for name in ("webhook-id", "webhook-timestamp", "Highwater-Attempt", "Highwater-Threshold", "Content-Type"):
        assert request["headers"][name.lower()] == headers[name]
    assert wire.webhook_signature(SECRET, "a", headers["webhook-timestamp"], request["raw"]) == request["headers"]["webhook-signature"]


def test_forward_of_a_late_retry_says_no_replay(listen, make_receiver):
    """What an earlier request of the event said is not put into a later one."""
    receiver = make_receiver()
    listening = listen("--forward", receiver.url)
    for replay in ({}, {"Highwater-Replay": "2"}, {}, {"Highwater-Replay": "1"}):
        send(listening, headers={"webhook-id": "a", **replay}).ok()
    assert [one["headers"].get("highwater-replay") for one in receiver.wait_for(4)] == [None, "2", None, "1"]
    assert [re.findall(r"replay \d", line) for line in listening.wait_lines(8) if "app 1400000001" in line] == [[], ["replay 2"], [], ["replay 1"]]


def test_forward_that_fails_is_shown_and_can_be_sent_again(listen, make_receiver, tmp_path):
    answers = {1: (500, {}, b"broken"), 2: b"no HTTP at all\r\n\r\n"}
    receiver = make_receiver(lambda number, request: answers.get(number, (200, {}, wire.OK_REPLY)))
    listening = listen("--forward", receiver.url)
    for number in range(3):
        send(listening, CurRoomCount=number, headers={"webhook-id": f"e{number}", "Highwater-Sequence": str(number + 1)}).ok()
    text = "\n".join(listening.wait_lines(6))
    assert "-> 500 in " in text and "-> broken: " in text and "-> 200 in " in text
    assert listening.stop() == 0
    token, secret = write(tmp_path / "token", TOKEN), write(tmp_path / "secret", SECRET)
    again = ["listen", "--record", str(listening.record), "--forward", receiver.url, "--token-file", token, "--secret-file", secret]
    ended = conftest.run(*again, "--resend", "all")
    assert ended.returncode == 0 and ended.stdout.endswith("3 of 3 delivered\n"), ended
    first, last = receiver.requests[0], receiver.requests[3]
    assert first["body"] == last["body"] and last["headers"]["webhook-id"] == "e0" and last["headers"]["highwater-replay"] == "1"
    assert last["params"]["Sign"] == wire.sign(TOKEN, last["params"]["RequestTime"])
    stamp = last["headers"]["webhook-timestamp"]
    assert last["headers"]["webhook-signature"] == wire.webhook_signature(SECRET, "e0", stamp, last["raw"])
    assert conftest.run(*again, "--resend", "e1").returncode == 0
    assert receiver.requests[-1]["body"]["CurRoomCount"] == 1
    assert conftest.run(*again, "--resend", "3").returncode == 0
    assert conftest.run(*again, "--resend", "all", "--since", str(int(time.time() * 1000) + 60000)).stdout == "0 of 0 delivered\n"
    missing = conftest.run(*again, "--resend", "nothing")
    assert missing.returncode == 1 and "there is no callback nothing in " in missing.stderr
    ended = conftest.run(*again, "--resend", "all", "--json")
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [line["Event"] for line in lines] == ["resent", "resent", "resent", "end"] and lines[3] == {"Event": "end", "Delivered": 3, "Sent": 3}
    assert [(line["Id"], line["Status"], line["Delivered"], line["Reason"]) for line in lines[:3]] == [(id, 200, True, "") for id in (1, 2, 3)]
    receiver.down()
    failing = conftest.run(*again, "--resend", "1")
    assert failing.returncode == 1 and "0 of 1 delivered" in failing.stdout


def test_resending_keeps_a_command_whatever_it_is(listen, receiver):
    listening = listen()
    odd = "Live.A&SdkAppid=7#\u00e9"
    with contextlib.closing(Sender(listening.port)) as sender:
        sender.send({"CallbackCommand": odd}, CallbackCommand=odd).ok()
    listening.stop()
    ended = conftest.run("listen", "--record", str(listening.record), "--forward", receiver.url, "--resend", "all")
    assert ended.returncode == 0, ended
    (request,) = receiver.requests
    assert request["params"]["CallbackCommand"] == odd and request["params"]["SdkAppid"] == "1400000001"


def test_receiver_that_hangs_delays_no_answer(listen):
    with socket.socket() as hanging:
        hanging.bind(("127.0.0.1", 0))
        hanging.listen(1)
        listening = listen("--forward", f"http://127.0.0.1:{hanging.getsockname()[1]}/")
        began = time.monotonic()
        for number in range(50):
            send(listening, CurRoomCount=number).ok()
        assert time.monotonic() - began < 5
        assert listening.stop() == 0, "and it ends"
        assert "50 of them not passed on any more: --resend does it" in listening.err.read_text()


def test_history_survives_kill_9(listen):
    listening = listen()
    for number in range(20):
        send(listening, CurRoomCount=number).ok()
    listening.child.kill()
    listening.child.wait(10)
    ended = conftest.run("record", "export", "--record", str(listening.record))
    assert [json.loads(line)["Body"]["CurRoomCount"] for line in ended.stdout.splitlines()] == list(range(20))
    again = listen()
    send(again, CurRoomCount=0).ok()
    wire.wait(lambda: "known, came 2 times" in again.out.read_text(), what="it to be known")


def test_terminal_gets_colour_and_no_control_characters(listen):
    listening = listen(terminal=True)
    body = {"CallbackCommand": "Live.CallbackAfterCreateRoom", "RoomInfo": {"RoomId": "a\x1b]0;title\x07\x9b31mb"}}
    with contextlib.closing(Sender(listening.port)) as sender:
        sender.send(body, CallbackCommand=body["CallbackCommand"]).ok()
        sender.send(b"").refused(60003)
    text = ""
    while "refused" not in text:
        text += os.read(listening.terminal, 4096).decode()
    assert "\x1b[31mrefused" in text and "CreateRoom a?]0;title??31mb" in text
    assert re.sub(r"\x1b\[(0|1|31)m|\r\n", "", text).isprintable(), text


def test_terminal_that_does_not_read_delays_no_answer(tmp_path):
    """What it does not take is left out and counted; the history has it."""
    record = tmp_path / "listen.db"
    with open(tmp_path / "err", "ab") as err:
        child = subprocess.Popen([conftest.BINARY, "listen", "--listen", "127.0.0.1:0", "--record", str(record), "--json"],
                                 stdout=subprocess.PIPE, stderr=err, stdin=subprocess.DEVNULL)  # fmt: skip
    wire.wait(lambda: "Ctrl-C ends" in (tmp_path / "err").read_text(), what="it to listen")
    port = int(re.findall(r":(\d+)/", (tmp_path / "err").read_text())[0])
    with contextlib.closing(Sender(port)) as sender:
        for number in range(3000):
            sender.send({**SAMPLE, "CurRoomCount": number}).ok()
    child.send_signal(signal.SIGINT)
    out = child.communicate(timeout=30)[0].decode().splitlines()
    assert child.returncode == 0
    left_out = [json.loads(line)["Count"] for line in out if "not_shown" in line]
    assert sum(left_out) + sum('"callback"' in line for line in out) == 3000 and sum(left_out) > 0
    assert len(conftest.run("record", "export", "--record", str(record)).stdout.splitlines()) == 3000


@pytest.mark.smoke
def test_replays_of_the_backend_reach_it(listen, make_backend):
    listening = listen()
    backend = make_backend()
    app = backend.app(callback=f"http://127.0.0.1:{listening.port}/", commands=[CREATED])
    app.create("room-7").ok()
    listening.wait_lines(1)
    environment = {"HIGHWATER_SERVER": f"http://127.0.0.1:{backend.port}", "HIGHWATER_ADMIN_TOKEN_FILE": str(backend.data / "admin-token")}
    backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")
    ended = conftest.run("replay", "--app", "1400000001", "--since", "1h", "--state", "delivered", env=environment)
    assert (ended.returncode, ended.stdout) == (0, "replayed 1 callback\n"), ended.stderr
    line = listening.wait_lines(2)[1]
    assert "CreateRoom room-7  #1  attempt 2  replay 1  known, came 2 times" in line


def start(folder, *arguments, stdout):
    """One whose standard output is the test's own. Returns the child and its port."""
    err = folder / "err"
    with open(err, "ab") as end:
        child = subprocess.Popen([conftest.BINARY, "listen", "--listen", "127.0.0.1:0", "--record", str(folder / "listen.db"), *arguments],
                                 stdout=stdout, stderr=end, stdin=subprocess.DEVNULL)  # fmt: skip
    wire.wait(lambda: "Ctrl-C ends" in err.read_text(), what="it to listen")
    return child, int(re.findall(r":(\d+)/", err.read_text())[0])


def test_end_of_the_pipe_is_the_end(tmp_path):
    """`highwater listen --json | head -1` waits for one callback, and not for a second that tells it that nobody reads."""
    child, port = start(tmp_path, "--json", stdout=subprocess.PIPE)
    with contextlib.closing(Sender(port)) as sender:
        sender.send().ok()
        assert json.loads(child.stdout.readline())["Event"] == "callback"
        child.stdout.close()
        assert child.wait(10) == 0


def test_signal_and_end_of_the_pipe_at_once_is_a_clean_end(tmp_path):
    """As Ctrl-C at `highwater listen | head`: a signal to itself would be the second one, which does not wait."""
    child, port = start(tmp_path, stdout=subprocess.PIPE)
    with socket.create_connection(("127.0.0.1", port)) as held:
        held.sendall(b"POST / HTTP/1.1\r\n")  # the stop waits for it
        child.send_signal(signal.SIGINT)
        child.stdout.close()
        assert child.wait(10) == 0
    assert "0 callbacks taken" in (tmp_path / "err").read_text()


def test_reader_that_does_not_read_keeps_nobody_from_ending(tmp_path):
    child, port = start(tmp_path, "--json", stdout=subprocess.PIPE)
    with contextlib.closing(Sender(port)) as sender:
        for number in range(300):
            sender.send({**SAMPLE, "CurRoomCount": number}).ok()
    child.send_signal(signal.SIGINT)
    assert child.wait(10) == 0
    assert "the last lines were not shown: nobody reads them" in (tmp_path / "err").read_text()
    child.stdout.close()


def test_full_disk_behind_standard_output_is_told_and_keeps_no_callback_away(tmp_path):
    with open("/dev/full", "wb") as full:
        child, port = start(tmp_path, stdout=full)
    with contextlib.closing(Sender(port)) as sender:
        for number in range(3):
            sender.send({**SAMPLE, "CurRoomCount": number}).ok()
    wire.wait(lambda: "No space left on device; callbacks are still kept" in (tmp_path / "err").read_text(), what="it to tell")
    child.send_signal(signal.SIGINT)
    assert child.wait(10) == 3
    assert (tmp_path / "err").read_text().count("No space left") == 1
    assert len(conftest.run("record", "export", "--record", str(tmp_path / "listen.db")).stdout.splitlines()) == 3


BAD = [
    (["--listen", "nowhere"], 2, "listen"),
    (["--resend", "all"], 2, "--resend needs --forward: where to?"),
    (["--since", "1h"], 2, "--since needs --resend"),
    (["--forward", "ftp://a/"], 2, "--forward: the URL must begin with http:// or https://"),
    (["--token-file", "/nonexistent"], 3, "/nonexistent"),
    (["--resend", "1", "--forward", "http://127.0.0.1:9/"], 3, "it cannot be found"),
    (["extra"], 2, "extra"),
]


@pytest.mark.parametrize("arguments, status, words", BAD, ids=[" ".join(row[0]) for row in BAD])
def test_bad_usage(arguments, status, words, tmp_path):
    ended = conftest.run("listen", *arguments, "--record", str(tmp_path / "none.db"))
    assert ended.returncode == status and words in ended.stderr, ended.stderr


@pytest.mark.parametrize("listen, forward", [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "localhost"), ("0.0.0.0", "127.0.0.2"), ("[::]", "[::1]")])
def test_forward_that_leads_back_is_refused(tmp_path, listen, forward):
    """It passed a callback on to itself, thousands of times a second."""
    with socket.create_server((listen.strip("[]"), 0), family=socket.AF_INET6 if "[" in listen else socket.AF_INET) as free:
        port = free.getsockname()[1]
    ended = conftest.run("listen", "--listen", f"{listen}:{port}", "--forward", f"http://{forward}:{port}/a", "--record", str(tmp_path / "l.db"))
    assert ended.returncode == 2 and "--forward leads back to --listen" in ended.stderr, ended.stderr


def test_environment_does_not_name_its_record(tmp_path):
    """HIGHWATER_RECORD may be that of a receiver in use."""
    ended = conftest.run("listen", "--help", env={"HIGHWATER_RECORD": str(tmp_path / "callbacks.db")})
    assert "Default ./listen.db." in ended.stdout and "HIGHWATER_RECORD" not in ended.stdout
    with open(tmp_path / "err", "wb") as err:
        child = subprocess.Popen([conftest.BINARY, "listen", "--listen", "127.0.0.1:0"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=err,
                                 env={**os.environ, "HIGHWATER_RECORD": str(tmp_path / "callbacks.db")})  # fmt: skip
    wire.wait(lambda: "Ctrl-C ends" in (tmp_path / "err").read_text(), what="it to listen")
    child.terminate()
    assert child.wait(20) == 0
    assert (tmp_path / "listen.db").exists() and not (tmp_path / "callbacks.db").exists()


def test_two_on_one_record(listen):
    listening = listen()
    ended = conftest.run("listen", "--listen", "127.0.0.1:0", "--record", str(listening.record))
    assert ended.returncode == 3 and "another highwater process uses it" in ended.stderr
