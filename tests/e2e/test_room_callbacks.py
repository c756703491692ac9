"""The callbacks about rooms: what each says to the byte, when it is made and when not, their order and their delivery.

`CallbackSequence` of an app counts the callbacks ever made and is stored with what caused them, so "none was made" is
exact and needs no waiting.
"""

import collections
import http.client
import json
import random
import re
import time

import pytest

import wire

CREATED = "Live.CallbackAfterCreateRoom"
DESTROYED = "Live.CallbackAfterDestroyRoom"
UPDATED = "Live.CallbackAfterUpdateRoomInfo"
METADATA_SET = "Live.CallbackAfterSetMetadata"
METADATA_DELETED = "Live.CallbackAfterDelMetadata"
OWNER = "Live.CallbackAfterChangeOwner"
ADMIN = "Live.CallbackAfterModifyAdmin"
PRODUCED = [CREATED, DESTROYED, UPDATED, METADATA_SET, METADATA_DELETED, OWNER, ADMIN]
STATISTIC = dict.fromkeys(
    ["TotalViewers", "TotalGiftsSent", "TotalGiftCoins", "TotalUniqueGiftSenders", "TotalLikesReceived"], 0
)
FIELDS = {
    "RoomName": "name",
    "MaxMemberCount": 7,
    "IsMessageDisabled": True,
    "CoverURL": "https://example.com/cover.png",
    "Category": [1, 2],
    "ActivityStatus": 3,
    "TakeSeatMode": "ApplyToTake",
    "MaxSeatCount": 8,
    "IsSeatEnabled": True,
    "IsUnlimitedRoomEnabled": True,
    "Notice": "note",
}


def packed(body):
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


class Scene:
    """An app with its receiver; collects what should arrive, in order."""

    def __init__(self, backend, receiver, commands, **fields):
        self.backend = backend
        self.receiver = receiver
        self.app = backend.app(callback=receiver.url + "/cb", commands=commands, **fields)
        self.began = int(time.time() * 1000)

    def made(self):
        return self.backend.made(self.app.sdkappid)

    def arrived(self, count):
        """The requests in the order of their events; there must be `count` and no more."""
        assert self.made() == count
        self.receiver.wait_until(lambda requests: len({r["headers"]["webhook-id"] for r in requests}) >= count)
        rows = self.backend.wait_deliveries(lambda rows: all(row["State"] == "delivered" for row in rows))
        found = self.receiver.by_sequence()
        assert [int(request["headers"]["highwater-sequence"]) for request in found] == list(range(1, count + 1))
        assert [row["WebhookId"] for row in rows] == [request["headers"]["webhook-id"] for request in found]
        assert [row["Body"] for row in rows] == [request["body"] for request in found]
        return found

    def commands(self, count):
        return [request["body"]["CallbackCommand"] for request in self.arrived(count)]

    def check(self, request, body, platform="RESTAPI"):
        """The request is that of `body`, in which EventTime and CreateTime are filled in from it."""
        event_time = request["body"]["EventTime"]
        assert self.began <= event_time <= int(time.time() * 1000)
        body["EventTime"] = event_time
        if "CreateTime" in body.get("RoomInfo", {}):
            assert isinstance(request["body"]["RoomInfo"]["CreateTime"], int)
            assert self.began // 1000 <= request["body"]["RoomInfo"]["CreateTime"] <= event_time // 1000
            body["RoomInfo"]["CreateTime"] = request["body"]["RoomInfo"]["CreateTime"]
        assert request["raw"] == packed(body)
        assert request["path"] == (
            f"/cb?SdkAppid={self.app.sdkappid}&CallbackCommand={body['CallbackCommand']}"
            f"&contenttype=json&ClientIP=127.0.0.1&OptPlatform={platform}"
        )
        headers = request["headers"]
        assert headers["content-type"] == "application/json"
        assert headers["content-length"] == str(len(request["raw"]))
        assert re.fullmatch(r"evt_[0-9a-f]{32}", headers["webhook-id"])
        assert abs(int(headers["webhook-timestamp"]) - request["time"]) < 30
        assert headers["highwater-attempt"] == "1"
        assert "highwater-threshold" not in headers


@pytest.fixture
def scene(backend, receiver):
    """All that is ever produced is switched on, but the alert."""
    return Scene(backend, receiver, PRODUCED)


# ---- what each says ----


def created(room_id, owner, operator, **fields):
    info = {**dict.fromkeys(FIELDS, None), **fields}
    return {
        "CallbackCommand": CREATED,
        "Operator_Account": operator,
        "RoomInfo": {
            "RoomId": room_id,
            "RoomName": info["RoomName"] or room_id,
            "RoomType": "Live",
            "Owner_Account": owner,
            "MaxMemberCount": info["MaxMemberCount"] or 0,
            "IsMessageDisabled": bool(info["IsMessageDisabled"]),
            "CustomInfo": "",
            "IsSeatEnabled": bool(info["IsSeatEnabled"]),
            "TakeSeatMode": info["TakeSeatMode"] or "FreeToTake",
            "MaxSeatCount": info["MaxSeatCount"] or 0,
            "CreateTime": None,
            "IsPublicVisible": info.get("IsPublicVisible", True),
            "CoverURL": info["CoverURL"] or "",
            "Category": info["Category"] or [],
        },
        "EventTime": None,
    }


def destroyed(room_id, owner, operator, **fields):
    info = {**dict.fromkeys(FIELDS, None), **fields}
    return {
        "CallbackCommand": DESTROYED,
        "Operator_Account": operator,
        "RoomId": room_id,
        "EventType": "DestroyByUser",
        "EventTime": None,
        "RoomInfo": {
            "RoomName": info["RoomName"] or room_id,
            "RoomType": "Live",
            "Owner_Account": owner,
            "IsSeatEnabled": bool(info["IsSeatEnabled"]),
            "TakeSeatMode": info["TakeSeatMode"] or "FreeToTake",
            "MaxMemberCount": info["MaxMemberCount"] or 0,
            "MaxSeatCount": info["MaxSeatCount"] or 0,
            "Category": info["Category"] or [],
            "CustomInfo": "",
            "IsMessageDisabled": bool(info["IsMessageDisabled"]),
            "CoverURL": info["CoverURL"] or "",
            "ActivityStatus": info["ActivityStatus"] or 0,
            "IsPublicVisible": info.get("IsPublicVisible", True),
            "ViewCount": 0,
            "BackgroundURL": "",
            "IsUnlimitedRoomEnabled": bool(info["IsUnlimitedRoomEnabled"]),
        },
        "Statistic": STATISTIC,
    }


def updated(room_id, operator, **fields):
    info = {**dict.fromkeys(FIELDS, None), **fields}
    return {
        "CallbackCommand": UPDATED,
        "Operator_Account": operator,
        "RoomInfo": {
            "RoomId": room_id,
            "RoomName": info["RoomName"] or room_id,
            "MaxMemberCount": info["MaxMemberCount"] or 0,
            "IsMessageDisabled": bool(info["IsMessageDisabled"]),
            "CoverURL": info["CoverURL"] or "",
            "Category": info["Category"] or [],
            "ActivityStatus": info["ActivityStatus"] or 0,
            "IsPublicVisible": info.get("IsPublicVisible", True),
            "TakeSeatMode": info["TakeSeatMode"] or "FreeToTake",
            "Notice": info["Notice"] or "",
            "CustomInfo": "",
        },
        "EventTime": None,
    }


def metadata_set(operator, values, room_id="r"):
    return {
        "CallbackCommand": METADATA_SET,
        "Operator_Account": operator,
        "RoomId": room_id,
        "Metadata": wire.metadata_list(values),
        "EventTime": None,
    }


def metadata_deleted(operator, keys, room_id="r"):
    return {
        "CallbackCommand": METADATA_DELETED,
        "Operator_Account": operator,
        "RoomId": room_id,
        "Keys": keys,
        "EventTime": None,
    }


def owner_changed(operator, new, old, room_id="r"):
    return {
        "CallbackCommand": OWNER,
        "RoomId": room_id,
        "EventTime": None,
        "Operator_Account": operator,
        "CurrentOwner_Account": new,
        "OriginalOwner_Account": old,
    }


def admin_modified(operator, accounts, op, room_id="r"):
    return {
        "CallbackCommand": ADMIN,
        "RoomId": room_id,
        "EventTime": None,
        "Operator_Account": operator,
        "Admin_Account": accounts,
        "opType": op,
    }


@pytest.mark.smoke
def test_callbacks_of_the_server_api_are_the_documented_ones_byte_for_byte(scene):
    app, who = scene.app, "administrator"
    app.create("r", Owner_Account="alice", **FIELDS).ok()
    app.update("r", RoomName="changed", Notice="").bare()
    app.set_metadata("r", {"b": "1", "a": "two"}).bare()
    app.in_room("del_room_metadata", Keys=["b"]).bare()
    app.in_room("change_room_owner", NewOwner_Account="bob").bare()
    app.admins("r", "dave", "carol").bare()
    app.admins("r", "dave", op="delete").bare()
    app.destroy("r").ok()
    changed = {**FIELDS, "RoomName": "changed", "Notice": ""}
    expected = [
        created("r", "alice", who, **FIELDS),
        updated("r", who, **changed),
        metadata_set(who, {"b": "1", "a": "two"}),
        metadata_deleted(who, ["b"]),
        owner_changed(who, "bob", "alice"),
        admin_modified(who, ["dave", "carol"], "add"),
        admin_modified(who, ["dave"], "delete"),
        destroyed("r", "bob", who, **changed),
    ]
    for request, body in zip(scene.arrived(len(expected)), expected, strict=True):
        scene.check(request, body)


@pytest.mark.parametrize("platform, shown", [("iOS", "iOS"), ("macOS", "Mac"), ("Toaster", "Unknown"), (None, "Unknown")])
def test_callbacks_of_the_client_path_name_user_and_platform(scene, platform, shown):
    app = scene.app

    def user(command, **fields):
        return app.user(command, {"RoomId": "r", **fields}, "alice", platform)

    app.create_as("r", "alice", platform).ok()
    app.update_as("r", "alice", platform, IsPublicVisible=False).bare()
    user("set_room_metadata", Metadata=[{"Key": "k", "Value": "v"}]).bare()
    user("del_room_metadata", Keys=["k"]).bare()
    user("destroy_room").ok()
    expected = [
        created("r", "alice", "alice"),
        updated("r", "alice", IsPublicVisible=False),
        metadata_set("alice", {"k": "v"}),
        metadata_deleted("alice", ["k"]),
        destroyed("r", "alice", "alice", IsPublicVisible=False),
    ]
    for request, body in zip(scene.arrived(len(expected)), expected, strict=True):
        scene.check(request, body, shown)


def test_room_admin_is_the_operator_of_what_he_does(scene):
    scene.app.create("r", Owner_Account="alice").ok()
    scene.app.admins("r", "carol").bare()
    scene.app.update_as("r", "carol", "Web", Notice="n").bare()
    scene.check(scene.arrived(3)[2], updated("r", "carol", Notice="n"), "Web")


def test_rest_operator_is_the_admin_who_called(backend, receiver):
    scene = Scene(backend, receiver, [CREATED], Admins=["administrator", "brennanli"])
    scene.app.rest("create_room", {"RoomInfo": {"RoomId": "r", "RoomType": "Live"}}, identifier="brennanli").ok()
    scene.check(scene.arrived(1)[0], created("r", "brennanli", "brennanli"))


def test_signed_like_the_alert(backend, receiver):
    app = backend.app(callback=receiver.url + "/x?tenant=7", token="xxxxyyyy", commands=PRODUCED)
    app.create("r").ok()
    app.destroy("r").ok()
    receiver.wait_for(2)
    for request in receiver.requests:
        assert [name for name, _ in request["query"]] == [
            "tenant", "SdkAppid", "CallbackCommand", "contenttype", "ClientIP", "OptPlatform", "Sign", "RequestTime"
        ]  # fmt: skip
        assert request["params"]["Sign"] == wire.sign("xxxxyyyy", request["params"]["RequestTime"])
        assert request["params"]["CallbackCommand"] == request["body"]["CallbackCommand"]


TEXT = 'live "name" \\ \u76f4\u64ad \U0001f3a4'


def test_text_of_all_kinds_arrives_whole(scene):
    values = {"\u00e9": "".join(chr(code) for code in range(1, 128)) + TEXT, "k": '"' * 2048}
    scene.app.create("r", RoomName=TEXT).ok()
    scene.app.update("r", Notice=TEXT).bare()
    scene.app.set_metadata("r", values).bare()
    scene.app.in_room("del_room_metadata", Keys=list(values)).bare()
    scene.app.destroy("r").ok()
    found = [request["body"] for request in scene.arrived(5)]
    assert found[0]["RoomInfo"]["RoomName"] == found[4]["RoomInfo"]["RoomName"] == TEXT
    assert found[1]["RoomInfo"]["Notice"] == TEXT
    assert found[2]["Metadata"] == wire.metadata_list(values)
    assert sorted(found[3]["Keys"]) == sorted(values)


def test_largest_metadata_arrives_whole(scene):
    values = {str(number) + "k" * 49: '"' * 2048 for number in range(8)}
    scene.app.create("r").ok()
    scene.app.set_metadata("r", values).bare()
    assert scene.arrived(2)[1]["body"]["Metadata"] == wire.metadata_list(values)


# ---- when one is made, and when not ----


def play(app):
    """Does everything that makes a callback. Returns the kinds in order."""
    app.create("r", Owner_Account="alice").ok()
    app.update("r", RoomName="n").bare()
    app.set_metadata("r", {"k": "v"}).bare()
    app.in_room("del_room_metadata", Keys=["k"]).bare()
    app.in_room("change_room_owner", NewOwner_Account="bob").bare()
    app.admins("r", "carol").bare()
    app.destroy("r").ok()
    return [CREATED, UPDATED, METADATA_SET, METADATA_DELETED, OWNER, ADMIN, DESTROYED]


@pytest.mark.parametrize("command", PRODUCED)
def test_each_is_made_only_when_its_switch_is_on(backend, receiver, command):
    scene = Scene(backend, receiver, [command])
    play(scene.app)
    assert scene.commands(1) == [command]
    others = [other for other in PRODUCED if other != command]
    scene.app.config("update_callback", {"Url": receiver.url, "CallbackCommandList": others}).ok()
    expected = [command] + [kind for kind in play(scene.app) if kind != command]
    assert scene.commands(len(expected)) == expected


def test_none_is_made_without_a_switch_or_a_url(backend, receiver):
    scene = Scene(backend, receiver, [])
    play(scene.app)
    assert scene.made() == 0
    scene.app.config("delete_callback", {}).ok()
    play(scene.app)
    assert scene.made() == 0


@pytest.mark.parametrize("command", wire.NEVER_PRODUCED)
def test_word_that_is_never_produced_can_be_switched_on(backend, receiver, command):
    scene = Scene(backend, receiver, [command])
    assert scene.app.config("get_callback", {}).ok().response["CallbackCommandList"] == [command]
    play(scene.app)
    scene.app.create("r").ok()
    scene.app.in_room("mute_member", MemberList_Account=["bob"], MuteTime=60).bare()
    scene.app.in_room("ban_member", MemberList_Account=["bob"], Duration=60).bare()
    scene.app.in_room("add_robot", RobotList_Account=["bob"]).bare()
    assert scene.made() == 0
    assert receiver.requests == []


def test_what_makes_no_callback_makes_none(scene):
    app = scene.app
    app.create("r", Owner_Account="alice").ok()
    app.set_metadata("r", {"k": "v"}).bare()
    app.admins("r", "carol").bare()
    before = scene.made()
    app.in_room("mute_member", MemberList_Account=["bob"], MuteTime=60).bare()
    app.in_room("mute_member", MemberList_Account=["bob"], MuteTime=0).bare()
    app.in_room("ban_member", MemberList_Account=["bob"], Duration=60).bare()
    app.in_room("unban_member", MemberList_Account=["bob"]).bare()
    app.in_room("add_robot", RobotList_Account=["bob"]).bare()
    app.in_room("del_robot", RobotList_Account=["bob"]).bare()
    app.login("account_import", {"UserID": "bob"}).bare()
    app.info("r")
    app.metadata("r")
    app.room_ids()
    assert scene.made() == before


def test_update_that_gives_nothing_makes_none(scene):
    scene.app.create("r").ok()
    scene.app.update("r").bare()
    scene.app.update("r", RoomName=None, RoomType="Live", MaxSeatCount=5, Unknown=1).bare()
    assert scene.made() == 1


def test_update_that_gives_the_values_there_are_makes_one(scene):
    scene.app.create("r", RoomName="n", Category=[1]).ok()
    scene.app.update("r", RoomName="n", Category=[1], IsPublicVisible=True, Notice="").bare()
    scene.check(scene.arrived(2)[1], updated("r", "administrator", RoomName="n", Category=[1]))


def test_owner_that_stays_makes_none(scene):
    scene.app.create("r", Owner_Account="alice").ok()
    scene.app.in_room("change_room_owner", NewOwner_Account="alice").bare()
    assert scene.made() == 1


def test_deleted_keys_are_those_that_existed(scene):
    scene.app.create("r").ok()
    scene.app.set_metadata("r", {"a": "1", "b": "2", "c": "3"}).bare()
    scene.app.in_room("del_room_metadata", Keys=["none", "c", "a", "c"]).bare()
    keys = scene.arrived(3)[2]["body"]["Keys"]
    assert sorted(keys) == ["a", "c"]


def test_metadata_callback_has_what_this_call_set(scene):
    scene.app.create("r").ok()
    scene.app.set_metadata("r", {"a": "1", "b": "2"}).bare()
    twice = [{"Key": "a", "Value": "first"}, {"Key": "a", "Value": "last"}]
    scene.app.in_room("set_room_metadata", Metadata=twice).bare()
    metadata = scene.arrived(3)[2]["body"]["Metadata"]
    assert metadata[-1] == {"Key": "a", "Value": "last"}
    assert {one["Key"] for one in metadata} == {"a"}


def test_refused_calls_make_none(scene):
    app = scene.app
    app.create("r", Owner_Account="alice").ok()
    app.create("r", Owner_Account="alice").refused(100010)
    app.create("r").refused(100003)
    app.create("q", RoomName="x" * 101).refused(100002)
    app.update("r", RoomName="x" * 101).refused(100002)
    app.update("none", RoomName="x").refused(100004)
    app.update_as("r", "bob", RoomName="x").refused(100006)
    app.set_metadata("r", {"": "v"}).refused(100504)
    app.set_metadata("none", {"k": "v"}).refused(100004)
    app.in_room("del_room_metadata", Keys=["k"]).refused(100503)
    app.in_room("change_room_owner", NewOwner_Account="a b").refused(100002)
    app.in_room("change_room_owner", "none", NewOwner_Account="bob").refused(100004)
    app.admins("r", *"abcde").bare()
    app.admins("r", "f").refused(100020)
    app.admins("none", "f").refused(100004)
    app.destroy("none").refused(100004)
    app.user("destroy_room", {"RoomId": "r"}, "bob", "Web").refused(100006)
    assert scene.commands(2) == [CREATED, ADMIN]


# ---- order ----


@pytest.mark.smoke
def test_creation_comes_before_its_alert(backend, receiver):
    scene = Scene(backend, receiver, [wire.ALERT, CREATED], MaxRoomCount=4, Thresholds=[50])
    for number in range(4):
        scene.app.create(f"r{number}").ok()
    found = scene.arrived(7)
    kinds = [request["body"]["CallbackCommand"] for request in found]
    assert kinds == [CREATED, CREATED, wire.ALERT, CREATED, wire.ALERT, CREATED, wire.ALERT]
    thresholds = [request["headers"].get("highwater-threshold") for request in found]
    assert thresholds == [None, None, "50", None, "50", None, "50"]
    assert [r["body"]["CurRoomCount"] for r in found if "CurRoomCount" in r["body"]] == [2, 3, 4]
    rooms = [request["body"]["RoomInfo"]["RoomId"] for request in found if "RoomInfo" in request["body"]]
    assert rooms == ["r0", "r1", "r2", "r3"]
    assert found[1]["body"]["EventTime"] == found[2]["body"]["EventTime"], "one event"


def test_one_sequence_without_gaps_over_all_kinds(backend, receiver):
    scene = Scene(backend, receiver, [*PRODUCED, wire.ALERT], MaxRoomCount=1, Thresholds=[1])
    expected = []
    for _ in range(5):
        kinds = play(scene.app)
        expected += [kinds[0], wire.ALERT, *kinds[1:]]
    assert scene.commands(len(expected)) == expected


def test_apps_have_sequences_of_their_own(backend, make_receiver):
    receivers = [make_receiver() for _ in range(2)]
    apps = [backend.app(1400000001 + n, callback=receivers[n].url, commands=PRODUCED) for n in range(2)]
    for _ in range(3):
        for app in apps:
            play(app)
    for app, receiver in zip(apps, receivers):
        assert backend.made(app.sdkappid) == 21
        receiver.wait_for(21)
        found = receiver.by_sequence()
        assert [int(request["headers"]["highwater-sequence"]) for request in found] == list(range(1, 22))
        assert {request["params"]["SdkAppid"] for request in found} == {str(app.sdkappid)}


def test_callbacks_are_listed(backend, receiver):
    scene = Scene(backend, receiver, PRODUCED)
    kinds = play(scene.app)
    found = scene.arrived(len(kinds))
    for row, request in zip(backend.deliveries(), found, strict=True):
        assert row["CallbackCommand"] == request["body"]["CallbackCommand"]
        assert (row["State"], row["HttpStatus"], row["Error"], row["Threshold"]) == ("delivered", 200, "", 0)
        assert row["EventTime"] == request["body"]["EventTime"]


# ---- delivery ----


def test_receiver_that_was_down_gets_all_of_them(backend, receiver):
    scene = Scene(backend, receiver, [*PRODUCED, wire.ALERT], MaxRoomCount=1, Thresholds=[1])
    receiver.down()
    kinds = play(scene.app)
    expected = [kinds[0], wire.ALERT, *kinds[1:]]
    backend.wait_deliveries(lambda rows: rows[0]["Attempts"] >= 2)
    assert backend.show()["CallbackPending"] == len(expected)
    receiver.up()
    assert scene.commands(len(expected)) == expected
    assert len(receiver.requests) == len(expected), "each was accepted once"


def test_same_bytes_at_every_attempt(backend, make_receiver):
    receiver = make_receiver(lambda number, request: (200, {}, wire.OK_REPLY) if number > 20 else (500, {}, b""))
    scene = Scene(backend, receiver, PRODUCED)
    kinds = play(scene.app)
    scene.arrived(len(kinds))
    by_id = collections.defaultdict(set)
    for request in receiver.requests:
        by_id[request["headers"]["webhook-id"]].add((request["raw"], request["path"], request["headers"]["highwater-sequence"]))
    assert [len(variants) for variants in by_id.values()] == [1] * len(kinds)


GONE = (OSError, http.client.HTTPException)


class Player:
    """Makes calls until the backend is gone; knows which were acknowledged, and the one whose answer was lost."""

    def __init__(self):
        self.acknowledged = []  # (kind, room)
        self.unknown = []

    def call(self, kind, room, make):
        self.unknown.append((kind, room))
        make().ok()
        self.acknowledged.append(self.unknown.pop())

    def live(self, app, room):
        """The whole life of one room."""
        self.call(CREATED, room, lambda: app.create(room, Owner_Account="alice"))
        self.call(UPDATED, room, lambda: app.update(room, RoomName="n"))
        self.call(METADATA_SET, room, lambda: app.set_metadata(room, {"k": "v"}))
        self.call(METADATA_DELETED, room, lambda: app.in_room("del_room_metadata", room, Keys=["k"]))
        self.call(OWNER, room, lambda: app.in_room("change_room_owner", room, NewOwner_Account="bob"))
        self.call(ADMIN, room, lambda: app.admins(room, "carol"))
        self.call(DESTROYED, room, lambda: app.destroy(room))


def test_kill_between_commit_and_delivery_loses_none(make_backend, receiver):
    """The receiver is down, so nothing that was committed before a kill has been delivered."""
    dice = random.Random(20260201)
    backend = make_backend()
    app = backend.app(MaxRoomCount=1000, callback=receiver.url, commands=PRODUCED)
    receiver.down()
    player = Player()
    for number in range(6):
        mine = app.over(backend.client(once=True))
        for life in range(dice.randrange(1, 4)):
            player.live(mine, f"whole-{number}-{life}")
        calls = dice.randrange(6)
        room = f"cut-{number}"
        with wire.Raw(backend.port) as raw:  # its answer is not awaited: the kill may come before or after the commit
            player.call(CREATED, room, lambda: mine.create(room))
            for step in range(calls):
                player.call(UPDATED, room, lambda: mine.update(room, MaxMemberCount=step + 1))
            body = b'{"RoomId":"%s"}' % room.encode()
            player.unknown.append((DESTROYED, room))
            raw.send(
                f"POST /v4/live_engine_http_srv/destroy_room?{app.query()} HTTP/1.1\r\nHost: h\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode(),
                body,
            )
            backend.kill()
        mine.client.close()
        backend.start()
    assert backend.made() == backend.show()["CallbackPending"] >= len(player.acknowledged)
    receiver.up()
    wire.wait(lambda: backend.show()["CallbackPending"] == 0, 60, "all callbacks to be delivered")

    by_sequence = {}
    for request in receiver.requests:
        sequence = int(request["headers"]["highwater-sequence"])
        event = (request["headers"]["webhook-id"], request["raw"])
        assert by_sequence.setdefault(sequence, event) == event, "an event changed"
    assert sorted(by_sequence) == list(range(1, backend.made() + 1))
    assert len({event for event, _ in by_sequence.values()}) == len(by_sequence), "one event, two ids"
    bodies = [json.loads(by_sequence[sequence][1]) for sequence in sorted(by_sequence)]
    told = collections.Counter(
        (body["CallbackCommand"], body.get("RoomId") or body["RoomInfo"]["RoomId"]) for body in bodies
    )
    acknowledged = collections.Counter(player.acknowledged)
    assert not acknowledged - told, "acknowledged, and no callback"
    assert not told - acknowledged - collections.Counter(player.unknown), "a callback, and nothing happened"
    life = [kind for kind, room in told if room == "whole-0-0"]
    assert life == [CREATED, UPDATED, METADATA_SET, METADATA_DELETED, OWNER, ADMIN, DESTROYED]
    shown = app.over(backend.client())
    gone = {room for kind, room in told if kind == DESTROYED}
    assert set(shown.room_ids()) == {room for kind, room in told if kind == CREATED} - gone, "rooms and callbacks agree"
    shown.client.close()


def test_longest_packet_is_accepted_by_the_receiver_of_this_program(make_backend, make_app_backend):
    """Every byte of the metadata is escaped to six; a packet that `receive` refused would be tried for days."""
    receive = make_app_backend()
    backend = make_backend("--http-body-max", "256KiB")
    app = backend.app(callback=f"http://127.0.0.1:{receive.port}/", commands=[METADATA_SET])
    app.create("r").ok()
    app.set_metadata("r", {f"{number:050}": "\x01" * 2048 for number in range(8)}).ok()
    rows = backend.wait_deliveries(lambda rows: rows and rows[0]["State"] not in wire.WAITING)
    assert [(row["State"], row["HttpStatus"]) for row in rows] == [("delivered", 200)]
    assert len(receive.events()[0]["Body"]["Metadata"]) == 8


def test_list_of_long_callbacks_comes_in_pages(make_backend, receiver):
    backend = make_backend("--http-body-max", "256KiB")
    app = backend.app(callback=receiver.url, commands=[METADATA_SET])
    app.create("r").ok()
    for number in range(30):
        app.set_metadata("r", {str(key): "\x02" * 2048 for key in range(8)}).ok()
    page = backend.manage("callback_list", {"SdkAppid": app.sdkappid, "Count": 100}).ok().response
    assert 0 < len(page["CallbackList"]) < 30 and page["Next"]
    assert [row["Sequence"] for row in backend.deliveries()] == list(range(1, 31))
