"""Every error code of the table has a test that produces it, and every answer of a session its own RequestId.

wire.py notes what all tests see. The tests at the end judge that: they run last, and only where no test was left out.
"""

import pathlib
import re
import select
import signal
import sqlite3

import pytest

import wire

REQUEST_ID = re.compile(r"Id-[0-9a-f]{32}-O-Seq-[0-9]+")
HEADER = pathlib.Path(__file__).resolve().parents[2] / "include" / "highwater" / "code.h"


def table():
    """The codes of the header: number -> name."""
    rows = re.findall(r"\bX\((HW_\w+), (\d+), \"", HEADER.read_text())
    assert len(rows) > 30, "the table has another form"
    return {int(number): name for name, number in rows}


@pytest.fixture
def app(backend):
    return backend.app(MaxRoomCount=100)


# ---- codes that need a backend in trouble ----


class LockedStore:
    """Somebody else holds the database's write lock: the backend's writer waits for it for two seconds, then fails."""

    def __init__(self, backend):
        self.database = sqlite3.connect(backend.data / "highwater.db", isolation_level=None)

    def __enter__(self):
        self.database.execute("BEGIN IMMEDIATE")

    def __exit__(self, *unused):
        self.database.execute("ROLLBACK")
        self.database.close()


def test_store_that_cannot_be_written_is_100001_and_nothing_was_stored(backend, app):
    app.create("before").ok()
    with LockedStore(backend):
        app.create("meanwhile").refused(100001, "try again")
        assert app.room_ids() == ["before"], "looking is still possible"
    assert app.room_ids() == ["before"]
    assert backend.show()["RoomCount"] == 1
    app.create("meanwhile").ok()


def begin(backend, app, room_id):
    """Sends a creation but for its body; returns the connection and the body. The backend has read the rest."""
    body = b'{"RoomInfo":{"RoomId":"%s","RoomType":"Live"}}' % room_id.encode()
    raw = wire.Raw(backend.port)
    raw.send(
        f"POST /v4/live_engine_http_srv/create_room?{app.query()} HTTP/1.1\r\nHost: h\r\n"
        f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    )
    assert raw.input.readline() == b"HTTP/1.1 100 Continue\r\n"
    assert raw.input.readline() == b"\r\n"
    return raw, body


def test_call_that_comes_while_the_backend_stops_is_60008(make_backend):
    """The store is locked, so the writer keeps the stop waiting; what comes meanwhile is refused, what came is done."""
    backend = make_backend("--http-drain-timeout", "0ms", "--http-threads", "1")
    app = backend.app(MaxRoomCount=100)
    early, early_body = begin(backend, app, "early")
    late = [begin(backend, app, f"late{number}") for number in range(20)]
    refused = 0
    with LockedStore(backend):
        early.send(early_body)
        for _ in range(2):  # one loop serves all: when it answers the second, it has read what was sent before the first
            app.client.post("/healthz", {}).ok()
        backend.child.send_signal(signal.SIGTERM)
        wire.wait(lambda: "event=stopping" in backend.log(), what="the stop")
        for raw, body in late:  # the first ones may be earlier than the end of the queue, and wait
            raw.send(body)
            if select.select([raw.socket], [], [], 0.05)[0]:
                raw.reply().refused(60008, "shutting down")
                refused += 1
    assert refused > 0
    early.reply().ok()
    assert backend.child.wait(20) == 0
    for raw, _ in [(early, None), *late]:
        raw.close()
    app.client.close()
    backend.start()
    rooms = app.over(backend.client()).room_ids()
    assert "early" in rooms and len(rooms) <= 1 + len(late) - refused


# ---- the log ----


def logged(backend, reply):
    """The lines of the log about that answer."""
    word = f"request_id={reply.body['RequestId']} "
    return [line for line in backend.log().splitlines() if word in line]


def test_log_has_each_request_with_its_path_and_code(make_backend):
    backend = make_backend("--log-level", "debug")
    app = backend.app(MaxRoomCount=100)
    engine, client = "/v4/live_engine_http_srv", "/v4/live_client"
    answers = [
        (app.create("r"), f"{engine}/create_room", 0),
        (app.create("r"), f"{engine}/create_room", 100010),
        (app.update("r", RoomName="x" * 101), f"{engine}/update_room_info", 100002),
        (app.update_as("r", "bob", RoomName="x"), f"{client}/update_room_info", 100006),
        (app.set_metadata("r", {"": "v"}), f"{engine}/set_room_metadata", 100504),
        (app.rest("get_room_list", {}, usersig="nonsense"), f"{engine}/get_room_list", 70003),
        (app.login("account_import", {}), "/v4/im_open_login_svc/account_import", 70402),
        (app.config("get_callback", {}), "/v4/live_config/get_callback", 100301),
        (backend.manage("app_show", {"SdkAppid": 77}), "/manage/v1/app_show", 70020),
        (app.client.post("/healthz", None, method="GET"), "/healthz", 0),
    ]
    for reply, path, code in answers:
        assert reply.code == code
        (line,) = wire.wait(lambda reply=reply: logged(backend, reply), what="the line")
        assert {f"path={path}", f"code={code}"} <= set(line.split()), line
    for reply in (app.rest("send_text_msg", {}), app.rest("no_such_call", {})):
        (line,) = wire.wait(lambda reply=reply: logged(backend, reply), what="the line")
        assert f"code={reply.code}" in line.split(), line


def test_log_of_the_default_level_has_refusals_and_not_what_went_well(backend, app):
    done = app.create("r").ok()
    refused = app.create("r").refused(100010)
    assert backend.stop() == 0
    assert "event=stopped" in backend.log()
    (line,) = logged(backend, refused)
    assert {"path=/v4/live_engine_http_srv/create_room", "code=100010"} <= set(line.split()), line
    assert logged(backend, done) == []


# ---- the whole session ----


def test_recording_works():
    """What the judges below rely on."""
    seen = wire.Seen()
    body = {"ErrorCode": 5, "RequestId": "Id-x"}
    seen.note(body)
    assert (seen.codes, seen.request_ids, seen.repeated) == ({5}, {"Id-x"}, [])
    seen.note({**body, "ErrorCode": 6})
    assert (seen.codes, seen.repeated) == ({5, 6}, ["Id-x"])
    for other in (None, [], "text", {"ErrorCode": 7}):
        seen.note(other)
    assert seen.codes == {5, 6}


@pytest.mark.last
def test_every_code_of_the_table_was_seen(whole_session):
    missing = {number: name for number, name in table().items() if number not in wire.SEEN.codes}
    assert not missing, "no test produces these codes"


@pytest.mark.last
def test_no_code_was_seen_that_is_not_in_the_table():
    assert wire.SEEN.codes <= set(table())


@pytest.mark.last
def test_every_request_id_was_seen_once_and_has_its_form():
    wrong = [one for one in wire.SEEN.request_ids if not isinstance(one, str) or not REQUEST_ID.fullmatch(one)]
    assert not wrong
    assert not wire.SEEN.repeated
