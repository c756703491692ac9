"""Rooms over the server API and the client path, as the vendor documents them and as real callers use them."""

import concurrent.futures
import json
import re
import time
import urllib.parse

import pytest

import wire


@pytest.fixture
def app(backend):
    return backend.app(MaxRoomCount=1000)


def info_of(app, room_id):
    return app.rest("get_room_info", {"RoomId": room_id}).ok().response["RoomInfo"]


def page(app, cursor="", count=20):
    return app.rest("get_room_list", {"Next": cursor, "Count": count}).ok().response


# ---- create and look ----


@pytest.mark.smoke
def test_minimal_room_gets_the_documented_defaults(app):
    before = int(time.time())
    reply = app.create("live-room").ok()
    after = int(time.time())
    assert reply.response == {"RoomId": "live-room"}
    info = info_of(app, "live-room")
    assert before <= info.pop("CreateTime") <= after
    assert info == {
        "RoomId": "live-room",
        "RoomType": "Live",
        "RoomName": "live-room",
        "Owner_Account": "administrator",
        "TakeSeatMode": "FreeToTake",
        "MaxSeatCount": 0,
        "MaxMemberCount": 0,
        "IsMessageDisabled": False,
        "IsPublicVisible": True,
        "IsSeatEnabled": False,
        "IsUnlimitedRoomEnabled": False,
        "CoverURL": "",
        "Category": [],
        "ActivityStatus": 0,
        "ViewCount": 0,
        "Notice": "",
    }


def test_room_keeps_every_documented_field(app):
    fields = {
        "SeatTemplate": "VideoDynamicGrid9Seats",
        "Owner_Account": "brennanli",
        "RoomName": 'live "name" \u76f4\u64ad \U0001f3a4',
        "TakeSeatMode": "ApplyToTake",
        "MaxSeatCount": 8,
        "MaxMemberCount": 400,
        "IsMessageDisabled": True,
        "IsPublicVisible": False,
        "IsSeatEnabled": True,
        "CoverURL": "https://example.com/cover.png",
        "Category": [1, 2, 3],
        "ActivityStatus": 1,
        "IsUnlimitedRoomEnabled": True,
        "SeatLayoutTemplateId": 600,
        "KeepOwnerOnSeat": False,
    }
    app.create("r", **fields).ok()
    info = info_of(app, "r")
    assert {name: info[name] for name in fields} == fields


def test_envelope_has_the_vendors_fields(app):
    for reply in (app.create("r"), app.create("r"), app.rest("get_room_list", {})):
        assert list(reply.body)[:4] == ["ActionStatus", "ErrorInfo", "ErrorCode", "RequestId"]
        assert re.fullmatch(r"Id-[0-9a-f]{32}-O-Seq-\d+", reply.body["RequestId"])
        assert reply.status == 200


def test_request_ids_differ(app):
    seen = {app.rest("get_room_list", {}).body["RequestId"] for _ in range(50)}
    assert len(seen) == 50


LIMITS = [
    ("RoomName", "x" * 100, "x" * 101),
    ("RoomName", "\u00e9" * 50, "\u00e9" * 50 + "x"),
    ("CoverURL", "u" * 200, "u" * 201),
    ("Owner_Account", "o" * 32, "o" * 33),
    ("Category", [1, 2, 3], [1, 2, 3, 4]),
    ("Category", [], ["1"]),
    ("Category", [-5], [1.5]),
    ("Category", [9223372036854775807], {}),
    ("MaxSeatCount", 1000, 1001),
    ("MaxSeatCount", 0, -1),
    ("MaxMemberCount", 2147483647, 2147483648),
    ("ActivityStatus", 2147483647, "1"),
    ("IsMessageDisabled", True, 1),
    ("IsSeatEnabled", False, "false"),
    ("IsPublicVisible", True, "true"),
    ("TakeSeatMode", "ApplyToTake", "applyToTake"),
    ("SeatTemplate", "Karaoke", "Other"),
    ("SeatTemplate", "karaoke", "Karaoke|karaoke"),
]


@pytest.mark.parametrize("field, good, bad", LIMITS)
def test_field_is_taken_up_to_its_limit_and_refused_beyond(app, field, good, bad):
    app.create("bad", **{field: bad}).refused(100002, field)
    app.create("good", **{field: good}).ok()
    assert info_of(app, "good")[field] == good
    assert app.room_ids() == (["good"] if field != "IsPublicVisible" or good else [])


@pytest.mark.parametrize("room_id", ["x", " ", "a b", "~!@#$%^&*()", '"\\/', "x" * 48, "0", "-1", "../../etc"])
def test_room_id_may_be_any_printable_ascii_up_to_48_bytes(app, room_id):
    app.create(room_id).ok()
    assert info_of(app, room_id)["RoomId"] == room_id
    assert app.room_ids() == [room_id]
    app.destroy(room_id).ok()
    assert app.room_ids() == []


@pytest.mark.parametrize("room_id", ["", "x" * 49, "a\tb", "a\nb", "\x7f", "caf\u00e9", "\u76f4\u64ad", 7, None, ["x"], True])
def test_room_id_that_is_no_id_is_refused(app, room_id):
    app.create(room_id).refused(100002, "RoomId")
    for command in ("destroy_room", "get_room_info"):
        app.rest(command, {"RoomId": room_id}).refused(100002, "RoomId")
    assert app.room_ids() == []


@pytest.mark.parametrize("room_type, code", [("Conference", 100015), ("live", 100015), ("", 100015), (None, 100002)])
def test_room_type_must_be_live(app, room_type, code):
    app.rest("create_room", {"RoomInfo": {"RoomId": "r", "RoomType": room_type}}).refused(code)
    assert app.room_ids() == []


@pytest.mark.parametrize("body", [{}, {"RoomInfo": None}, {"RoomInfo": []}, {"RoomInfo": "r"}, {"RoomId": "r"}])
def test_create_without_room_info_is_refused(app, body):
    app.rest("create_room", body).refused(100002, "RoomInfo")


def test_unknown_room_is_100004(app):
    app.rest("get_room_info", {"RoomId": "none"}).refused(100004)
    app.destroy("none").refused(100004)
    app.create("r").ok()
    app.destroy("r").ok()
    app.rest("get_room_info", {"RoomId": "r"}).refused(100004)
    app.destroy("r").refused(100004)


def test_destroyed_room_can_be_made_again_by_another(app):
    app.create_as("r", "alice", "Web").ok()
    app.destroy("r").ok()
    app.create_as("r", "bob", "Web").ok()
    assert info_of(app, "r")["Owner_Account"] == "bob"


def test_room_ids_differ_by_case(app):
    app.create("Room").ok()
    app.create("room").ok()
    assert sorted(app.room_ids()) == ["Room", "room"]


# ---- list ----


@pytest.mark.smoke
def test_list_is_paged_newest_first(app):
    names = [f"r{number:02}" for number in range(45)]
    for name in names:
        app.create(name).ok()
    first = page(app)
    second = page(app, first["Next"])
    third = page(app, second["Next"])
    pages = [[room["RoomId"] for room in answer["RoomList"]] for answer in (first, second, third)]
    assert [len(rooms) for rooms in pages] == [20, 20, 5]
    assert sum(pages, []) == names[::-1]
    assert third["Next"] == ""
    assert re.fullmatch(r"\d+-\d+", first["Next"])


def test_listed_room_has_the_documented_fields(app):
    app.create("r", RoomName="n", Category=[7], CoverURL="c", ActivityStatus=3, Owner_Account="alice").ok()
    room = page(app)["RoomList"][0]
    assert room.pop("CreateTime") > 1600000000
    assert room == {
        "RoomId": "r",
        "RoomName": "n",
        "Owner_Account": "alice",
        "CoverURL": "c",
        "Category": [7],
        "ActivityStatus": 3,
        "ViewCount": 0,
    }


def test_list_that_ends_with_a_page_ends(app):
    app.fill(1, 20)
    found, cursor = 0, ""
    for _ in range(3):
        answer = page(app, cursor)
        found += len(answer["RoomList"])
        cursor = answer["Next"]
        if not cursor:
            break
    assert (found, cursor) == (20, "")


@pytest.mark.parametrize("body", [{}, {"Next": ""}, {"Next": "0"}, {"Next": "", "Count": None}, {"Next": None, "Count": 20}])
def test_list_starts_in_every_way_that_callers_use(app, body):
    app.fill(1, 25)
    answer = app.rest("get_room_list", body).ok().response
    assert [room["RoomId"] for room in answer["RoomList"]] == [f"r{n}" for n in range(25, 5, -1)]


def test_list_keeps_to_count(app):
    app.fill(1, 5)
    answer = page(app, count=2)
    assert [room["RoomId"] for room in answer["RoomList"]] == ["r5", "r4"]
    answer = page(app, answer["Next"], count=1)
    assert [room["RoomId"] for room in answer["RoomList"]] == ["r3"]


@pytest.mark.parametrize("body", [{"Count": 0}, {"Count": 21}, {"Count": -1}, {"Count": "20"}, {"Count": 1.5}])
def test_count_out_of_range_is_refused(app, body):
    app.rest("get_room_list", {"Next": "", **body}).refused(100002, "Count", "1 to 20")


@pytest.mark.parametrize("cursor", ["undefined", "1", "x-y", "1-", "-", "1--2", "1-99999999999999999999", "1-2x", 5, "9" * 65])
def test_next_that_no_page_gave_is_refused(app, cursor):
    app.rest("get_room_list", {"Next": cursor, "Count": 20}).refused(100002, "Next")


def test_list_of_nothing_is_empty(app):
    assert page(app) == {"Next": "", "RoomList": []}


def test_hidden_rooms_count_but_are_not_listed(backend, app):
    app.create("seen").ok()
    app.create("hidden", IsPublicVisible=False).ok()
    assert app.room_ids() == ["seen"]
    assert backend.show()["RoomCount"] == 2
    assert info_of(app, "hidden")["IsPublicVisible"] is False


def test_pages_stay_stable_while_rooms_come_and_go(app):
    app.fill(1, 60)
    kept = {f"r{n}" for n in range(1, 61)} - {"r60", "r41", "r39", "r5"}
    seen, cursor, round_number = [], "", 0
    while True:
        answer = page(app, cursor)
        seen += [room["RoomId"] for room in answer["RoomList"]]
        cursor = answer["Next"]
        if not cursor:
            break
        if round_number == 0:
            for gone in ("r60", "r41", "r39", "r5"):
                app.destroy(gone).ok()
        app.create(f"new{round_number}").ok()
        round_number += 1
    assert round_number == 2
    assert len(seen) == len(set(seen)), "a room was listed twice"
    assert kept <= set(seen), "a room that was there all the time was left out"
    assert not {"r39", "r5"} & set(seen), "a room that was gone was listed"


def test_a_cursor_outlives_its_room(app):
    app.fill(1, 4)
    answer = page(app, count=2)
    app.destroy("r3").ok()
    assert [room["RoomId"] for room in page(app, answer["Next"])["RoomList"]] == ["r2", "r1"]


# ---- owners ----


def test_owner_is_the_caller_unless_an_admin_names_another(app):
    app.create("mine").ok()
    app.create("yours", Owner_Account="alice").ok()
    app.create("blank", Owner_Account="").ok()
    app.create_as("own", "bob", "Web").ok()
    app.create_as("named", "bob", "Web", Owner_Account="bob").ok()
    owners = {room["RoomId"]: room["Owner_Account"] for room in page(app)["RoomList"]}
    assert owners == {
        "mine": "administrator",
        "yours": "alice",
        "blank": "administrator",
        "own": "bob",
        "named": "bob",
    }


def test_client_cannot_create_for_another(app):
    app.create_as("r", "bob", "Web", Owner_Account="alice").refused(100006, "Owner_Account")
    assert app.room_ids() == []


def test_client_destroys_only_its_own(app):
    app.create_as("r", "alice", "Web").ok()
    app.user("destroy_room", {"RoomId": "r"}, "bob", "Web").refused(100006)
    assert app.room_ids() == ["r"]
    app.user("destroy_room", {"RoomId": "r"}, "alice", "Web").ok()
    assert app.room_ids() == []


def test_admin_destroys_any_over_rest(app):
    app.create_as("r", "alice", "Web").ok()
    app.destroy("r").ok()


def test_admin_as_a_client_is_a_client(app):
    app.create_as("r", "alice", "Web").ok()
    app.user("destroy_room", {"RoomId": "r"}, "administrator", "Web").refused(100006)


@pytest.mark.smoke
def test_id_in_use_is_100010_for_its_owner_and_100003_for_others(app):
    app.create_as("r", "alice", "Web", RoomName="first").ok()
    app.create_as("r", "alice", "iOS", RoomName="second").refused(100010, "RoomId")
    app.create("r", Owner_Account="alice").refused(100010, "RoomId")
    app.create_as("r", "bob", "Web").refused(100003, "RoomId")
    app.create("r").refused(100003, "RoomId")
    assert info_of(app, "r")["RoomName"] == "first", "a refused creation changes nothing"


@pytest.mark.parametrize("identifier", ["a", "A_b-1", "x" * 32, "@RBT#001", "user@example.com", "%41", "a+b"])
def test_identifiers_of_all_kinds_own_rooms(app, identifier):
    app.create_as("r", identifier, "Web").ok()
    assert info_of(app, "r")["Owner_Account"] == identifier
    app.user("destroy_room", {"RoomId": "r"}, identifier, "Web").ok()


# ---- what real callers do ----


@pytest.mark.parametrize("random", ["1739966441121", "", None, "x", "4294967296"])
def test_random_of_any_kind_is_taken(app, random):
    body = {"RoomInfo": {"RoomId": "r", "RoomType": "Live"}}
    app.rest("create_room", body, random=random).ok()


@pytest.mark.parametrize("contenttype", ["json", "JSON", None])
def test_contenttype_may_be_json_in_any_case_or_absent(app, contenttype):
    app.rest("get_room_list", {"Next": ""}, contenttype=contenttype).ok()


def test_unknown_fields_are_ignored(app):
    extra = {"CustomInfo": {"deep": [1, {"x": None}]}, "SortDirection": "descend", "KeepOwnerOnSeat": True}
    app.rest("create_room", {"RoomInfo": {"RoomId": "r", "RoomType": "Live", **extra}, "Other": [[]]}).ok()
    app.rest("get_room_list", {"Next": "0", "Count": 20, "SortDirection": "descend"}).ok()
    assert "SortDirection" not in info_of(app, "r")


def test_null_fields_are_absent_ones(app):
    nulls = dict.fromkeys(["RoomName", "Owner_Account", "MaxSeatCount", "Category", "IsPublicVisible", "SeatTemplate"])
    app.create("r", **nulls).ok()
    info = info_of(app, "r")
    assert (info["RoomName"], info["Owner_Account"], info["IsPublicVisible"]) == ("r", "administrator", True)


def test_connection_close_is_answered_and_closed(backend, app):
    body = b'{"RoomInfo":{"RoomId":"r","RoomType":"Live"}}'
    with wire.Raw(backend.port) as raw:
        raw.send(
            f"POST /v4/live_engine_http_srv/create_room?{app.query()} HTTP/1.1\r\nHost: h\r\n"
            f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode(),
            body,
        )
        raw.reply().ok()
        assert raw.rest() == b""


def test_kept_connection_serves_many_calls(backend, app):
    with wire.Raw(backend.port) as raw:
        for number in range(5):
            body = b'{"RoomInfo":{"RoomId":"r%d","RoomType":"Live"}}' % number
            raw.send(
                f"POST /v4/live_engine_http_srv/create_room?{app.query()} HTTP/1.1\r\nHost: h\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode(),
                body,
            )
            assert raw.reply().ok().response["RoomId"] == f"r{number}"


def test_http_1_0_is_served(backend, app):
    with wire.Raw(backend.port) as raw:
        raw.send(
            f"POST /v4/live_engine_http_srv/get_room_list?{app.query()} HTTP/1.0\r\nContent-Length: 2\r\n\r\n".encode(),
            b"{}",
        )
        raw.reply().ok()
        assert raw.rest() == b""


def test_absolute_form_target_is_served(backend, app):
    path = f"http://console.tim.qq.com/v4/live_engine_http_srv/create_room?{app.query()}"
    app.client.post(path, {"RoomInfo": {"RoomId": "r", "RoomType": "Live"}}).ok()
    assert app.room_ids() == ["r"]


def test_chunked_body_is_served(backend, app):
    body = b'{"RoomInfo":{"RoomId":"r","RoomType":"Live"}}'
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:])) + b"0\r\n\r\n"
    with wire.Raw(backend.port) as raw:
        raw.send(
            f"POST /v4/live_engine_http_srv/create_room?{app.query()} HTTP/1.1\r\nHost: h\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode(),
            pieces,
        )
        raw.reply().ok()
    assert app.room_ids() == ["r"]


def test_expect_100_continue_is_served(backend, app):
    body = b'{"RoomInfo":{"RoomId":"r","RoomType":"Live"}}'
    with wire.Raw(backend.port) as raw:
        raw.send(
            f"POST /v4/live_engine_http_srv/create_room?{app.query()} HTTP/1.1\r\nHost: h\r\n"
            f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        assert raw.input.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert raw.input.readline() == b"\r\n"
        raw.send(body)
        raw.reply().ok()


def usersig_with_star(app):
    now = int(time.time())
    for back in range(2000):
        sig = wire.usersig(app.sdkappid, "administrator", app.key, now=now - back)
        if "*" in sig:
            return sig
    raise AssertionError("no UserSig with a star")


@pytest.mark.parametrize("safe", ["*", ""])
def test_star_of_a_usersig_may_be_percent_encoded(app, safe):
    query = f"sdkappid={app.sdkappid}&identifier=administrator&random=1&contenttype=json&usersig="
    query += urllib.parse.quote(usersig_with_star(app), safe=safe)
    assert ("%2A" in query) == (safe == "")
    app.client.post(f"/v4/live_engine_http_srv/get_room_list?{query}", {}).ok()


def test_usersig_with_userbuf_is_accepted(app):
    sig = wire.usersig(app.sdkappid, "administrator", app.key, userbuf=b"abc")
    app.rest("get_room_list", {}, usersig=sig).ok()


def test_parameters_in_any_order_and_unknown_ones(app):
    parts = urllib.parse.parse_qsl(app.query())[::-1] + [("ver", "4"), ("empty", "")]
    app.client.post(f"/v4/live_engine_http_srv/get_room_list?{urllib.parse.urlencode(parts)}", {}).ok()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_refused_and_change_nothing(app, method):
    path = f"/v4/live_engine_http_srv/create_room?{app.query()}"
    body = None if method in ("GET", "HEAD") else {"RoomInfo": {"RoomId": "r", "RoomType": "Live"}}
    reply = app.client.post(path, body, method=method)
    assert reply.status == 200
    if method == "HEAD":
        assert reply.raw == b""
    else:
        reply.refused(60002, "POST")
    assert app.room_ids() == []


def test_health_answers_get_without_any_signature(backend):
    client = backend.client()
    client.post("/healthz", None, method="GET").ok()
    assert client.post("/healthz", None, method="HEAD").status == 200
    client.close()


def test_same_room_by_many_at_once_is_made_once(backend, app):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:

        def create(worker):
            mine = app.over(backend.client())
            return [mine.create_as(f"r{n}", f"user{worker}", "Web").code for n in range(20)]

        codes = [code for made in pool.map(create, range(8)) for code in made]
    assert codes.count(0) == 20
    assert codes.count(100003) == 140
    assert len(app.room_ids()) == backend.show()["RoomCount"] == 20


def test_rooms_survive_a_restart(backend, app):
    app.create("r", RoomName="kept", Owner_Account="alice").ok()
    before = info_of(app, "r")
    cursor_before = page(app, count=1)["Next"]
    app.client.close()
    assert backend.stop() == 0
    backend.start()
    again = app.over(backend.client())
    assert info_of(again, "r") == before
    again.create("later").ok()
    assert [room["RoomId"] for room in page(again)["RoomList"]] == ["later", "r"]
    assert page(again, cursor_before)["RoomList"] == []
    assert json.loads(json.dumps(backend.show()))["RoomCount"] == 2
