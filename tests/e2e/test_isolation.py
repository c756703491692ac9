"""Two apps with the same room ids, accounts and metadata keys: no call of the one sees or changes what is the other's.

CALLS is the whole server API, each call with a body that does something. What the other app has is looked at through
every call that shows anything, before and after.
"""

import itertools

import pytest

import wire

ONE, TWO = 1400000001, 1400000002
ENGINE, LOGIN, CONFIG, CLIENT = "live_engine_http_srv", "im_open_login_svc", "live_config", "live_client"
CALLBACKS = [
    wire.ALERT,
    "Live.CallbackAfterCreateRoom",
    "Live.CallbackAfterDestroyRoom",
    "Live.CallbackAfterUpdateRoomInfo",
    "Live.CallbackAfterSetMetadata",
    "Live.CallbackAfterDelMetadata",
    "Live.CallbackAfterChangeOwner",
    "Live.CallbackAfterModifyAdmin",
]

# Service, command, body. In this order each is fine for an app that furnish() has made.
CALLS = [
    (ENGINE, "create_room", {"RoomInfo": {"RoomId": "new", "RoomType": "Live", "Owner_Account": "erin"}}),
    (ENGINE, "update_room_info", {"RoomInfo": {"RoomId": "r", "RoomName": "changed", "IsPublicVisible": False}}),
    (ENGINE, "get_room_info", {"RoomId": "r"}),
    (ENGINE, "get_room_list", {"Next": "", "Count": 20}),
    (ENGINE, "get_room_stats", {"RoomId": "r"}),
    (ENGINE, "get_room_statistic", {"RoomId": "r"}),
    (ENGINE, "set_room_metadata", {"RoomId": "r", "Metadata": [{"Key": "k", "Value": "changed"}]}),
    (ENGINE, "get_room_metadata", {"RoomId": "r", "Keys": []}),
    (ENGINE, "del_room_metadata", {"RoomId": "r", "Keys": ["k"]}),
    (ENGINE, "mute_member", {"RoomId": "r", "MemberList_Account": ["erin"], "MuteTime": 60}),
    (ENGINE, "mute_member", {"RoomId": "r", "MemberList_Account": ["muted"], "MuteTime": 0}),
    (ENGINE, "get_muted_member_list", {"RoomId": "r"}),
    (ENGINE, "ban_member", {"RoomId": "r", "MemberList_Account": ["erin"], "Duration": 60, "Reason": "changed"}),
    (ENGINE, "unban_member", {"RoomId": "r", "MemberList_Account": ["banned"]}),
    (ENGINE, "get_banned_member_list", {"RoomId": "r"}),
    (ENGINE, "modify_admin", {"RoomId": "r", "Admin_Account": ["erin"], "OpType": "add"}),
    (ENGINE, "modify_admin", {"RoomId": "r", "Admin_Account": ["carol"], "OpType": "delete"}),
    (ENGINE, "get_admin_list", {"RoomId": "r"}),
    (ENGINE, "add_robot", {"RoomId": "r", "RobotList_Account": ["erin"]}),
    (ENGINE, "del_robot", {"RoomId": "r", "RobotList_Account": ["robot"]}),
    (ENGINE, "get_robot", {"RoomId": "r"}),
    (ENGINE, "change_room_owner", {"RoomId": "r", "NewOwner_Account": "erin"}),
    (ENGINE, "destroy_room", {"RoomId": "r"}),
    (LOGIN, "account_import", {"UserID": "erin", "Nick": "changed"}),
    (LOGIN, "multiaccount_import", {"AccountList": [{"UserID": "frank"}]}),
    (CONFIG, "set_callback_token", {"Token": "changed", "IsTokenEnable": True}),
    (CONFIG, "get_callback_token", {}),
    (CONFIG, "get_callback", {}),
    (CONFIG, "update_callback", {"Url": "http://127.0.0.1:9/changed", "CallbackCommandList": []}),
    (CONFIG, "delete_callback", {}),
    (CONFIG, "set_callback", {"Url": "http://127.0.0.1:9/changed", "CallbackCommandList": []}),
]
USER_CALLS = [
    (CLIENT, "create_room", {"RoomInfo": {"RoomId": "new", "RoomType": "Live"}}),
    (CLIENT, "update_room_info", {"RoomInfo": {"RoomId": "r", "RoomName": "changed"}}),
    (CLIENT, "get_room_info", {"RoomId": "r"}),
    (CLIENT, "get_room_list", {"Next": "", "Count": 20}),
    (CLIENT, "get_room_stats", {"RoomId": "r"}),
    (CLIENT, "get_room_statistic", {"RoomId": "r"}),
    (CLIENT, "set_room_metadata", {"RoomId": "r", "Metadata": [{"Key": "k", "Value": "changed"}]}),
    (CLIENT, "get_room_metadata", {"RoomId": "r", "Keys": []}),
    (CLIENT, "del_room_metadata", {"RoomId": "r", "Keys": ["k"]}),
    (CLIENT, "destroy_room", {"RoomId": "r"}),
]
NAMES = [f"{service}/{command}" for service, command, _ in CALLS + USER_CALLS]
all_calls = pytest.mark.parametrize(
    "service, command, body", CALLS + USER_CALLS, ids=[f"{number}-{name}" for number, name in enumerate(NAMES)]
)


def furnish(app, mark):
    """Rooms r and q of alice, with all that a room can keep."""
    for room in "qr":
        app.create(room, Owner_Account="alice", RoomName=f"{room} {mark}", Notice=mark).ok()
        app.set_metadata(room, {"k": mark}).bare()
        app.in_room("mute_member", room, MemberList_Account=["muted"], MuteTime=3600).bare()
        app.in_room("ban_member", room, MemberList_Account=["banned"], Duration=3600, Reason=mark).bare()
        app.admins(room, "carol").bare()
        app.in_room("add_robot", room, RobotList_Account=["robot"]).bare()
    app.create("hidden", IsPublicVisible=False, RoomName=mark).ok()


@pytest.fixture
def apps(backend, make_receiver):
    """The acting app and the one to be left alone, each with a receiver of its own."""
    made = []
    for sdkappid, mark in ((ONE, "one"), (TWO, "two")):
        app = backend.app(sdkappid, callback=make_receiver().url, token=f"token {mark}", commands=CALLBACKS, MaxRoomCount=20)
        furnish(app, mark)
        made.append(app)
    return made


def looked_at(backend, app):
    """All that can be seen of an app, by what shows it."""
    seen = {"list": app.rest("get_room_list", {}).ok().response["RoomList"]}
    for room in ("q", "r", "hidden", "new"):
        for command in ("get_room_info", "get_room_stats", "get_room_metadata", "get_muted_member_list",
                        "get_banned_member_list", "get_admin_list", "get_robot"):  # fmt: skip
            reply = app.in_room(command, room)
            seen[room, command] = (reply.code, reply.body.get("Response"))
    for command in ("get_callback", "get_callback_token"):
        seen[command] = app.config(command, {}).ok().response
    shown = backend.show(app.sdkappid)
    shown.pop("CallbackPending")  # these two move by themselves as callbacks are delivered
    shown.pop("Endpoint")
    seen["app_show"] = shown
    seen["callbacks"] = [row["Body"] for row in backend.deliveries(app.sdkappid)]
    return seen


def call(app, service, command, body, identifier=None, **changes):
    if service == CLIENT:
        return app.user(command, body, identifier or "alice", "Web", **changes)
    return app.rest(command, body, service=service, identifier=identifier or "administrator", **changes)


@pytest.mark.smoke
def test_no_call_of_one_app_changes_another(backend, apps):
    acting, other = apps
    before = looked_at(backend, other)
    for service, command, body in CALLS:
        call(acting, service, command, body).ok()
        assert looked_at(backend, other) == before, f"{service}/{command}"
    acting.destroy("new").ok()
    acting.create("r", Owner_Account="alice").ok()
    acting.set_metadata("r", {"k": "v"}).bare()
    acting.destroy("q").ok()
    for service, command, body in USER_CALLS:
        call(acting, service, command, body).ok()
        assert looked_at(backend, other) == before, f"{service}/{command}"


def test_what_one_app_sees_is_its_own(backend, apps):
    for app, mark in zip(apps, ("one", "two")):
        seen = looked_at(backend, app)
        assert [room["RoomName"] for room in seen["list"]] == [f"r {mark}", f"q {mark}"]
        for room in "qr":
            assert seen[room, "get_room_info"][1]["RoomInfo"]["Notice"] == mark
            assert seen[room, "get_room_metadata"][1] == {"Metadata": [{"Key": "k", "Value": mark}]}
            assert seen[room, "get_banned_member_list"][1]["BannedAccountList"][0]["Reason"] == mark
        assert seen["get_callback_token"]["Token"] == f"token {mark}"
        assert seen["app_show"]["RoomCount"] == 3


def test_rooms_of_one_app_do_not_exist_for_another(backend, apps):
    acting, other = apps
    acting.create("only here", Owner_Account="alice").ok()
    acting.set_metadata("only here", {"k": "v"}).bare()
    for service, command, body in CALLS + USER_CALLS:
        if "RoomId" in body:
            call(other, service, command, {**body, "RoomId": "only here"}).refused(100004)
        elif command == "update_room_info":
            call(other, service, command, {"RoomInfo": {"RoomId": "only here"}}).refused(100004)
    assert "only here" in acting.room_ids() and "only here" not in other.room_ids()
    other.create("only here", Owner_Account="bob").ok()
    assert acting.info("only here")["Owner_Account"] == "alice"


@all_calls
def test_signature_of_one_app_is_refused_for_another(backend, apps, service, command, body):
    acting, other = apps
    identifier = "alice" if service == CLIENT else "administrator"
    before = looked_at(backend, other)
    signed_for_acting = wire.usersig(ONE, identifier, acting.key)
    call(other, service, command, body, usersig=signed_for_acting).refused(70014)
    with_the_wrong_key = wire.usersig(TWO, identifier, acting.key)
    call(other, service, command, body, usersig=with_the_wrong_key).refused(70009)
    of_another_user = wire.usersig(TWO, "mallory", other.key)
    call(other, service, command, body, usersig=of_another_user).refused(70013)
    assert looked_at(backend, other) == before


@pytest.mark.parametrize("service, command, body", CALLS, ids=[f"{n}-{row[0]}/{row[1]}" for n, row in enumerate(CALLS)])
def test_users_and_admins_of_other_apps_may_not_use_the_server_api(backend, apps, service, command, body):
    acting, other = apps
    backend.manage("app_set", {"SdkAppid": ONE, "Admins": ["administrator", "ops"]}).ok()
    before = looked_at(backend, other)
    for identifier in ("alice", "carol", "ops"):
        call(other, service, command, body, identifier).refused(60010, "admin account")
    assert looked_at(backend, other) == before


def test_page_tokens_do_not_cross(backend, apps):
    tokens = [app.rest("get_room_list", {"Count": 1}).ok().response["Next"] for app in apps]
    for app, token in itertools.product(apps, tokens):
        reply = app.rest("get_room_list", {"Next": token, "Count": 1})
        if token == tokens[apps.index(app)]:
            assert [room["RoomId"] for room in reply.ok().response["RoomList"]] == ["q"]
        else:
            reply.refused(100002, "Next")


def test_rights_in_a_room_do_not_cross(backend, apps):
    acting, other = apps
    acting.admins("r", "erin").bare()
    acting.in_room("change_room_owner", NewOwner_Account="frank").bare()
    for identifier in ("erin", "frank"):
        acting.update_as("r", identifier, Notice="mine").bare()
        other.update_as("r", identifier, Notice="not mine").refused(100006)
    acting.update_as("r", "alice", Notice="not mine").refused(100006)
    other.update_as("r", "alice", Notice="mine").bare()


def test_accounts_do_not_cross(backend, apps):
    acting, other = apps
    acting.login("account_import", {"UserID": "grace"}).bare()
    acting.create("new", Owner_Account="heidi").ok()
    for app in apps:
        backend.manage("app_set", {"SdkAppid": app.sdkappid, "AccountsRequired": True}).ok()
    for account in ("grace", "heidi"):
        acting.in_room("change_room_owner", NewOwner_Account=account).bare()
        other.in_room("change_room_owner", NewOwner_Account=account).refused(70107)


def test_limits_do_not_cross(backend, apps):
    acting, other = apps
    values = {f"k{number}": "x" * 2048 for number in range(8)}
    acting.in_room("del_room_metadata", Keys=["k"]).bare()
    acting.set_metadata("r", values).bare()
    acting.set_metadata("r", {"more": "x"}).refused(100502)
    acting.admins("r", "a", "b", "c", "d").bare()
    acting.admins("r", "e").refused(100020)
    backend.manage("app_set", {"SdkAppid": ONE, "MaxRoomCount": 3}).ok()
    acting.create("new").refused(100013)
    other.set_metadata("r", {"more": "x"}).bare()
    other.admins("r", "e").bare()
    other.create("new").ok()


def test_callbacks_go_to_the_apps_own_receiver(backend, make_receiver):
    receivers = [make_receiver() for _ in range(2)]
    apps = [
        backend.app(sdkappid, callback=receiver.url, token=f"token {sdkappid}", commands=CALLBACKS, MaxRoomCount=20)
        for sdkappid, receiver in zip((ONE, TWO), receivers)
    ]
    for app in apps:
        furnish(app, str(app.sdkappid))
    for service, command, body in CALLS[:23]:
        call(apps[0], service, command, body).ok()
    for app, receiver in zip(apps, receivers):
        made = backend.made(app.sdkappid)
        receiver.wait_until(lambda requests, made=made: len({r["headers"]["webhook-id"] for r in requests}) == made)
        for request in receiver.requests:
            assert request["params"]["SdkAppid"] == str(app.sdkappid)
            assert request["params"]["Sign"] == wire.sign(f"token {app.sdkappid}", request["params"]["RequestTime"])
        listed = {row["WebhookId"] for row in backend.deliveries(app.sdkappid)}
        assert listed == {request["headers"]["webhook-id"] for request in receiver.requests}
    assert backend.made(ONE) > backend.made(TWO) == 7


def test_deleted_app_leaves_the_other_alone(backend, apps):
    acting, other = apps
    before = looked_at(backend, other)
    for room in ("q", "r", "hidden"):
        acting.destroy(room).ok()
    backend.wait_deliveries(lambda rows: all(row["State"] == "delivered" for row in rows), ONE)
    backend.manage("app_delete", {"SdkAppid": ONE}).ok()
    for service, command, body in CALLS + USER_CALLS:
        call(acting, service, command, body).refused(70020)
    assert looked_at(backend, other) == before
    again = backend.app(ONE, Key=acting.key)
    again.create("r").ok()
    assert again.metadata("r") == {}
    assert looked_at(backend, other) == before
