"""Backups of a database that is in use, their way back, and the recount."""

import json
import pathlib
import sqlite3
import stat
import subprocess
import threading

import pytest

from conftest import BINARY, run

SDKAPPID = 1400000001


def store(*arguments, data=None, status=0):
    ended = run("store", *arguments, *(("--data-dir", str(data)) if data else ()))
    assert ended.returncode == status, ended
    return ended


class Load:
    """Creates and destroys rooms until it is told to stop."""

    def __init__(self, app):
        self.app = app
        self.stopping = threading.Event()
        self.made = 0
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stopping.is_set():
            self.app.create(f"r{self.made}").ok()
            if self.made % 3 == 0:
                self.app.destroy(f"r{self.made}").ok()
            self.made += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(30)


def numbers(path):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        counter = db.execute("SELECT room_count, callback_pending FROM app_state").fetchone()
        rows = db.execute("SELECT (SELECT count(*) FROM rooms), (SELECT count(*) FROM callbacks WHERE state = 0)").fetchone()
        store_id = db.execute("SELECT value FROM meta WHERE key = 'store_id'").fetchone()[0]
    return counter, rows, store_id


def test_backup_under_load_and_back(make_backend, make_receiver, tmp_path):
    """The receiver is down while the backup is made: what waited in it arrives after the restore, under new ids."""
    receiver = make_receiver(lambda number, request: (500, {}, b""))
    backend = make_backend()
    app = backend.app(SDKAPPID, MaxRoomCount=1000000, callback=receiver.url, commands=["Live.CallbackAfterCreateRoom"])
    copies = [tmp_path / f"copy-{number}.db" for number in range(5)]
    with Load(app) as load:
        for copy in copies:
            while load.made < 50 * (copies.index(copy) + 1):
                pass
            said = store("backup", str(copy), data=backend.data).stdout
            assert "pages and counters are right" in said
    sizes = []
    for copy in copies:
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        counter, rows, _ = numbers(copy)
        assert counter == rows and rows[0] > 0 and rows[1] > 0, "a count and what it counts are of one moment"
        sizes.append(rows[1])
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]
    assert not list(tmp_path.glob("*.partial"))
    app.client.close()
    assert backend.stop() == 0

    restored = tmp_path / "restored" / "data"
    restored.parent.mkdir()
    said = store("restore", str(copies[0]), data=restored).stdout
    assert f"restored to {restored}/highwater.db" in said
    assert stat.S_IMODE(restored.stat().st_mode) == 0o700
    counter, rows, store_id = numbers(restored / "highwater.db")
    assert (counter, rows) == numbers(copies[0])[:2] and store_id != numbers(copies[0])[2]
    again = make_receiver()
    second = make_backend(folder="restored")
    assert second.show(SDKAPPID)["RoomCount"] == rows[0]
    second.manage("callback_pause", {"SdkAppid": SDKAPPID}).ok()
    back = app.over(second.client())
    back.config("update_callback", {"Url": again.url, "CallbackCommandList": ["Live.CallbackAfterCreateRoom"]}).ok()
    second.manage("callback_resume", {"SdkAppid": SDKAPPID}).ok()
    again.wait_for(rows[1], 60)
    ids = {request["headers"]["webhook-id"] for request in again.requests}
    assert len(ids) == rows[1] and not any(numbers(copies[0])[2] in one for one in ids)
    back.client.close()


def test_check_tells_drift(make_backend, tmp_path):
    backend = make_backend()
    app = backend.app(SDKAPPID, MaxRoomCount=10)
    app.create("a").ok()
    assert "1 apps, 1 rooms, 0 callbacks waiting; pages and counters are right" in store("check", data=backend.data).stdout
    app.client.close()
    backend.stop()
    with sqlite3.connect(backend.data / "highwater.db") as db:
        db.execute("UPDATE app_state SET room_count = 3")
    ended = store("check", data=backend.data, status=1)
    assert f"app {SDKAPPID}: rooms: kept 3, counted 1" in ended.stdout
    found = json.loads(store("check", "--json", data=backend.data, status=1).stdout)
    assert found["Drifts"] == [{"SdkAppid": SDKAPPID, "Counter": "rooms", "Kept": 3, "Counted": 1}]
    copy = tmp_path / "copy.db"
    ended = store("backup", str(copy), data=backend.data, status=1)  # made, and told
    assert copy.exists() and "this is not right" in ended.stdout
    store("restore", str(copy), data=tmp_path / "new", status=1)
    assert not (tmp_path / "new").exists(), "a wrong backup is not started on"


def test_nothing_is_overwritten(make_backend, tmp_path):
    backend = make_backend()
    backend.app(SDKAPPID)
    copy = tmp_path / "copy.db"
    store("backup", str(copy), data=backend.data)
    before = copy.read_bytes()
    assert "exists already" in store("backup", str(copy), data=backend.data, status=2).stderr
    assert copy.read_bytes() == before
    assert "has a database already" in store("restore", str(copy), data=backend.data, status=2).stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["check", "/nonexistent/file"], 3, "No such file"),
        (["check", "/etc/hostname"], 2, "not an SQLite file"),
        (["backup"], 2, "FILE is missing"),
        (["backup", "a", "b"], 2, "one argument too many"),
        (["restore", "/nonexistent/file"], 3, "No such file"),
        (["backup", "/nonexistent/folder/file"], 3, "No such file"),
    ],
)
def test_wrong_use(arguments, status, words, tmp_path):
    ended = store(*arguments, data=tmp_path, status=status)
    assert words in ended.stderr
    assert not list(pathlib.Path(tmp_path).iterdir())


def test_full_disk_leaves_no_copy(make_backend, tmp_path):
    backend = make_backend()
    backend.app(SDKAPPID)
    limited = tmp_path / "copy.db"
    command = f"ulimit -f 8; exec {BINARY} store backup {limited} --data-dir {backend.data}"
    ended = subprocess.run(["bash", "-c", f"trap '' XFSZ; {command}"], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 3, ended
    assert not limited.exists() and not list(tmp_path.glob("*.partial"))
