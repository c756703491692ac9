"""The command line: every subcommand, its exit code, and what it says when something is wrong."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import stat
import subprocess

import pytest

import conftest
import wire
from conftest import run

DONE, REFUSED, USAGE, IO = 0, 1, 2, 3
GROUPS = {
    "app": [
        "create", "list", "show", "set", "rotate-key", "revoke-key", "rotate-secret", "revoke-secret", "set-certificate",
        "delete-certificate", "delete",
    ],
    "room": ["create", "list", "show", "destroy"],
    "callback": ["set", "show", "delete", "list", "attempts", "replay", "pause", "resume", "test"],
    "usersig": ["generate", "verify"],
}  # fmt: skip
COMMANDS = [(group, command) for group, commands in GROUPS.items() for command in commands]
SERVICES = ["serve", "receive"]
APP = "1400000001"


@pytest.fixture
def cli(backend):
    """Runs a command against the backend; the addresses come from the environment."""
    environment = {
        "HIGHWATER_SERVER": f"http://127.0.0.1:{backend.port}",
        "HIGHWATER_ADMIN_TOKEN_FILE": str(backend.data / "admin-token"),
    }

    def call(*arguments, exit=DONE, stdin=None, **changes):
        ended = run(*arguments, env={**environment, **changes}, stdin=stdin)
        assert ended.returncode == exit, (arguments, ended.stdout, ended.stderr)
        assert "eJ" not in ended.stderr and backend.token not in ended.stdout + ended.stderr
        assert ended.stderr == "" if exit == DONE else ended.stderr
        return ended

    return call


# ---- help and wrong usage ----


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help_lists_every_command_and_exit_code(words):
    ended = run(*words)
    assert ended.returncode == DONE
    for word in [*GROUPS, *SERVICES, "demo", "doctor", "version", "help", "Exit codes"]:
        assert word in ended.stdout


@pytest.mark.parametrize("group, command", COMMANDS)
def test_every_command_has_help(group, command):
    ended = run(group, command, "--help")
    assert ended.returncode == DONE
    assert ended.stdout.startswith(f"usage: highwater {group} {command}")
    assert run("help", group, command).stdout == ended.stdout


@pytest.mark.parametrize("name", [*SERVICES, "demo", "doctor", *GROUPS])
def test_every_group_has_help(name):
    ended = run(name, "--help")
    assert ended.returncode == DONE
    assert f"usage: highwater {name}" in ended.stdout
    for command in GROUPS.get(name, []):
        assert command in ended.stdout


@pytest.mark.smoke
def test_version():
    ended = run("version")
    assert ended.returncode == DONE
    assert re.fullmatch(r"highwater \d+\.\d+\.\d+\S*\n", ended.stdout)
    assert run("--version").stdout == ended.stdout


@pytest.mark.parametrize("words, named", [
    ([], "which command"),
    (["nothing"], '"nothing"'),
    (["app"], "create"),
    (["app", "nothing"], '"nothing"'),
    (["version", "x"], "no arguments"),
    (["app", "list", "--nothing"], "--nothing"),
    (["app", "list", "x"], "x"),
    (["app", "create"], "SDKAppID"),
    (["app", "create", "x"], "x"),
    (["app", "create", "0"], "1"),
    (["app", "create", "4294967296"], "4294967295"),
    (["app", "create", "5", "--max"], "--max"),
    (["app", "create", "5", "--max", "many"], "--max"),
    (["app", "create", "5", "--max", "-1"], "--max"),
    (["app", "create", "5", "--overwrite", "--no-overwrite"], "overwrite"),
    (["app", "set", "5"], "nothing"),
    (["room", "create", "r"], "--app"),
    (["room", "create", "--app", "5"], "ROOM"),
    (["room", "create", "r", "--app", "5", "--platform", "Web"], "--client"),
    (["callback", "set", "--app", "5"], "--url"),
    (["usersig", "generate", "--app", "5"], "--"),
    (["usersig", "verify", "--app", "5"], ""),
    (["demo", "--nothing"], "--nothing"),
    (["serve", "--nothing"], "--nothing"),
    (["serve", "word"], "word"),
    (["app", "list", "--server", "example.com"], "--server"),
    (["app", "list", "--server", "ftp://example.com"], "--server"),
])  # fmt: skip
def test_wrong_usage_is_exit_2_and_says_what(words, named):
    ended = run(*words)
    assert ended.returncode == USAGE, (ended.stdout, ended.stderr)
    assert named in ended.stderr
    assert ended.stdout == ""


# ---- apps, rooms, callbacks ----


@pytest.mark.smoke
def test_a_whole_story(backend, cli, receiver, tmp_path):
    made = cli("app", "create", APP, "--max", "10", "--mode", "edge", "--json")
    key = json.loads(made.stdout)["Key"]
    backend.secrets.add(key)
    (tmp_path / "key").write_text(key)
    (tmp_path / "token").write_text("xxxxyyyy\n")
    backend.secrets.add("xxxxyyyy")
    sender = ("--app", APP, "--key-file", str(tmp_path / "key"))
    cli("callback", "set", *sender, "--url", receiver.url, "--token-file", str(tmp_path / "token"))
    for number in range(1, 7):
        cli("room", "create", f"r{number}", *sender)
    cli("room", "create", "r7", *sender, "--client", "--as", "alice", "--platform", "iOS", "--name", "seventh")
    request = receiver.wait_for(1, 60)[0]
    assert (request["body"]["CurRoomCount"], request["params"]["OptPlatform"]) == (7, "iOS")
    assert request["params"]["Sign"] == wire.sign("xxxxyyyy", request["params"]["RequestTime"])
    backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered", seconds=60)
    assert "7 of 10" in cli("callback", "list", "--app", APP).stdout
    assert "7 of 10" in cli("app", "show", APP).stdout
    assert "seventh" in cli("room", "list", *sender).stdout
    assert "alice" in cli("room", "show", "r7", *sender).stdout
    cli("room", "destroy", "r7", *sender, "--client", "--as", "bob", exit=REFUSED)
    cli("room", "destroy", "r7", *sender, "--client", "--as", "alice")
    for number in range(1, 7):
        cli("room", "destroy", f"r{number}", *sender)
    cli("callback", "delete", *sender)
    cli("app", "delete", APP)
    assert "no apps" in cli("app", "list").stdout


def test_key_is_asked_from_the_server_without_a_key_file(cli):
    cli("app", "create", APP)
    cli("room", "create", "r", "--app", APP)
    assert "r" in cli("room", "list", "--app", APP).stdout


def test_key_may_come_from_standard_input(backend, cli):
    key = "a key of my own 0123456789"
    backend.secrets.add(key)
    cli("app", "create", APP, "--key-file", "-", stdin=key + "\n")
    cli("room", "create", "r", "--app", APP, "--key-file", "-", stdin=key)
    cli("room", "create", "q", "--app", APP, "--key-file", "-", stdin="another key", exit=REFUSED)


def test_key_is_shown_only_when_asked_for(cli):
    key = json.loads(cli("app", "create", APP, "--json").stdout)["Key"]
    assert key not in cli("app", "show", APP).stdout
    assert key not in cli("app", "show", APP, "--json").stdout
    assert key not in cli("app", "list").stdout
    assert key in cli("app", "show", APP, "--reveal-key").stdout


def test_app_set_changes_what_is_given(backend, cli):
    cli("app", "create", APP)
    cli("app", "set", APP, "--max", "20", "--mode", "step", "--thresholds", "60,80", "--step", "5", "--rearm-margin", "2",
        "--admins", "administrator,ops", "--overwrite")  # fmt: skip
    shown = backend.show()
    assert (shown["MaxRoomCount"], shown["AlertMode"], shown["Thresholds"]) == (20, "step", [60, 80])
    assert (shown["StepPercent"], shown["RearmMargin"], shown["CallbackOverwrite"]) == (5, 2, True)
    assert shown["Admins"] == ["administrator", "ops"]
    cli("app", "set", APP, "--no-overwrite")
    assert backend.show()["MaxRoomCount"] == 20
    assert backend.show()["CallbackOverwrite"] is False


def test_refusals_of_the_server_are_exit_1_with_its_code(cli, tmp_path):
    cli("app", "create", APP, "--max", "1")
    (tmp_path / "key").write_text("not the key of the app")
    for words, code in [
        (["app", "create", APP], "100002"),
        (["app", "show", "5"], "70020"),
        (["app", "create", "6", "--thresholds", "90,80"], None),
        (["room", "show", "none", "--app", APP], "100004"),
        (["room", "list", "--app", APP, "--as", "alice"], "60010"),
        (["room", "list", "--app", APP, "--key-file", str(tmp_path / "key")], "70009"),
        (["callback", "show", "--app", APP], "100301"),
    ]:
        if code:
            assert code in cli(*words, exit=REFUSED).stderr
    cli("room", "create", "r", "--app", APP)
    assert "100013" in cli("room", "create", "q", "--app", APP, exit=REFUSED).stderr
    assert "1 rooms" in cli("app", "delete", APP, exit=REFUSED).stderr


def test_unreachable_server_is_exit_3(cli):
    ended = cli("app", "list", exit=IO, HIGHWATER_SERVER="http://127.0.0.1:1")
    assert "highwater serve" in ended.stderr


def test_another_program_at_the_address_is_exit_3(cli, make_receiver):
    web = make_receiver(lambda number, request: (200, {}, b"<html>hello</html>"))
    ended = cli("app", "create", APP, exit=IO, HIGHWATER_SERVER=web.url)
    assert "no reply of Highwater" in ended.stderr


def test_what_a_server_says_does_nothing_to_the_terminal(make_receiver, tmp_path):
    """Escape sequences, C1 controls and marks that turn the direction of writing, in a refusal and in JSON."""
    evil = "\x1b[31m\u009b31m\x7f\u202e\n"
    (tmp_path / "token").write_text("a" * 40)
    where = "--admin-token-file", str(tmp_path / "token"), "--server"
    refusing = make_receiver(lambda number, request: (200, {}, json.dumps({"ActionStatus": "FAIL", "ErrorInfo": evil + "x", "ErrorCode": 5}).encode()))
    ended = run("app", "show", "1", *where, refusing.url)
    assert ended.returncode == REFUSED and ended.stderr == "highwater app show: the server refused (5): ?[31m?31m?? x\n"
    reply = {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0, "Response": {"CallbackUrl": evil}}
    granting = make_receiver(lambda number, request: (200, {}, json.dumps(reply, ensure_ascii=False).encode()))
    ended = run("app", "show", "1", "--json", *where, granting.url)
    assert json.loads(ended.stdout)["CallbackUrl"] == evil and ended.stdout.strip().isprintable()


def test_wrong_admin_token_is_refused_and_a_missing_one_named(cli, tmp_path):
    (tmp_path / "token").write_text("f" * 64)
    ended = cli("app", "list", exit=REFUSED, HIGHWATER_ADMIN_TOKEN_FILE=str(tmp_path / "token"))
    assert "60010" in ended.stderr and "f" * 64 not in ended.stderr
    ended = cli("app", "list", exit=IO, HIGHWATER_ADMIN_TOKEN_FILE=str(tmp_path / "missing"))
    assert "--admin-token-file" in ended.stderr


def test_callback_set_update_and_switches(backend, cli):
    cli("app", "create", APP)
    cli("callback", "set", "--app", APP, "--url", "http://127.0.0.1:9/a")
    assert "100300" in cli("callback", "set", "--app", APP, "--url", "http://127.0.0.1:9/b", exit=REFUSED).stderr
    cli("callback", "set", "--app", APP, "--url", "http://127.0.0.1:9/b", "--update", "--commands",
        f"{wire.ALERT},Live.CallbackAfterCreateRoom")  # fmt: skip
    shown = cli("callback", "show", "--app", APP).stdout
    assert "/b" in shown and "Live.CallbackAfterCreateRoom\n" in shown
    assert "--url" in cli("callback", "set", "--app", APP, "--url", "ftp://x/", "--update", exit=USAGE).stderr


def test_list_limits(cli):
    cli("app", "create", APP)
    for number in range(25):
        cli("room", "create", f"room-{number:02}", "--app", APP)
    everything = cli("room", "list", "--app", APP).stdout
    assert all(f"room-{number:02}" in everything for number in range(25))
    few = cli("room", "list", "--app", APP, "--limit", "3").stdout
    assert [word for word in few.split() if word.startswith("room-")][0] == "room-24"
    assert "room-21" not in few


# ---- usersig ----


@pytest.fixture
def key_file(tmp_path):
    (tmp_path / "key").write_text("testsecret0123456789\n")
    return str(tmp_path / "key")


@pytest.mark.smoke
def test_usersig_generate_and_verify(backend, key_file):
    made = run("usersig", "generate", "--app", APP, "--key-file", key_file, "--identifier", "administrator")
    assert made.returncode == DONE
    sig = made.stdout.strip()
    checked = run("usersig", "verify", sig, "--app", APP, "--key-file", key_file, "--identifier", "administrator")
    assert checked.returncode == DONE, checked.stderr
    app = backend.app(Key="testsecret0123456789")
    app.rest("get_room_list", {}, usersig=sig).ok()


def test_usersig_of_ours_and_of_others_verify(key_file):
    sig = wire.usersig(1400000001, "alice", "testsecret0123456789")
    assert run("usersig", "verify", sig, "--app", APP, "--key-file", key_file, "--identifier", "alice").returncode == DONE


@pytest.mark.parametrize("app, identifier, change", [("2", "alice", None), (APP, "bob", None), (APP, "alice", "x")])
def test_usersig_that_is_wrong_is_exit_1(key_file, app, identifier, change):
    sig = wire.usersig(1400000001, "alice", "testsecret0123456789") + (change or "")
    ended = run("usersig", "verify", sig, "--app", app, "--key-file", key_file, "--identifier", identifier)
    assert ended.returncode == REFUSED
    assert sig not in ended.stderr + ended.stdout


def test_usersig_expired_is_exit_1(key_file):
    sig = wire.usersig(1400000001, "alice", "testsecret0123456789", expire=60, now=1700000000)
    ended = run("usersig", "verify", sig, "--app", APP, "--key-file", key_file, "--identifier", "alice")
    assert ended.returncode == REFUSED
    assert "expire" in ended.stdout + ended.stderr


# ---- demo ----


@pytest.mark.smoke
def test_demo_once_shows_the_alert_at_the_seventh_room():
    ended = run("demo", "--once", seconds=300)
    assert ended.returncode == DONE, ended.stdout + ended.stderr
    assert "All as it must be." in ended.stdout
    assert "may go to 127.0.0.0/8, ::1  (callback.allowed_addresses)" in ended.stdout
    assert '"CurRoomCount":7' in ended.stdout.replace(" ", "") or "7 of 10" in ended.stdout


def test_demo_keeps_what_it_did_in_a_folder_and_leaks_nothing(tmp_path):
    folder = tmp_path / "demo"
    folder.mkdir()
    ended = run("demo", "--once", "--dir", str(folder))
    assert ended.returncode == DONE, ended.stdout + ended.stderr
    with contextlib.closing(sqlite3.connect(folder / "callbacks.db")) as db:
        ((body, signed),) = db.execute("SELECT body, signed FROM callbacks")
    line = {"Body": json.loads(body), "Signed": signed == 1}
    assert (line["Body"]["CurRoomCount"], line["Body"]["MaxRoomCount"], line["Signed"]) == (7, 10, True)
    secrets = [(folder / name).read_text().strip() for name in ("callback-token", "data/admin-token")]
    for text in (ended.stdout, ended.stderr, (folder / "serve.log").read_text(), (folder / "receive.log").read_text()):
        assert not any(secret in text for secret in secrets)
    again = run("demo", "--once", "--dir", str(folder))
    assert again.returncode in (USAGE, IO)
    assert "empty" in again.stderr


def test_demo_stays_up_until_interrupted(tmp_path):
    folder = tmp_path / "demo"
    folder.mkdir()
    child = subprocess.Popen(
        [conftest.BINARY, "demo", "--dir", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        text = ""
        while "Ctrl-C" not in text:
            line = child.stdout.readline()
            assert line, text
            text += line
        assert (folder / "serve.port").exists()
        client = wire.Client(int((folder / "serve.port").read_text()))
        client.post("/healthz", None, method="GET").ok()
        client.close()
        child.send_signal(signal.SIGINT)
        rest = child.communicate(timeout=60)[0]
        assert child.returncode == DONE, text + rest
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


# ---- serve ----


@pytest.mark.smoke
def test_second_server_on_one_data_folder_is_refused(backend):
    ended = run("serve", "--http-listen", "127.0.0.1:0", "--data-dir", str(backend.data))
    assert ended.returncode == IO
    assert "another highwater process" in ended.stderr
    backend.app()


def test_admin_token_is_made_once_for_its_owner_only(backend):
    path = backend.data / "admin-token"
    first = path.read_text()
    assert re.fullmatch(r"[0-9a-f]{64}\n?", first)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(backend.data.stat().st_mode) == 0o700
    backend.stop()
    backend.start()
    assert path.read_text() == first


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_admin_token_that_others_may_read_is_refused(backend, mode):
    backend.stop()
    os.chmod(backend.data / "admin-token", mode)
    ended = run("serve", "--http-listen", "127.0.0.1:0", "--data-dir", str(backend.data))
    assert ended.returncode in (USAGE, IO)
    assert "admin-token" in ended.stderr and "chmod 600" in ended.stderr
    os.chmod(backend.data / "admin-token", 0o600)


def test_admin_token_that_is_short_is_refused(backend):
    backend.stop()
    (backend.data / "admin-token").write_text("short")
    ended = run("serve", "--http-listen", "127.0.0.1:0", "--data-dir", str(backend.data))
    assert ended.returncode in (USAGE, IO)
    assert "16 bytes" in ended.stderr


def test_port_in_use_is_exit_3(backend, tmp_path):
    ended = run("serve", "--http-listen", f"127.0.0.1:{backend.port}", "--data-dir", str(tmp_path / "other"))
    assert ended.returncode == IO
    assert str(backend.port) in ended.stderr


SETTINGS = [
    (["--http-listen", "localhost:80"], "http.listen"),
    (["--http-listen", "127.0.0.1"], "http.listen"),
    (["--http-listen", "127.0.0.1:70000"], "http.listen"),
    (["--http-threads", "x"], "http.threads"),
    (["--http-threads", "65"], "http.threads"),
    (["--http-body-max", "64"], "http.body_max"),
    (["--http-body-max", "64KB"], "http.body_max"),
    (["--http-request-timeout", "10"], "http.request_timeout"),
    (["--http-request-timeout", "1ms"], "http.request_timeout"),
    (["--http-cert-file", "/nonexistent"], "http.cert_file"),
    (["--http-trusted-proxies", "127.0.0.1,nobody"], "http.trusted_proxies"),
    (["--callback-retry-first", "1h", "--callback-retry-longest", "1m"], "callback.retry_first"),
    (["--callback-in-flight-max", "4"], "callback.in_flight_per_app"),
    (["--callback-on-fail", "maybe"], "callback.on_fail"),
    (["--engine-queue-max", "0"], "engine.queue_max"),
    (["--log-level", "loud"], "log.level"),
    (["--data-dir", ""], "data.dir"),
    (["--data-dir"], "data.dir"),
]


@pytest.mark.parametrize("arguments, named", SETTINGS, ids=[" ".join(row[0]) for row in SETTINGS])
def test_wrong_setting_is_exit_2_and_named(tmp_path, arguments, named):
    before = [] if arguments[0] == "--data-dir" else ["--data-dir", str(tmp_path / "data")]
    listen = [] if arguments[0] == "--http-listen" else ["--http-listen", "127.0.0.1:0"]
    ended = run("serve", *before, *listen, *arguments)
    assert ended.returncode == USAGE, (ended.returncode, ended.stderr)
    flag = "--" + named.replace(".", "-").replace("_", "-")
    assert named in ended.stderr or flag in ended.stderr


@pytest.mark.parametrize("flag", ["--callback-ca-file", "--http-cert-file", "--http-key-file"])
def test_file_that_is_missing_is_named(tmp_path, certificates, flag):
    files = {"--http-cert-file": str(certificates / "leaf.pem"), "--http-key-file": str(certificates / "leaf.key")}
    files[flag] = str(tmp_path / "missing.pem")
    ended = run("serve", "--http-listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"),
                *[word for pair in files.items() for word in pair])  # fmt: skip
    assert ended.returncode == IO
    assert "missing.pem" in ended.stderr and flag[2:].replace("-", ".", 1).replace("-", "_") in ended.stderr


def test_wrong_setting_in_the_environment_and_in_a_file_is_named(tmp_path):
    ended = run("serve", env={"HIGHWATER_HTTP_THREADS": "many"})
    assert ended.returncode == USAGE and "HIGHWATER_HTTP_THREADS" in ended.stderr
    config = tmp_path / "highwater.conf"
    config.write_text("# mine\nhttp.threads = 2\nhttp.treads = 3\n")
    ended = run("serve", "--config", str(config))
    assert ended.returncode == USAGE
    assert "http.treads" in ended.stderr and f"{config}:3" in ended.stderr
    ended = run("serve", "--config", str(tmp_path / "missing"))
    assert ended.returncode in (USAGE, IO) and "missing" in ended.stderr


def test_settings_from_file_environment_and_flag_in_their_order(tmp_path):
    config = tmp_path / "highwater.conf"
    config.write_text("log.level = silly\n")
    env = {"HIGHWATER_CONFIG": str(config)}
    assert run("serve", "--check", env=env).returncode == USAGE
    assert run("serve", "--check", env={**env, "HIGHWATER_LOG_LEVEL": "info"}).returncode == DONE
    assert run("serve", "--check", env={**env, "HIGHWATER_LOG_LEVEL": "loud"}).returncode == USAGE
    assert run("serve", "--check", "--log-level", "info", env={**env, "HIGHWATER_LOG_LEVEL": "loud"}).returncode == DONE


@pytest.mark.parametrize("sdkappids", [None, "", "x", "0", "1,,2", "1400000001,", "4294967296", ",".join(map(str, range(1, 1002)))])
def test_receive_needs_its_sdkappids(tmp_path, sdkappids):
    arguments = [] if sdkappids is None else ["--receive-sdkappids", sdkappids]
    ended = run("receive", "--http-listen", "127.0.0.1:0", "--receive-record", str(tmp_path / "r"), *arguments)
    assert ended.returncode == USAGE
    assert "receive.sdkappids" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_server_with_0(backend, number):
    backend.app(MaxRoomCount=5).create("r").ok()
    backend.child.send_signal(number)
    assert backend.child.wait(30) == 0
    assert not backend.port_file.exists(), "a port file without a server misleads"
    assert "stopping" in backend.log()


@pytest.mark.smoke
def test_calls_under_way_are_answered_at_a_stop(backend):
    """A creation that gets an answer is kept; one that gets none may be; nothing is answered and lost."""
    app = backend.app(MaxRoomCount=100000)
    client = backend.client(once=True)
    mine = app.over(client)
    answered = []
    for number in range(20):
        answered.append(mine.create(f"r{number}").ok().response["RoomId"])
    backend.child.send_signal(signal.SIGTERM)
    try:
        for number in range(20, 10000):
            reply = mine.create(f"r{number}")
            if reply.code == 0:
                answered.append(reply.response["RoomId"])
    except (OSError, wire.http.client.HTTPException):
        pass
    assert backend.child.wait(60) == 0
    backend.start(60)
    assert set(answered) <= set(app.over(backend.client()).room_ids())


def test_log_is_logfmt_and_quiet_when_asked(make_backend):
    backend = make_backend("--log-level", "off", folder="quiet")
    backend.app().create("r").ok()
    backend.stop()
    assert backend.log() == ""
    loud = make_backend("--log-level", "debug", folder="loud")
    app = loud.app(MaxRoomCount=1, callback="http://127.0.0.1:9/?secret=in-a-query", token="a callback token")
    app.create_as("r", "alice", "Web").ok()
    app.rest("get_room_list", {}, usersig="eJ" + "x" * 60).refused(70003)
    loud.wait_deliveries(lambda rows: rows[0]["Attempts"] >= 1)
    app.client.close()
    loud.stop()
    assert re.search(r"^time=\S+ level=debug ", loud.log(), re.MULTILINE) or "level=debug" in loud.log()
    assert "event=request" in loud.log()
    assert "in-a-query" not in loud.log()


def test_logs_hold_no_secret_whatever_fails(make_backend, make_receiver):
    backend = make_backend("--log-level", "debug", "--callback-give-up", "300ms")
    bad = make_receiver(lambda number, request: (500, {}, b"no"))
    app = backend.app(MaxRoomCount=3, Thresholds=[1], callback=bad.url, token="a callback token")
    app.fill(1, 3)
    app.create("r4").refused(100013)
    app.rest("get_room_list", {}, usersig=app.query()).refused(70003)
    app.client.post("/manage/v1/app_list", {}, {"Authorization": f"Bearer {backend.token}x"}).refused(60010)
    app.client.post("/manage/v1/app_show", {"SdkAppid": app.sdkappid, "RevealKey": True},
                    {"Authorization": f"Bearer {backend.token}"}).ok()  # fmt: skip
    app.config("set_callback_token", {"Token": "a callback token"}).ok()
    app.config("get_callback_token", {}).ok()
    backend.wait_deliveries(lambda rows: all(row["State"] == "failed" for row in rows))
    sign = bad.requests[0]["params"]["Sign"]
    backend.secrets.add(sign)
    backend.check_log()
    rows = json.dumps(backend.deliveries())
    assert sign not in rows and "a callback token" not in rows
