"""Rooms in the management API: lists, one room whole, who makes them; and what an operator does to them.

HIGHWATER_ROOMS sets how many rooms the large app has (200,000)."""

import concurrent.futures
import json
import os
import sqlite3
import threading
import time

import pytest

import wire
from receivers import CREATED

SDKAPPID = 1400000001
DESTROYED = "Live.CallbackAfterDestroyRoom"
ROOMS = int(os.environ.get("HIGHWATER_ROOMS", "200000"))
LOOK_S = 0.1  # the fastest of a few calls for a page: the machine may do other things too


def ask(backend, command, sdkappid=SDKAPPID, **fields):
    return backend.manage(command, {"SdkAppid": sdkappid, **fields})


def listed(backend, sdkappid=SDKAPPID, **fields):
    """The RoomIds of all pages."""
    found, cursor = [], ""
    while True:
        page = ask(backend, "room_list", sdkappid, Next=cursor, **fields).ok().response
        assert len(page["RoomList"]) <= fields.get("Count", 50)
        found += [room["RoomId"] for room in page["RoomList"]]
        cursor = page["Next"]
        if not cursor:
            return found
        assert page["RoomList"], "a page before the last one is not empty"


def audits(backend):
    return backend.manage("audit_list", {}).ok().response["AuditList"]


# ---- lists ----


def test_a_list_in_either_order(backend):
    before = time.time() * 1000 - 1
    app = backend.app(MaxRoomCount=100)
    other = backend.app(SDKAPPID + 1)
    other.create("not-mine").ok()
    app.create("first", Owner_Account="alice", RoomName="The first").ok()
    app.create("hidden", Owner_Account="bob", IsPublicVisible=False).ok()
    app.create("third").ok()
    page = ask(backend, "room_list").ok().response
    assert (page["RoomCount"], page["MaxRoomCount"], page["Order"], page["Next"]) == (3, 100, "newest", "")
    times = [room.pop("CreateTime") for room in page["RoomList"]]
    assert page["RoomList"] == [
        {"RoomId": "third", "Owner": "administrator", "Visible": True, "RoomName": "third"},
        {"RoomId": "hidden", "Owner": "bob", "Visible": False, "RoomName": "hidden"},
        {"RoomId": "first", "Owner": "alice", "Visible": True, "RoomName": "The first"},
    ]
    assert before <= times[2] <= times[1] <= times[0] <= time.time() * 1000
    assert listed(backend, Order="oldest") == ["first", "hidden", "third"]
    assert listed(backend, SDKAPPID + 1) == ["not-mine"]


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_pages_while_rooms_come_and_go(backend, order):
    app = backend.app(MaxRoomCount=1000)
    app.fill(1, 25)
    names = [f"r{number}" for number in range(1, 26)]
    for count in (1, 5, 24, 25, 26):
        assert listed(backend, Order=order, Count=count) == (names if order == "oldest" else names[::-1])
    page = ask(backend, "room_list", Order=order, Count=10).ok().response
    app.create("new").ok()
    last = page["RoomList"][-1]["RoomId"]
    app.destroy(last).ok()  # the one the token names
    rest = ask(backend, "room_list", Order=order, Count=100, Next=page["Next"]).ok().response["RoomList"]
    if order == "oldest":
        assert [room["RoomId"] for room in rest] == names[10:] + ["new"]
    else:
        assert [room["RoomId"] for room in rest] == names[14::-1]


def test_a_search_comes_by_room_id(backend):
    app = backend.app(MaxRoomCount=100)
    for name in ("live-2", "live", "liv", "Live-1", "live-10", "live-1", "live-1~", "live-1 ", "a", "live_1", "livf"):
        app.create(name).ok()
    every = sorted(["live-2", "live", "live-10", "live-1", "live-1~", "live-1 ", "live_1"])
    for count in (1, 3, 7, 100):
        assert listed(backend, Search="live", Count=count) == every
        assert listed(backend, Search="live", Count=count, Order="oldest") == every
    assert listed(backend, Search="live-1") == sorted(["live-1", "live-1 ", "live-10", "live-1~"])
    assert listed(backend, Search="live-1~") == ["live-1~"]
    assert listed(backend, Search="l%") == listed(backend, Search="live-3") == listed(backend, Search="b") == []
    assert listed(backend, Search="") == listed(backend)
    page = ask(backend, "room_list", Search="live", Count=2).ok().response
    assert (page["Order"], page["Next"]) == ("room_id", every[1])
    app.destroy(every[1]).ok()
    assert listed(backend, Search="live") == [every[0], *every[2:]]
    rest = ask(backend, "room_list", Search="live", Next=page["Next"]).ok().response["RoomList"]
    assert [room["RoomId"] for room in rest] == every[2:]


def test_a_page_token_is_the_apps_own(backend):
    app = backend.app(MaxRoomCount=100)
    other = backend.app(SDKAPPID + 1)
    app.fill(1, 3)
    other.fill(1, 3)
    token = ask(backend, "room_list", Count=1).ok().response["Next"]
    assert ask(backend, "room_list", SDKAPPID + 1, Count=1, Next=token).code == 100002
    assert ask(backend, "room_list", Next=token[:-1]).code == 100002
    assert ask(backend, "room_list", Search="x", Next=token).code == 100002
    assert ask(backend, "room_list", Next="r1").code == 100002


def test_creators(backend):
    app = backend.app(MaxRoomCount=100)
    assert ask(backend, "room_creators").ok().response == {"CreatorList": [], "Looked": 0, "RoomCount": 0}
    for number, owner in enumerate(["bob", "alice", "bob", "carol", "bob", "alice", "dave"]):
        app.create(f"r{number}", Owner_Account=owner).ok()
    app.destroy("r6").ok()
    assert ask(backend, "room_creators").ok().response == {
        "CreatorList": [
            {"UserId": "bob", "RoomCount": 3},
            {"UserId": "alice", "RoomCount": 2},
            {"UserId": "carol", "RoomCount": 1},
        ],
        "Looked": 6,
        "RoomCount": 6,
    }
    few = ask(backend, "room_creators", Count=1).ok().response
    assert few["CreatorList"] == [{"UserId": "bob", "RoomCount": 3}] and few["Looked"] == 6


# ---- one room ----


def test_a_room_whole(backend):
    app = backend.app(MaxRoomCount=100)
    app.create("r", Owner_Account="alice", RoomName="A \"name\"", Notice="hello", IsPublicVisible=False).ok()
    app.set_metadata("r", {"b": "2", "a": "1"}).ok()
    app.admins("r", "carol", "bob").ok()
    app.in_room("add_robot", RobotList_Account=["robot"]).ok()
    app.in_room("mute_member", MemberList_Account=["loud"], MuteTime=3600).ok()
    app.in_room("mute_member", MemberList_Account=["short"], MuteTime=1).ok()
    app.in_room("ban_member", MemberList_Account=["bad"], Duration=3600, Reason="because").ok()
    now = time.time() * 1000
    time.sleep(1.2)
    room = ask(backend, "room_show", RoomId="r").ok().response
    muted, banned, info = room.pop("Muted"), room.pop("Banned"), json.loads(room.pop("Info"))
    assert abs(room.pop("CreateTime") - now) < 60_000
    assert room == {
        "RoomId": "r", "Owner": "alice", "Visible": False, "RoomName": 'A "name"',
        "Metadata": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
        "Admins": ["bob", "carol"], "Robots": ["robot"],
    }  # fmt: skip
    assert [one["UserId"] for one in muted] == ["loud"], "the short one is over"
    assert abs(muted[0]["Until"] - now - 3_600_000) < 60_000
    assert [(one["UserId"], one["Reason"]) for one in banned] == [("bad", "because")]
    assert abs(banned[0]["Until"] - now - 3_600_000) < 60_000
    shown = app.info("r")
    assert info and {name: shown[name] for name in info} == info and info["Notice"] == "hello"
    assert ask(backend, "room_show", RoomId="R").code == 100004
    app.destroy("r").ok()
    assert ask(backend, "room_show", RoomId="r").code == 100004


# ---- create and destroy ----


def test_an_operators_room_is_a_room_like_others(backend, receiver):
    app = backend.app(MaxRoomCount=3, callback=receiver.url, commands=[CREATED, wire.ALERT])
    made = ask(backend, "room_create", RoomId="r1", Owner="alice", RoomName="One", Visible=False, MaxMemberCount=7).ok()
    assert made.response == {"RoomId": "r1"}
    info = app.info("r1")
    assert (info["Owner_Account"], info["RoomName"], info["IsPublicVisible"], info["MaxMemberCount"]) == (
        "alice", "One", False, 7,
    )  # fmt: skip
    assert app.room_ids() == [], "it is hidden"
    ask(backend, "room_create", RoomId="r2", Owner="alice").ok()
    assert ask(backend, "room_create", RoomId="r2", Owner="alice").code == 100010
    assert ask(backend, "room_create", RoomId="r2", Owner="bob").code == 100003
    ask(backend, "room_create", RoomId="r3", Owner="alice").ok()
    assert ask(backend, "room_create", RoomId="r4", Owner="alice").code == 100013, "the maximum holds for operators too"
    rows = backend.wait_deliveries(lambda rows: len(rows) == 4 and all(row["State"] == "delivered" for row in rows))
    bodies = [backend.manage("callback_show", {"WebhookId": row["WebhookId"]}).response["Body"] for row in rows]
    assert [body["CallbackCommand"] for body in bodies] == [CREATED, CREATED, CREATED, wire.ALERT]
    assert {body["Operator_Account"] for body in bodies} == {"@TIM#SYSTEM"}
    assert (bodies[3]["CurRoomCount"], bodies[3]["MaxRoomCount"]) == (3, 3)
    assert backend.show()["RoomCount"] == 3
    noted = [(row["Action"], row["Actor"], row["Detail"]) for row in audits(backend) if row["Action"] == "room_create"]
    assert noted == [("room_create", "token", f"room r{number}") for number in (3, 2, 1)]


def test_destroying_many_is_told_one_by_one(backend, receiver):
    app = backend.app(MaxRoomCount=200, callback=receiver.url, commands=[DESTROYED])
    app.fill(1, 100)
    answer = ask(backend, "room_destroy", RoomIdList=[f"r{number}" for number in range(1, 99)] + ["none", "r1"]).ok()
    assert answer.response["Destroyed"] == 98, "a name that is there twice is one room"
    (failed,) = answer.response["FailedList"]
    assert (failed["RoomId"], failed["ErrorCode"]) == ("none", 100004) and failed["ErrorInfo"]
    assert backend.show()["RoomCount"] == 2 and listed(backend) == ["r100", "r99"]
    assert sum(row["Action"] == "room_destroy" for row in audits(backend)) == 98
    backend.wait_deliveries(lambda rows: len(rows) == 98 and all(row["State"] == "delivered" for row in rows))
    assert ask(backend, "room_destroy", RoomIdList=["r1"]).code == 100004, "with none destroyed the call fails"
    assert ask(backend, "room_destroy", RoomIdList=["r99"]).ok().response == {"Destroyed": 1, "FailedList": []}


def test_the_quota_is_exact_for_operators(make_backend):
    """A full app: each room that an operator destroys makes room for exactly one more."""
    backend = make_backend()
    app = backend.app(MaxRoomCount=50)
    app.fill(1, 50)
    for start in range(1, 50, 10):
        ask(backend, "room_destroy", RoomIdList=[f"r{number}" for number in range(start, start + 10)]).ok()
        codes = [ask(backend, "room_create", RoomId=f"n{start}-{number}", Owner="u").code for number in range(11)]
        assert codes == [0] * 10 + [100013]
    assert backend.show()["RoomCount"] == 50 == len(listed(backend))
    backend.restart(app, kill=True)
    assert backend.show()["RoomCount"] == 50 == len(listed(backend))


def test_operators_and_users_at_the_same_time(backend, receiver):
    """Each creation and destruction that was acknowledged is one, whoever made it, and each alert one of a creation."""
    app = backend.app(MaxRoomCount=30, callback=receiver.url, Thresholds=[100])
    done = {"made": [], "destroyed": [], "full": 0}
    lock = threading.Lock()

    def work(who):
        mine = app.over(backend.client())
        for number in range(60):
            name = f"{who}-{number}"
            if who.startswith("operator"):
                code = ask(backend, "room_create", RoomId=name, Owner="u").code
            else:
                code = mine.create(name).code
            with lock:
                done["full"] += code == 100013
                done["made"] += [name] if code == 0 else []
                victims = done["made"][:5] if number % 10 == 9 else []
                done["made"] = done["made"][len(victims) :]
            assert code in (0, 100013)
            if victims and who.startswith("operator"):
                answer = ask(backend, "room_destroy", RoomIdList=victims).ok().response
                assert answer == {"FailedList": [], "Destroyed": len(victims)}
            else:
                for victim in victims:
                    mine.destroy(victim).ok()
        mine.client.close()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for one in [pool.submit(work, who) for who in ("operator-1", "operator-2", "user-1", "user-2")]:
            one.result(60)
    assert sorted(done["made"]) == sorted(listed(backend)) and len(done["made"]) == backend.show()["RoomCount"] <= 30
    assert done["full"] > 0, "the maximum was met"
    alerts = backend.wait_deliveries(lambda rows: all(row["State"] == "delivered" for row in rows))
    assert alerts and all(request["body"]["CurRoomCount"] == 30 for request in receiver.requests)


def test_a_fresh_id_must_wait_for_operators_too(make_backend):
    backend = make_backend("--rate-room-id", "60s")
    backend.app(MaxRoomCount=10)
    ask(backend, "room_create", RoomId="r", Owner="u").ok()
    ask(backend, "room_destroy", RoomIdList=["r"]).ok()
    assert ask(backend, "room_create", RoomId="r", Owner="u").code == 100012


def test_an_owner_must_be_an_account_where_the_app_says_so(backend):
    app = backend.app(MaxRoomCount=10, AccountsRequired=True)
    assert ask(backend, "room_create", RoomId="r", Owner="stranger").code == 70107
    app.login("account_import", {"UserID": "stranger"}).ok()
    ask(backend, "room_create", RoomId="r", Owner="stranger").ok()


@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("room_list", {"Order": "random"}),
        ("room_list", {"Search": "x" * 49}),
        ("room_list", {"Search": "ä"}),
        ("room_list", {"Search": 1}),
        ("room_list", {"Count": 0}),
        ("room_list", {"Count": 101}),
        ("room_list", {"Next": 0}),
        ("room_list", {"Next": "1-2"}),
        ("room_show", {}),
        ("room_show", {"RoomId": ""}),
        ("room_show", {"RoomId": "x" * 49}),
        ("room_creators", {"Count": 0}),
        ("room_creators", {"Count": 101}),
        ("room_create", {"Owner": "u"}),
        ("room_create", {"RoomId": "r"}),
        ("room_create", {"RoomId": "r", "Owner": "a b"}),
        ("room_create", {"RoomId": "r", "Owner": "u" * 33}),
        ("room_create", {"RoomId": "r", "Owner": "u", "Visible": "yes"}),
        ("room_create", {"RoomId": "r", "Owner": "u", "RoomName": "n" * 101}),
        ("room_destroy", {}),
        ("room_destroy", {"RoomIdList": []}),
        ("room_destroy", {"RoomIdList": "r"}),
        ("room_destroy", {"RoomIdList": [1]}),
        ("room_destroy", {"RoomIdList": ["r", ""]}),
        ("room_destroy", {"RoomIdList": ["x" * 49]}),
        ("room_destroy", {"RoomIdList": [str(number) for number in range(101)]}),
    ],
)
def test_what_is_wrong_with_the_call(steady, backend, command, body):
    answer = ask(backend, command, **body)
    assert answer.code == 100002 and answer.info
    assert "room" not in str(audits(backend))


@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("room_list", {}),
        ("room_show", {"RoomId": "r"}),
        ("room_creators", {}),
        ("room_create", {"RoomId": "r", "Owner": "u"}),
        ("room_destroy", {"RoomIdList": ["r", "s"]}),
    ],
)
def test_an_app_that_is_not_there(steady, backend, command, body):
    assert ask(backend, command, 7, **body).code == 70020


# ---- many rooms ----


def put_rooms(backend, count):
    """Makes so many rooms of the only one in the file of a backend that has stopped, one in a hundred of the same owner."""
    with sqlite3.connect(backend.data / "highwater.db") as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?) INSERT INTO rooms (id, number,"
            " room_id, owner, create_ms, visible, info) SELECT id + n, number, 'room-' || n, iif(n % 100, 'u' || n, 'star'),"
            " create_ms + n, visible, info FROM n, (SELECT * FROM rooms) AS old",
            (count - 1,),
        )
        db.execute("UPDATE app_state SET room_count = ?, room_sequence = ?", (count, count))
    db.close()


@pytest.fixture
def large(make_backend):
    backend = make_backend(start=False).start()
    app = backend.app(MaxRoomCount=1_000_000_000)
    app.create("first").ok()
    app.client.close()
    assert backend.stop() == 0
    put_rooms(backend, ROOMS)
    return backend.start(60)


def test_many_rooms_cost_little(large):
    last = ask(large, "room_list", Order="oldest", Count=100)
    for name, call in {
        "newest": lambda: ask(large, "room_list", Count=100),
        "oldest": lambda: ask(large, "room_list", Order="oldest", Count=100),
        "second page": lambda: ask(large, "room_list", Order="oldest", Count=100, Next=last.response["Next"]),
        "search": lambda: ask(large, "room_list", Search="room-1", Count=100),
        "search for none": lambda: ask(large, "room_list", Search="room-x"),
        "one": lambda: ask(large, "room_show", RoomId=f"room-{ROOMS // 2}"),
        "creators": lambda: ask(large, "room_creators"),
    }.items():
        seconds = []
        for _ in range(9):
            started = time.monotonic()
            call().ok()
            seconds.append(time.monotonic() - started)
        print(f"{ROOMS} rooms, {name}: {sorted(seconds)[4] * 1000:.1f} ms")
        assert min(seconds) < LOOK_S, name
    found = ask(large, "room_creators", Count=1).ok().response
    assert found == {"CreatorList": [{"UserId": "star", "RoomCount": 100}], "Looked": 10_000, "RoomCount": ROOMS}
