"""Changing a room: its properties, whether lists show it, its owner; who may; and that what was acknowledged stays."""

import pytest

import wire

BEFORE = {
    "RoomName": "before",
    "MaxMemberCount": 7,
    "IsMessageDisabled": True,
    "CoverURL": "https://example.com/before.png",
    "Category": [1, 2],
    "ActivityStatus": 3,
    "IsPublicVisible": True,
    "TakeSeatMode": "ApplyToTake",
    "Notice": "as it was",
}
AFTER = {
    "RoomName": 'after "it" \u76f4\u64ad \U0001f3a4',
    "MaxMemberCount": 0,
    "IsMessageDisabled": False,
    "CoverURL": "",
    "Category": [],
    "ActivityStatus": 0,
    "IsPublicVisible": False,
    "TakeSeatMode": "FreeToTake",
    "Notice": "",
}


@pytest.fixture
def app(backend):
    return backend.app(MaxRoomCount=100)


@pytest.fixture
def room(app):
    """What get_room_info says of the room r of alice, which has no field at its default."""
    app.create("r", Owner_Account="alice", **BEFORE).ok()
    return app.info("r")


def check_unchanged(app, room):
    assert app.info("r") == room


# ---- fields ----


@pytest.mark.parametrize("field", AFTER)
def test_each_field_changes_alone(app, room, field):
    assert room[field] == BEFORE[field]
    app.update("r", **{field: AFTER[field]}).bare()
    assert app.info("r") == {**room, field: AFTER[field]}
    app.update("r", **{field: BEFORE[field]}).bare()
    check_unchanged(app, room)


@pytest.mark.smoke
def test_all_fields_change_at_once(app, room):
    app.update("r", **AFTER).bare()
    assert app.info("r") == {**room, **AFTER}


def test_listed_fields_change_in_the_list(app, room):
    app.update("r", RoomName="n", CoverURL="c", Category=[9], ActivityStatus=8).bare()
    app.in_room("change_room_owner", NewOwner_Account="bob").bare()
    listed = app.rest("get_room_list", {}).ok().response["RoomList"]
    assert listed == [
        {
            "RoomId": "r",
            "RoomName": "n",
            "Owner_Account": "bob",
            "CoverURL": "c",
            "Category": [9],
            "ActivityStatus": 8,
            "CreateTime": room["CreateTime"],
            "ViewCount": 0,
        }
    ]


def test_update_that_gives_nothing_changes_nothing(app, room):
    app.update("r").bare()
    app.update("r", **dict.fromkeys(AFTER)).bare()
    check_unchanged(app, room)


def test_fields_that_cannot_be_updated_are_ignored(app, room):
    others = {
        "RoomType": "Conference",
        "Owner_Account": "bob",
        "MaxSeatCount": 12,
        "IsSeatEnabled": True,
        "IsUnlimitedRoomEnabled": True,
        "SeatTemplate": "Karaoke",
        "KeepOwnerOnSeat": True,
        "CreateTime": 5,
        "ViewCount": "many",
        "CustomInfo": {"deep": [1, {"x": None}]},
        "Unknown": [[]],
    }
    app.update("r", **others).bare()
    check_unchanged(app, room)
    app.rest("update_room_info", {"RoomInfo": {"RoomId": "r", "Notice": "n"}, "RoomName": "beside", "x": 1}).bare()
    assert app.info("r") == {**room, "Notice": "n"}


def test_fields_of_creation_that_cannot_be_updated_stay(app):
    kept = {"SeatTemplate": "Karaoke", "MaxSeatCount": 8, "IsSeatEnabled": True, "IsUnlimitedRoomEnabled": True,
            "SeatLayoutTemplateId": 600, "KeepOwnerOnSeat": False}  # fmt: skip
    app.create("r", **kept).ok()
    room = app.info("r")
    app.update("r", **AFTER).bare()
    assert app.info("r") == {**room, **AFTER}
    assert {name: app.info("r")[name] for name in kept} == kept


def test_empty_name_is_the_room_id(app, room):
    app.update("r", RoomName="").bare()
    assert app.info("r") == {**room, "RoomName": "r"}


LIMITS = [
    ("RoomName", "x" * 100, "x" * 101),
    ("RoomName", "\u00e9" * 50, "\u00e9" * 50 + "x"),
    ("Notice", "x" * 100, "x" * 101),
    ("Notice", "\u76f4" * 33 + "x", "\u76f4" * 33 + "xx"),
    ("CoverURL", "u" * 200, "u" * 201),
    ("CoverURL", "\U0001f3a4" * 50, "\U0001f3a4" * 50 + "u"),
    ("Category", [1, 2, 3], [1, 2, 3, 4]),
    ("Category", [-9223372036854775808], [1.5]),
    ("Category", [9223372036854775807], ["1"]),
    ("MaxMemberCount", 2147483647, 2147483648),
    ("MaxMemberCount", 0, -1),
    ("ActivityStatus", 2147483647, 2147483648),
    ("ActivityStatus", 0, -1),
    ("TakeSeatMode", "FreeToTake", "freeToTake"),
    ("TakeSeatMode", "ApplyToTake", ""),
]


@pytest.mark.parametrize("field, good, bad", LIMITS, ids=[f"{number}-{row[0]}" for number, row in enumerate(LIMITS)])
def test_field_is_taken_up_to_its_limit_and_refused_beyond(app, room, field, good, bad):
    app.update("r", **{field: bad}).refused(100002, field)
    check_unchanged(app, room)
    app.update("r", **{field: good}).bare()
    assert app.info("r") == {**room, field: good}


NOTICES = [("n" * 100, "n" * 101), ("\u00e9" * 50, "\u00e9" * 51), ("", 5), ("\u76f4", "a\nb")]


@pytest.mark.parametrize("good, bad", NOTICES, ids=["bytes", "utf-8", "type", "control"])
def test_notice_of_a_creation_has_the_same_limit(app, good, bad):
    app.create("bad", Notice=bad).refused(100002, "Notice")
    app.create("good", Notice=good).ok()
    assert app.info("good")["Notice"] == good
    assert app.room_ids() == ["good"]


WRONG = {
    "RoomName": [5, True, ["x"], {}, "a\u0001b", "a\nb", "a\x7fb"],
    "Notice": [5, False, ["x"], {}, "a\u001f"],
    "CoverURL": [5, ["x"], "a\tb"],
    "Category": ["1", 1, {}, [[1]], [None], [True], [1, "2"]],
    "MaxMemberCount": ["1", 1.0, True, [], 10**18],
    "ActivityStatus": ["1", 1.5, False, {}],
    "IsMessageDisabled": [1, 0, "yes", "True", [], {}],
    "IsPublicVisible": [1, "true", "", []],
    "TakeSeatMode": [1, True, "ApplyToTake|FreeToTake", "|", ["FreeToTake"]],
}


@pytest.mark.parametrize("field", WRONG)
def test_value_of_a_wrong_type_names_the_field_and_changes_nothing(app, room, field):
    for value in WRONG[field]:
        app.update("r", **{field: value}).refused(100002, field)
    others = {name: value for name, value in AFTER.items() if name != field}
    app.update("r", **others, **{field: WRONG[field][0]}).refused(100002, field)
    check_unchanged(app, room)


@pytest.mark.parametrize("text, expected", [("true", True), ("false", False)])
def test_creation_takes_is_message_disabled_as_text_too(app, text, expected):
    app.create("r", IsMessageDisabled=text).ok()
    assert app.info("r")["IsMessageDisabled"] is expected
    for wrong in ("True", "1", "", "false "):
        app.create("q", IsMessageDisabled=wrong).refused(100002, "IsMessageDisabled")


@pytest.mark.parametrize("body, named", [
    ({}, "RoomInfo"),
    ({"RoomInfo": None}, "RoomInfo"),
    ({"RoomInfo": []}, "RoomInfo"),
    ({"RoomInfo": "r"}, "RoomInfo"),
    ({"RoomId": "r", "RoomName": "n"}, "RoomInfo"),
    ({"RoomInfo": {}}, "RoomId"),
    ({"RoomInfo": {"RoomId": None, "RoomName": "n"}}, "RoomId"),
    ({"RoomInfo": {"RoomId": ""}}, "RoomId"),
    ({"RoomInfo": {"RoomId": 5}}, "RoomId"),
    ({"RoomInfo": {"RoomId": "x" * 49}}, "RoomId"),
    ({"RoomInfo": {"RoomId": "caf\u00e9"}}, "RoomId"),
])  # fmt: skip
def test_update_without_a_room_is_refused(app, room, body, named):
    app.rest("update_room_info", body).refused(100002, named)
    check_unchanged(app, room)


def test_unknown_room_is_100004(app, room):
    app.update("none", RoomName="n").refused(100004)
    app.update("none").refused(100004)
    app.update("R", RoomName="n").refused(100004)
    app.destroy("r").ok()
    app.update("r", RoomName="n").refused(100004)


def test_update_does_not_reach_a_room_made_again(app, room):
    app.update("r", RoomName="changed", Notice="changed").bare()
    app.destroy("r").ok()
    app.create("r").ok()
    info = app.info("r")
    assert (info["RoomName"], info["Notice"], info["CoverURL"], info["Category"]) == ("r", "", "", [])


# ---- visibility ----


def test_visibility_moves_a_room_in_and_out_of_the_list(backend, app):
    for name in "abc":
        app.create(name).ok()
    app.update("b", IsPublicVisible=False).bare()
    assert app.room_ids() == ["c", "a"]
    assert app.info("b")["IsPublicVisible"] is False
    assert backend.show()["RoomCount"] == 3
    app.update("b", RoomName="still hidden").bare()
    assert app.room_ids() == ["c", "a"]
    app.update("b", IsPublicVisible=True).bare()
    assert app.room_ids() == ["c", "b", "a"], "its place is that of its creation"


def test_room_created_hidden_can_be_shown(app):
    app.create("r", IsPublicVisible=False).ok()
    assert app.room_ids() == []
    app.update("r", IsPublicVisible=True).bare()
    assert app.room_ids() == ["r"]


def test_hidden_room_can_be_destroyed_and_made_again(backend, app):
    app.create("r").ok()
    app.update("r", IsPublicVisible=False).bare()
    app.destroy("r").ok()
    assert backend.show()["RoomCount"] == 0
    app.create("r").ok()
    assert app.room_ids() == ["r"]


# ---- durable ----


@pytest.mark.parametrize("kill", [True, False], ids=["kill", "stop"])
def test_changes_survive_a_restart(backend, app, room, kill):
    app.update("r", **AFTER).bare()
    app.in_room("change_room_owner", NewOwner_Account="bob").bare()
    expected = {**room, **AFTER, "Owner_Account": "bob"}
    again = backend.restart(app, kill)
    assert again.info("r") == expected
    assert again.room_ids() == []
    again.update("r", IsPublicVisible=True).bare()
    again = backend.restart(again, kill)
    assert again.info("r") == {**expected, "IsPublicVisible": True}
    assert again.room_ids() == ["r"]


# ---- who may ----


def test_owner_and_room_admins_update_and_others_may_not(app, room):
    app.admins("r", "carol").bare()
    app.update_as("r", "alice", RoomName="by alice").bare()
    app.update_as("r", "carol", Notice="by carol").bare()
    expected = {**room, "RoomName": "by alice", "Notice": "by carol"}
    app.update_as("r", "bob", RoomName="by bob").refused(100006)
    app.update_as("r", "Alice", RoomName="by Alice").refused(100006)
    assert app.info("r") == expected
    app.admins("r", "carol", op="delete").bare()
    app.update_as("r", "carol", Notice="again").refused(100006)
    assert app.info("r") == expected


def test_app_admin_updates_any_room_on_the_server_api_and_is_a_user_on_the_client_path(app, room):
    app.update("r", RoomName="rest").bare()
    app.update_as("r", "administrator", Notice="client").refused(100006)
    assert app.info("r") == {**room, "RoomName": "rest"}


def test_admin_of_one_room_is_none_of_another(app, room):
    app.create("q", Owner_Account="dave").ok()
    app.admins("q", "carol").bare()
    app.update_as("r", "carol", RoomName="x").refused(100006)
    app.update_as("q", "alice", RoomName="x").refused(100006)
    app.update_as("q", "carol", RoomName="x").bare()
    check_unchanged(app, room)


def test_room_admin_may_not_destroy(app, room):
    app.admins("r", "carol").bare()
    app.user("destroy_room", {"RoomId": "r"}, "carol", "Web").refused(100006)
    app.user("destroy_room", {"RoomId": "r"}, "alice", "Web").ok()


def test_client_path_has_the_same_refusals(app, room):
    app.update_as("r", "alice", RoomName="x" * 101).refused(100002, "RoomName")
    app.update_as("none", "alice", RoomName="x").refused(100004)
    app.user("update_room_info", {}, "alice", "Web").refused(100002, "RoomInfo")
    check_unchanged(app, room)


def test_anybody_of_the_app_looks_through_the_client_path(app, room):
    assert app.user("get_room_info", {"RoomId": "r"}, "bob", "Web").ok().response["RoomInfo"] == room
    listed = app.user("get_room_list", {"Next": "", "Count": 20}, "bob", "Web").ok().response
    assert listed == app.rest("get_room_list", {}).ok().response
    for command in ("get_room_statistic", "get_room_stats"):
        answer = app.user(command, {"RoomId": "r"}, "bob", "Web").ok().response
        assert answer == app.in_room(command).ok().response
        app.user(command, {"RoomId": "none"}, "bob", "Web").refused(100004)


@pytest.mark.parametrize("command", ["change_room_owner", "modify_admin", "mute_member", "ban_member", "add_robot"])
def test_client_path_has_no_more_commands(app, room, command):
    body = {"RoomId": "r", "NewOwner_Account": "alice", "Admin_Account": ["alice"], "OpType": "add"}
    app.user(command, body, "alice", "Web").refused(60009)
    check_unchanged(app, room)


# ---- statistics: there is nobody to count ----


@pytest.mark.parametrize("command", ["get_room_stats", "get_room_statistic"])
def test_statistics_are_zeros(app, room, command):
    assert app.in_room(command).ok().response == dict.fromkeys(
        ["TotalViewers", "TotalGiftsSent", "TotalGiftCoins", "TotalUniqueGiftSenders", "TotalLikesReceived", "TotalMsgCount"],
        0,
    )  # fmt: skip
    app.in_room(command, "none").refused(100004)
    for wrong in (None, "", 5, "x" * 49):
        app.in_room(command, wrong).refused(100002, "RoomId")


def test_destruction_answers_with_statistics(app, room):
    assert app.destroy("r").ok().response == {
        "Statistic": dict.fromkeys(
            ["TotalViewers", "TotalGiftsSent", "TotalGiftCoins", "TotalUniqueGiftSenders", "TotalLikesReceived"], 0
        )
    }


# ---- change_room_owner ----


def change(app, owner, room_id="r"):
    return app.in_room("change_room_owner", room_id, NewOwner_Account=owner)


@pytest.mark.smoke
def test_new_owner_has_the_rights_and_the_old_one_has_not(app, room):
    change(app, "bob").bare()
    assert app.info("r") == {**room, "Owner_Account": "bob"}
    app.update_as("r", "alice", RoomName="x").refused(100006)
    app.user("destroy_room", {"RoomId": "r"}, "alice", "Web").refused(100006)
    app.create_as("r", "alice", "Web").refused(100003)
    app.create_as("r", "bob", "Web").refused(100010)
    app.update_as("r", "bob", RoomName="x").bare()
    app.user("destroy_room", {"RoomId": "r"}, "bob", "Web").ok()


def test_owner_may_stay(app, room):
    change(app, "alice").bare()
    check_unchanged(app, room)


@pytest.mark.parametrize("owner", ["a", "x" * 32, "@RBT#001", "user@example.com"])
def test_owner_may_have_any_account_name(app, room, owner):
    change(app, owner).bare()
    assert app.info("r")["Owner_Account"] == owner


@pytest.mark.parametrize("owner", ["", "x" * 33, "a b", "caf\u00e9", "a\nb", 5, None, ["bob"], {}, True])
def test_new_owner_that_is_no_account_name_is_refused(app, room, owner):
    change(app, owner).refused(100002, "NewOwner_Account")
    check_unchanged(app, room)


def test_owner_of_no_room_cannot_change(app, room):
    change(app, "bob", "none").refused(100004)
    app.rest("change_room_owner", {"NewOwner_Account": "bob"}).refused(100002, "RoomId")
    app.rest("change_room_owner", {"RoomId": "r"}).refused(100002, "NewOwner_Account")
    check_unchanged(app, room)


def test_only_app_admins_change_the_owner(app, room):
    body = {"RoomId": "r", "NewOwner_Account": "bob"}
    app.rest("change_room_owner", body, identifier="alice").refused(60010, "admin account")
    check_unchanged(app, room)


def test_updates_of_many_at_once_all_count(backend, app, room):
    """Each of two callers changes a field of its own: neither may undo the other's."""
    with wire.Raw(backend.port) as one, wire.Raw(backend.port) as two:
        for number in range(50):
            for raw, field in ((one, "MaxMemberCount"), (two, "ActivityStatus")):
                body = b'{"RoomInfo":{"RoomId":"r","%s":%d}}' % (field.encode(), number)
                raw.send(
                    f"POST /v4/live_engine_http_srv/update_room_info?{app.query()} HTTP/1.1\r\nHost: h\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n".encode(),
                    body,
                )
        for raw in (one, two):
            for _ in range(50):
                raw.reply().bare()
    assert app.info("r") == {**room, "MaxMemberCount": 49, "ActivityStatus": 49}
