"""The command line: every subcommand, its exit code, and what it says when something is wrong."""

import contextlib
import json
import os
import pathlib
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
        "create", "list", "export", "show", "set", "rotate-key", "revoke-key", "rotate-secret", "revoke-secret", "set-certificate",
        "delete-certificate", "delete",
    ],
    "room": ["create", "list", "show", "creators", "destroy"],
    "callback": ["set", "show", "clear", "list", "attempts", "replay", "pause", "resume", "test"],
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
    for word in [*GROUPS, *SERVICES, "apply", "demo", "doctor", "version", "help", "Exit codes"]:
        assert word in ended.stdout


@pytest.mark.parametrize("group, command", COMMANDS)
def test_every_command_has_help(group, command):
    ended = run(group, command, "--help")
    assert ended.returncode == DONE
    assert ended.stdout.startswith(f"usage: highwater {group} {command}")
    assert run("help", group, command).stdout == ended.stdout


@pytest.mark.parametrize("name", [*SERVICES, "apply", "demo", "doctor", *GROUPS])
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


def words_below(text, title):
    """The first words of a help's section."""
    return [line.split()[0] for line in text.split(f"{title}:\n")[1].split("\n\n")[0].splitlines() if not line.startswith("    ")]


def test_document_names_every_command_and_option():
    page = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text()
    heads = ", ".join(line[3:] for line in page.splitlines() if line.startswith("## ")) + ","
    missing = []
    for group in set(words_below(run("help").stdout, "Commands")) - {"version", "help"}:
        shown = run(group, "--help").stdout
        commands = words_below(shown, "Commands") if "\nCommands:\n" in shown else []
        for command in commands or [""]:
            name = f"highwater {group} {command}".rstrip()
            missing += [name] if f"{name}," not in heads and f"highwater {group}," not in heads else []
            options = words_below(run(group, command, "--help").stdout if command else shown, "Options")
            missing += [f"{name} {option}" for option in options if option not in page]
    assert missing == []


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
    (["room", "create", "r", "--app", "5", "--platform", "Web"], "--platform needs --client"),
    (["room", "create", "r", "--app", "5", "--as", "alice"], "--as needs --client"),
    (["room", "destroy", "r", "--app", "5", "--key-file", "x"], "--key-file needs --client"),
    (["room", "create", "r", "--app", "5", "--client", "--platform", "RESTAPI"], "--platform"),
    (["room", "create", "r", "q", "--app", "5"], '"q" is one argument too many'),
    (["room", "create", "\u00e4", "--app", "5"], "printable ASCII"),
    (["room", "list", "--app", "5", "--order", "random"], "--order: must be newest or oldest"),
    (["room", "list", "--app", "5", "--search", "\u00e4"], "--search"),
    (["room", "list", "--app", "5", "--limit", "0"], "--limit"),
    (["room", "list", "--app", "5", "--as", "alice"], "--as"),
    (["room", "show", "--app", "5"], "ROOM"),
    (["room", "show", "\u00e4", "--app", "5"], "printable ASCII"),
    (["room", "creators"], "--app"),
    (["room", "destroy", "--app", "5"], "ROOM"),
    (["room", "destroy", "a", "b", "--app", "5", "--client"], "--client takes one room"),
    (["room", "destroy", *map(str, range(101)), "--app", "5"], '"100" is one argument too many'),
    (["callback", "set", "--url", "http://x/"], "--app"),
    (["callback", "set", "--app", "5"], "at least one of --url, --commands, --token-file, --no-token"),
    (["callback", "set", "--app", "5", "--url", "ftp://x/"], "--url: "),
    (["callback", "set", "--app", "5", "--url", "http://x/", "--update"], "--update"),
    (["callback", "set", "--app", "5", "--no-token", "--token-file", "x"], "exclude each other"),
    (["callback", "clear"], "--app"),
    (["callback", "delete", "--app", "5"], '"delete"'),
    (["apply"], "FILE"),
    (["apply", "a", "b"], '"b" is one argument too many'),
    (["apply", "a", "--dry-run=yes"], "--dry-run takes no value"),
    (["app", "export", "x"], '"x" is no SDKAppID'),
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
    cli("callback", "set", "--app", APP, "--url", receiver.url, "--token-file", str(tmp_path / "token"))
    for number in range(1, 7):
        cli("room", "create", f"r{number}", "--app", APP)
    cli("room", "create", "r7", *sender, "--client", "--as", "alice", "--platform", "iOS", "--name", "seventh")
    request = receiver.wait_for(1, 60)[0]
    assert (request["body"]["CurRoomCount"], request["params"]["OptPlatform"]) == (7, "iOS")
    assert request["params"]["Sign"] == wire.sign("xxxxyyyy", request["params"]["RequestTime"])
    backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered", seconds=60)
    assert "7 of 10" in cli("callback", "list", "--app", APP).stdout
    assert "7 of 10" in cli("app", "show", APP).stdout
    assert "seventh" in cli("room", "list", "--app", APP).stdout
    assert "alice" in cli("room", "show", "r7", "--app", APP).stdout
    cli("room", "destroy", "r7", *sender, "--client", "--as", "bob", exit=REFUSED)
    cli("room", "destroy", "r7", *sender, "--client", "--as", "alice")
    cli("room", "destroy", *(f"r{number}" for number in range(1, 7)), "--app", APP)
    cli("callback", "clear", "--app", APP)
    cli("app", "delete", APP)
    assert "no apps" in cli("app", "list").stdout


def test_key_is_asked_from_the_server_without_a_key_file(cli):
    cli("app", "create", APP)
    cli("room", "create", "r", "--app", APP, "--client", "--as", "alice")
    assert json.loads(cli("room", "list", "--app", APP, "--json").stdout)["RoomList"][0]["Owner"] == "alice"


def test_key_may_come_from_standard_input(backend, cli):
    key = "a key of my own 0123456789"
    backend.secrets.add(key)
    cli("app", "create", APP, "--key-file", "-", stdin=key + "\n")
    cli("room", "create", "r", "--app", APP, "--client", "--key-file", "-", stdin=key)
    cli("room", "create", "q", "--app", APP, "--client", "--key-file", "-", stdin="another key", exit=REFUSED)


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
        (["room", "destroy", "none", "--app", APP], "100004"),
        (["room", "create", "r", "--app", APP, "--client", "--key-file", str(tmp_path / "key")], "70009"),
        (["room", "list", "--app", "5"], "70020"),
        (["room", "creators", "--app", "5"], "70020"),
        (["callback", "show", "--app", "5"], "70020"),
        (["callback", "clear", "--app", "5"], "70020"),
        (["callback", "set", "--app", APP, "--url", "http://x/", "--commands", "Live.Nothing"], "100002"),
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


def test_callback_set_keeps_what_is_not_given(backend, cli, tmp_path):
    (tmp_path / "token").write_text("a callback token\n")
    backend.secrets.add("a callback token")
    cli("app", "create", APP)
    assert "--url is missing" in cli("callback", "set", "--app", APP, "--commands", wire.ALERT, exit=USAGE).stderr
    cli("callback", "set", "--app", APP, "--url", "http://127.0.0.1:9/a")
    assert backend.show()["CallbackCommandList"] == [wire.ALERT] and backend.show()["IsTokenEnable"] is False
    cli("callback", "set", "--app", APP, "--commands", f"{wire.ALERT},Live.CallbackAfterCreateRoom")
    ended = cli("callback", "set", "--app", APP, "--url", "http://127.0.0.1:9/b")
    assert ended.stdout == f"callbacks of app {APP} go to http://127.0.0.1:9/b\n"
    assert len(backend.show()["CallbackCommandList"]) == 2
    cli("callback", "set", "--app", APP, "--no-token")
    assert backend.show()["IsTokenEnable"] is False
    cli("callback", "set", "--app", APP, "--token-file", str(tmp_path / "token"))
    shown = backend.show()
    assert (shown["CallbackUrl"], len(shown["CallbackCommandList"]), shown["IsTokenEnable"]) == ("http://127.0.0.1:9/b", 2, True)
    cli("callback", "set", "--app", APP, "--commands", wire.ALERT, "--no-token")
    shown = backend.show()
    assert (shown["CallbackCommandList"], shown["IsTokenEnable"]) == ([wire.ALERT], False)


def test_callback_show_and_clear(backend, cli):
    cli("app", "create", APP)
    assert "url          none" in cli("callback", "show", "--app", APP).stdout
    cli("callback", "set", "--app", APP, "--url", "http://127.0.0.1:9/b")
    shown = cli("callback", "show", "--app", APP).stdout
    assert "  url          http://127.0.0.1:9/b\n" in shown and f"  switched on  {wire.ALERT}\n" in shown
    assert "callbacks carry no Sign" in shown and "  endpoint     ok\n" in shown
    fields = json.loads(cli("callback", "show", "--app", APP, "--json").stdout)
    assert fields == {name: backend.show()[name] for name in fields} and "CallbackUrl" in fields and "Secrets" not in fields
    cli("callback", "clear", "--app", APP)
    cli("callback", "clear", "--app", APP)
    assert backend.show()["CallbackUrl"] == ""


def test_list_limits(cli):
    cli("app", "create", APP, "--max", "100")
    for number in range(55):
        cli("room", "create", f"room-{number:02}", "--app", APP)

    def names(*arguments):
        return [word for word in cli("room", "list", "--app", APP, *arguments).stdout.split("\n") if word.startswith("room-")]

    assert [row.split()[0] for row in names()] == [f"room-{number:02}" for number in range(54, 4, -1)]
    assert [row.split()[0] for row in names("--limit", "3")] == ["room-54", "room-53", "room-52"]
    assert [row.split()[0] for row in names("--limit", "2", "--order", "oldest")] == ["room-00", "room-01"]
    assert [row.split()[0] for row in names("--search", "room-1")] == [f"room-{number}" for number in range(10, 20)]
    few = cli("room", "list", "--app", APP, "--limit", "3").stdout
    assert "The app has 55 of 100 rooms. There are more than shown" in few
    assert "There are more" not in cli("room", "list", "--app", APP, "--limit", "55").stdout
    assert "no rooms" in cli("room", "list", "--app", APP, "--search", "x").stdout


def test_operator_makes_shows_and_destroys_rooms(backend, cli):
    app = backend.app(MaxRoomCount=10)
    cli("room", "create", "r1", "--app", APP, "--owner", "anna", "--name", "Evening", "--hidden")
    cli("room", "create", "r2", "--app", APP)
    app.set_metadata("r1", {"k": "v\x1b[2J\u009b\u202e"}).ok()
    app.admins("r1", "bob").ok()
    ban = {"RoomId": "r1", "MemberList_Account": ["bad"], "Duration": 3600, "Reason": "because"}
    app.rest("ban_member", ban).ok()
    shown = cli("room", "show", "r1", "--app", APP).stdout
    for line in (f"{'owner':24}anna", f"{'visible':24}no", f"{'metadata':24}k = v?[2J?\\u202e\n", f"{'admins':24}bob",
                 f"{'banned':24}bad, until 20"):  # fmt: skip
        assert f"  {line}" in shown, shown
    assert re.search(r"^  created +20\d\d-\S+Z$", shown, re.MULTILINE)
    listed = cli("room", "list", "--app", APP).stdout
    assert re.search(r"^r1 +anna +\S+Z +no +Evening$", listed, re.MULTILINE)
    assert re.search(r"^r2 +administrator +\S+Z +yes +r2$", listed, re.MULTILINE)
    for number in range(3, 6):
        cli("room", "create", f"r{number}", "--app", APP, "--owner", "anna")
    creators = cli("room", "creators", "--app", APP).stdout
    assert creators.splitlines()[1].split() == ["4", "anna"] and "newest 5 of 5 rooms" in creators
    assert len(json.loads(cli("room", "creators", "--app", APP, "--limit", "1", "--json").stdout)["CreatorList"]) == 1
    ended = cli("room", "destroy", "r1", "none", "r2", "--app", APP, exit=REFUSED)
    assert ended.stdout == "destroyed 2 rooms\n" and "room none: the server refused (100004)" in ended.stderr
    assert cli("room", "destroy", "r3", "--app", APP).stdout == "destroyed room r3\n"
    assert backend.show()["RoomCount"] == 2


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


def test_usersig_is_read_from_standard_input(key_file):
    """It is a secret while it is valid, and arguments can be read by others."""
    where = "--app", APP, "--identifier", "administrator"
    sig = run("usersig", "generate", *where, "--key-file", key_file).stdout
    checked = run("usersig", "verify", "-", *where, "--key-file", key_file, stdin=sig)
    assert checked.returncode == DONE and checked.stdout.startswith("valid\n")
    assert run("usersig", "verify", "-", *where, "--key-file", key_file, stdin=sig[:-8] + "\n").returncode == REFUSED
    assert run("usersig", "verify", "-", *where, "--key-file", key_file, stdin="").returncode == IO
    assert run("usersig", "verify", "-", *where, "--key-file", "-", stdin=sig).returncode == USAGE


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
