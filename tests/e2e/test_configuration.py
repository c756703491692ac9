"""--check and --dump of both programs: what they find, what they say of it, and that they change nothing."""

import os
import re
import shutil
import socket
import sqlite3

import pytest

from conftest import run

DONE, USAGE, IO = 0, 2, 3
OWN = {"serve": (), "receive": ("--receive-sdkappids", "1400000001")}
SERVICES = list(OWN)


def values(text):
    """name: (value, source) of a dump."""
    found = re.findall(r"^# Default: .* Source: (.*)\n([a-z_.]+) = (.*)$", text, re.MULTILINE)
    return {name: (value, source) for source, name, value in found}


def tree(folder):
    """Everything below the folder that a look must not change."""
    seen = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        seen[str(path)] = (status.st_mode, status.st_size, status.st_mtime_ns)
    return seen


def pair(certificates, name):
    return str(certificates / f"{name}.pem"), str(certificates / f"{name}.key")


def check(service, *arguments, status=DONE, cwd=None):
    if cwd:
        own = ("--data-dir", str(cwd / "data")) if service == "serve" else ("--receive-record", str(cwd / "r.db"))
        arguments = (*arguments, *own)
    ended = run(service, *OWN[service], *arguments, "--check")
    assert ended.returncode == status, ended
    assert ("The settings are fine." in ended.stdout) == (status == DONE)
    return ended


# ---- --dump ----


@pytest.mark.parametrize("service", SERVICES)
def test_dump_is_a_file_with_the_same_values(service, tmp_path):
    first = run(service, "--dump")
    assert first.returncode == DONE and first.stderr == ""
    config = tmp_path / "highwater.conf"
    config.write_text(first.stdout)
    again = run(service, "--config", str(config), "--dump")
    assert again.returncode == DONE
    before, after = values(first.stdout), values(again.stdout)
    assert len(before) > 20 and before.keys() == after.keys()
    assert [value for value, _ in before.values()] == [value for value, _ in after.values()]
    assert {source for _, source in before.values()} == {"default"}
    assert all(source.startswith(f"file {config}:") for _, source in after.values())


def test_dump_tells_where_each_value_comes_from(tmp_path):
    config = tmp_path / "serve.conf"
    config.write_text("# mine\nlog.level = warn\nhttp.body_max = 131072B\nrate.api = 7\nrate.api = 8\n")
    ended = run("serve", "--config", str(config), "--callback-supersede=no", "--dump",
                env={"HIGHWATER_LOG_LEVEL": "error", "HIGHWATER_CALLBACK_GIVE_UP": "48h"})  # fmt: skip
    found = values(ended.stdout)
    assert found["http.body_max"] == ("128KiB", f"file {config}:3")
    assert found["rate.api"] == ("8", f"file {config}:5")
    assert found["log.level"] == ("error", "environment HIGHWATER_LOG_LEVEL")
    assert found["callback.give_up"] == ("2d", "environment HIGHWATER_CALLBACK_GIVE_UP")
    assert found["callback.supersede"] == ("off", "flag --callback-supersede")
    assert found["rate.slow"] == ("100", "default")


def test_dump_of_a_wrong_value_is_an_error_and_of_a_broken_rule_helps(tmp_path):
    ended = run("serve", "--http-threads", "65", "--dump")
    assert ended.returncode == USAGE and ended.stdout == "" and "--http-threads" in ended.stderr
    rule = ("--callback-retry-first", "2m", "--callback-retry-longest", "1m")
    assert run("serve", *rule, "--check").returncode == USAGE
    ended = run("serve", *rule, "--dump")
    assert ended.returncode == DONE and values(ended.stdout)["callback.retry_first"][0] == "2m"


def test_dump_shows_no_url_that_may_hold_a_secret():
    ended = run("receive", *OWN["receive"], "--receive-post-url", "https://hooks.example/T0/in-the-path", "--dump",
                env={"HIGHWATER_RECEIVE_TOKEN": "a callback token"})  # fmt: skip
    assert ended.returncode == DONE
    assert "in-the-path" not in ended.stdout and "a callback token" not in ended.stdout
    assert "# receive.post_url is set, and not shown" in ended.stdout


@pytest.mark.parametrize("service", SERVICES)
def test_print_settings_is_gone(service):
    ended = run(service, "--print-settings")
    assert ended.returncode == USAGE and "unknown option --print-settings" in ended.stderr


# ---- --check: nothing is changed ----


@pytest.mark.parametrize("service", SERVICES)
def test_check_makes_nothing(service, tmp_path):
    ended = check(service, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert "ok       http.listen: " in ended.stdout


def stored(make_backend, stop):
    backend = make_backend()
    backend.app(MaxRoomCount=9).create("r").ok()
    if stop == "stop":
        assert backend.stop() == 0
    elif stop == "kill":
        backend.kill()
    return backend


@pytest.mark.parametrize("stop", ["stop", "run"])
def test_check_beside_a_database_changes_nothing(make_backend, stop):
    backend = stored(make_backend, stop)
    data = next(backend.folder.rglob("highwater.db")).parent
    before = tree(data)
    ended = run("serve", "--check", "--data-dir", str(data), "--http-listen", f"127.0.0.1:{backend.port}")
    assert ended.returncode == DONE, ended
    after = tree(data)
    if stop == "run":  # the server's index of its log has places for readers
        for seen in (before, after):
            seen.pop(str(data / "highwater.db-shm"))
    assert after == before
    assert "highwater.db is a database of this version" in ended.stdout
    assert "admin-token is there" in ended.stdout
    assert ("in use now" in ended.stdout) == (stop == "run")


def test_check_after_a_crash_leaves_the_log_to_the_start(make_backend):
    backend = stored(make_backend, "kill")
    data = next(backend.folder.rglob("highwater.db")).parent
    log = (data / "highwater.db-wal").read_bytes()
    assert log, "else this shows nothing"
    check("serve", "--data-dir", str(data))
    assert (data / "highwater.db-wal").read_bytes() == log
    backend.start()
    assert backend.show()["RoomCount"] == 1


def test_check_beside_a_record_changes_nothing(make_app_backend):
    app_backend = make_app_backend()
    assert app_backend.stop() == 0
    record = next(path for path in app_backend.folder.rglob("*.db"))
    before = tree(app_backend.folder)
    ended = check("receive", "--receive-record", str(record))
    assert tree(app_backend.folder) == before
    assert "is a record that can be read and written" in ended.stdout


# ---- --check: what it finds ----


def test_certificate_is_looked_at(certificates, tmp_path):
    good, other = pair(certificates, "leaf"), pair(certificates, "wrong-name")
    ended = check("serve", "--http-cert-file", good[0], "--http-key-file", good[1], cwd=tmp_path)
    assert "belongs to its key and is valid until" in ended.stdout
    ended = check("serve", "--http-cert-file", good[0], "--http-key-file", other[1], cwd=tmp_path, status=USAGE)
    assert "http.cert_file: key file" in ended.stderr and "does not belong to" in ended.stderr
    expired = pair(certificates, "expired")
    ended = check("receive", "--http-cert-file", expired[0], "--http-key-file", expired[1], cwd=tmp_path, status=USAGE)
    assert "has expired on" in ended.stderr
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("no certificate\n")
    ended = check("serve", "--http-cert-file", str(rubbish), "--http-key-file", good[1], cwd=tmp_path, status=USAGE)
    assert f"certificate file {rubbish}" in ended.stderr
    ended = check("serve", "--callback-ca-file", str(rubbish), cwd=tmp_path, status=USAGE)
    assert "callback.ca_file" in ended.stderr and "holds no certificates" in ended.stderr


def test_address_in_use_is_a_warning_and_one_of_another_machine_a_problem(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = check("serve", "--http-listen", address, cwd=tmp_path)
        assert f"warning  http.listen: {address} is in use now" in ended.stdout
    ended = check("serve", "--http-listen", "192.0.2.1:80", cwd=tmp_path, status=IO)
    assert "http.listen: listening on 192.0.2.1:80: Cannot assign requested address" in ended.stderr
    ended = check("receive", "--status-listen", "here", cwd=tmp_path, status=USAGE)
    assert 'status.listen: "here" is no address' in ended.stderr


def test_folder_that_cannot_be_used_is_a_problem(tmp_path):
    (tmp_path / "file").write_text("")
    ended = run("serve", "--check", "--data-dir", str(tmp_path / "file"))
    assert ended.returncode == USAGE and "data.dir: " in ended.stderr and "is no folder" in ended.stderr
    ended = run("serve", "--check", "--data-dir", str(tmp_path / "missing" / "data"))
    assert ended.returncode == IO and "data.dir: " in ended.stderr and "missing" in ended.stderr
    ended = check("receive", "--receive-record", str(tmp_path / "missing" / "r.db"), status=IO)
    assert "receive.record: " in ended.stderr
    ended = check("serve", "--http-port-file", str(tmp_path), cwd=tmp_path, status=USAGE)
    assert "http.port_file: " in ended.stderr and "is a folder" in ended.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission_is_a_problem(tmp_path):
    (tmp_path / "data").mkdir(mode=0o500)
    ended = check("serve", cwd=tmp_path, status=IO)
    assert "data.dir: " in ended.stderr and "Permission denied" in ended.stderr


@pytest.mark.parametrize("what", ["other", "newer", "rubbish"])
def test_database_that_a_start_would_refuse_is_a_problem(make_backend, tmp_path, what):
    data = tmp_path / "data"
    data.mkdir()
    path = data / "highwater.db"
    if what == "rubbish":
        path.write_bytes(b"this is no database" * 100)
    elif what == "other":
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE x (y)")
    else:
        backend = stored(make_backend, "stop")
        shutil.copy(next(backend.folder.rglob("highwater.db")), path)
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 999")
    before = path.read_bytes()
    ended = check("serve", cwd=tmp_path, status=USAGE)
    said = {"other": "belongs to another program", "newer": "is newer than", "rubbish": "not an SQLite file"}[what]
    assert said in ended.stderr and "data.dir: " in ended.stderr
    assert path.read_bytes() == before


def test_older_database_is_a_warning(make_backend, tmp_path):
    backend = stored(make_backend, "stop")
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(next(backend.folder.rglob("highwater.db")), data / "highwater.db")
    with sqlite3.connect(data / "highwater.db") as db:
        db.execute("PRAGMA user_version = 1")
    assert "warning  data.dir: " in check("serve", cwd=tmp_path).stdout


def test_token_that_others_may_read_is_a_problem(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    token = data / "admin-token"
    token.write_text("0123456789abcdef0123456789abcdef\n")
    token.chmod(0o644)
    ended = check("serve", cwd=tmp_path, status=IO)
    assert "chmod 600" in ended.stderr and "0123456789abcdef" not in ended.stderr + ended.stdout
    token.chmod(0o600)
    check("serve", cwd=tmp_path)
    token.write_text("short\n")
    assert "fewer than" in check("serve", cwd=tmp_path, status=USAGE).stderr


def test_all_problems_are_told_and_the_first_decides(certificates, tmp_path):
    good, other = pair(certificates, "leaf"), pair(certificates, "wrong-name")
    ended = run("serve", "--check", "--http-listen", "192.0.2.1:80", "--data-dir", str(tmp_path / "a" / "b"),
                "--http-cert-file", good[0], "--http-key-file", other[1])  # fmt: skip
    assert ended.returncode == IO
    assert [line.split(":")[1].strip() for line in ended.stderr.splitlines()] == ["http.listen", "http.cert_file", "data.dir"]


def test_environment_variable_with_a_slip_is_a_warning(tmp_path):
    env = {"HIGHWATER_HTTP_LISTN": "x", "HIGHWATER_LOG_LEVEL": "info", "HIGHWATER_SERVER": "http://127.0.0.1:9",
           "HIGHWATER_CALLBACK_TOKEN": "secret-value", "HIGHWATER_RECEIVE_TOKEN": "a token", "HIGHWATERMARK": "1"}  # fmt: skip
    ended = run("serve", "--check", "--data-dir", str(tmp_path / "data"), env=env)
    assert ended.returncode == DONE
    warned = re.findall(r"^warning  environment: (\w+) is no setting of highwater serve$", ended.stdout, re.MULTILINE)
    assert sorted(warned) == ["HIGHWATER_CALLBACK_TOKEN", "HIGHWATER_HTTP_LISTN"]
    assert "secret-value" not in ended.stdout + ended.stderr
    ended = run("receive", *OWN["receive"], "--check", "--receive-record", str(tmp_path / "r.db"), env=env)
    assert re.findall(r"environment: (\w+)", ended.stdout) == ["HIGHWATER_HTTP_LISTN"]
