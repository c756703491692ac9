"""`highwater store copy`: from an SQLite file to PostgreSQL, back, and between two of a kind; whole or not at all."""

import json
import sqlite3
import subprocess
import time

import pytest

from conftest import BINARY, Backend, postgres_schema, run, sql
from test_postgres import Server

SDKAPPID, OTHER = 1400000001, 1400000002
TABLES = "apps app_state rooms room_items accounts callbacks certificates audit samples".split()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("postgres"))
    yield server
    server.end()


def copy(source, target, *options, status=0):
    ended = run("store", "copy", str(source), str(target), *options)
    assert ended.returncode == status, ended
    return ended


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """The file of a backend that has some of everything, and what that backend says of it."""
    folder = tmp_path_factory.mktemp("full")
    pair = {"Certificate": folder / "client.pem", "Key": folder / "client.key"}
    subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=client -keyout {pair['Key']} -out {pair['Certificate']}",
        shell=True, check=True, capture_output=True)
    backend = Backend(folder / "backend", "--history-keep", "31d").start()
    app = backend.app(SDKAPPID, MaxRoomCount=50, callback="http://127.0.0.1:9/nobody?x='\"\\", token="a token \\ ' \" {}",
                      commands=["Live.CallbackAfterCreateRoom"], Thresholds=[20, 90])
    backend.manage("app_certificate_set", {"SdkAppid": SDKAPPID, **{key: path.read_text() for key, path in pair.items()}}).ok()
    backend.manage("app_key_rotate", {"SdkAppid": SDKAPPID, "OverlapSeconds": 3600}).ok()
    backend.app(OTHER, MaxRoomCount=0, AlertMode="step")
    for number in range(12):
        app.create(f"r{number}-'{{}},\\\"", RoomName=f"房间 {number} \\ \" ' {{}}").ok()
    app.destroy("r0-'{},\\\"").ok()
    app.set_metadata("r1-'{},\\\"", {"k'": 'v"{,}\\', "l": ""}).bare()
    backend.wait_deliveries(lambda rows: sum(row["Attempts"] for row in rows) > 0)
    assert backend.stop() == 0
    backend.check_log()
    with sqlite3.connect(file_of(backend)) as db:  # which a minute makes
        db.execute("INSERT INTO samples VALUES (1, 60000, 3, 4, 50), (1, 120000, 5, 6, 50)")
    db.close()
    return backend


def file_of(backend):
    return backend.data / "highwater.db"


def rows_of_file(path):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        db.text_factory = bytes
        rows = {table: sorted(db.execute(f"SELECT * FROM {table}"), key=repr) for table in TABLES}
        rows["callbacks"] = sorted(db.execute(  # the schedule of one that was never replayed starts with its event
            "SELECT *, ifnull(base_ms, event_ms) FROM (SELECT * FROM callbacks) ORDER BY id"), key=repr)
        names = [column[1] for column in db.execute("PRAGMA table_info(callbacks)")]
        at = names.index(b"base_ms")
        rows["callbacks"] = [row[:at] + row[at + 1:] for row in rows["callbacks"]]
        return rows


def said_by(backend):
    """What the management API says, without what a start changes."""
    return {
        "apps": [backend.manage("app_show", {"SdkAppid": app, "RevealKey": True}).ok().response for app in (SDKAPPID, OTHER)],
        "rooms": backend.manage("room_list", {"SdkAppid": SDKAPPID, "Count": 100}).ok().response,
        "room": backend.manage("room_show", {"SdkAppid": SDKAPPID, "RoomId": "r1-'{},\\\""}).ok().response,
        "audit": backend.manage("audit_list", {"Count": 100}).ok().response,
        "ids": [row["WebhookId"] for row in backend.callbacks()],
        "history": backend.manage("app_history", {"SdkAppid": SDKAPPID}).ok().response["RoomCount"],
    }


def without_attempts(said):
    for app in said["apps"]:
        app.pop("Endpoint")
    return said


def started(folder, url=None, data=None):
    backend = Backend(folder, "--callback-retry-first", "1h", "--callback-retry-longest", "1h", "--callback-probe-longest", "1h")
    if data:
        backend.data = data
        backend.arguments[backend.arguments.index("--data-dir") + 1] = str(data)
    if url:
        backend.environment["HIGHWATER_STORE_URL"] = url
    return backend.start()


def test_there_and_back_again_is_the_same_file_and_the_same_store(full, server, tmp_path):
    url = postgres_schema(server.url)
    told = json.loads(copy(file_of(full), url, "--json").stdout)
    assert told["DryRun"] is False and list(told["Rows"]) == TABLES
    assert told["Rows"]["rooms"] == 11 and min(told["Rows"].values()) > 0, "some of everything, or nothing is shown here"
    assert run("store", "check", url).returncode == 0
    back = tmp_path / "back" / "highwater.db"
    back.parent.mkdir()
    copy(url, back)
    assert rows_of_file(back) == rows_of_file(file_of(full))
    assert back.stat().st_mode & 0o777 == 0o600
    one = started(tmp_path / "sqlite", data=full.data)
    said = without_attempts(said_by(one))
    assert one.stop() == 0
    two = started(tmp_path / "postgres", url=url)
    assert without_attempts(said_by(two)) == said
    two.manage("room_create", {"SdkAppid": SDKAPPID, "RoomId": "after the copy".replace(" ", "-"), "Owner": "alice"}).ok()
    assert two.show(SDKAPPID)["RoomCount"] == 12
    two.manage("app_set", {"SdkAppid": SDKAPPID, "MaxRoomCount": 51}).ok()
    newest = two.manage("audit_list", {"Count": 2}).ok().response["AuditList"]
    assert newest[0]["Detail"] == "maximum 50 -> 51"
    assert two.stop() == 0


@pytest.mark.parametrize("kind", ["file", "database"])
def test_between_two_of_a_kind(full, server, tmp_path, kind):
    if kind == "file":
        copy(file_of(full), tmp_path / "copy.db")
        assert rows_of_file(tmp_path / "copy.db") == rows_of_file(file_of(full))
        return
    one, two = postgres_schema(server.url), postgres_schema(server.url)
    copy(file_of(full), one)
    assert copy(one, two, "--json").stdout == copy(two, tmp_path / "copy.db", "--json").stdout
    assert rows_of_file(tmp_path / "copy.db") == rows_of_file(file_of(full))


def test_a_dry_run_makes_nothing(full, server, tmp_path):
    url = postgres_schema(server.url)
    for target in (url, tmp_path / "highwater.db"):
        assert "Nothing was copied (--dry-run)." in copy(file_of(full), target, "--dry-run").stdout
    assert list(tmp_path.iterdir()) == []
    assert sql(url, "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()") == "0"


def test_what_is_in_use_is_not_copied(full, server, tmp_path):
    url = postgres_schema(server.url)
    running = started(tmp_path / "running", data=full.data)
    assert "another highwater process uses it" in copy(file_of(full), url, status=3).stderr
    assert running.stop() == 0
    copy(file_of(full), url)
    running = started(tmp_path / "running2", url=url)
    said = copy(url, tmp_path / "copy.db", status=3).stderr
    assert said == "highwater store copy: from: another highwater process uses this database\n"
    assert run("store", "check", url).returncode == 0, "to look is possible"
    assert running.stop() == 0


def test_a_target_that_holds_something_is_left_as_it_is(full, server, tmp_path):
    url = postgres_schema(server.url)
    copy(file_of(full), url)
    before = sql(url, "SELECT count(*) FROM rooms")
    for options in ((), ("--dry-run",)):
        assert "the database holds something already" in copy(file_of(full), url, *options, status=2).stderr
    assert sql(url, "SELECT count(*) FROM rooms") == before
    (tmp_path / "there.db").write_text("mine")
    for options in ((), ("--dry-run",)):
        assert "exists already" in copy(url, tmp_path / "there.db", *options, status=2).stderr
    assert (tmp_path / "there.db").read_text() == "mine"


def test_a_target_that_changes_what_is_written_gets_nothing(full, server):
    url = postgres_schema(server.url)
    copy(file_of(full), url)
    for table in TABLES:
        sql(url, f"DELETE FROM {table}")
    sql(url, "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS "
             "$$ BEGIN IF new.id & 7 = 3 THEN new.owner := 'mallory'; END IF; RETURN new; END $$")
    sql(url, "CREATE TRIGGER spoil BEFORE INSERT ON rooms FOR EACH ROW EXECUTE FUNCTION spoil()")
    said = copy(file_of(full), url, status=3).stderr
    assert said == "highwater store copy: what was read back is not what was written: rooms, 11 of 11 rows\n"
    assert sql(url, "SELECT (SELECT count(*) FROM apps), (SELECT count(*) FROM rooms)") == "0|0"


def test_a_copy_that_is_killed_leaves_nothing(full, server, tmp_path):
    url = postgres_schema(server.url)
    copy(file_of(full), url)
    sql(url, "INSERT INTO rooms SELECT number, id + 1000 + g, 'x' || g, owner, create_ms, visible, info FROM rooms, "
             "generate_series(1, 20000) AS g WHERE id & 1099511627775 = 5")
    target = tmp_path / "copy.db"
    child = subprocess.Popen([BINARY, "store", "copy", url, str(target)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not (tmp_path / "copy.db.partial").exists():
        assert time.monotonic() < deadline
    child.kill()
    child.wait(10)
    assert not target.exists()
    assert "remove it then" in copy(url, target, status=2).stderr
    (tmp_path / "copy.db.partial").unlink()
    for rest in tmp_path.glob("copy.db.partial-*"):
        rest.unlink()
    deadline = time.monotonic() + 10
    while (ended := run("store", "copy", url, str(target))).returncode == 3 and time.monotonic() < deadline:
        time.sleep(0.1)  # the session of the killed one ends a moment later
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("arguments, code, says", [
    ((), 2, "FROM TO"),
    (("one",), 2, "FROM TO"),
    (("/nowhere/highwater.db", "copy.db"), 3, "from: /nowhere/highwater.db: No such file or directory"),
    (("postgresql://a:hunter2secret@127.0.0.1:1/x", "copy.db"), 3, "from: PostgreSQL, connecting"),
    (("postgresql://hunter2secret@[::1", "copy.db"), 2, "from: the PostgreSQL URL cannot be read"),
])
def test_wrong_arguments_are_told(tmp_path, arguments, code, says):
    ended = subprocess.run([BINARY, "store", "copy", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ended.returncode == code and says in ended.stderr, ended
    assert "hunter2secret" not in ended.stderr and not list(tmp_path.iterdir())


def test_a_database_without_our_tables_is_no_source(server, tmp_path):
    url = postgres_schema(server.url)
    said = copy(url, tmp_path / "copy.db", status=2).stderr
    assert "from: the database has no tables of this version" in said
    assert run("store", "check", url).returncode == 2
