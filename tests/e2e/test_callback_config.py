"""Callback configuration: URL, switches and token, and that a change acts on the next attempt."""

import threading

import pytest

import wire

URL = "http://127.0.0.1:9/callback"
OTHER = "https://example.com:8443/a?b=c"
ROOM_CREATED = "Live.CallbackAfterCreateRoom"


@pytest.fixture
def app(backend):
    return backend.app()


def callback(url=URL, commands=(wire.ALERT,)):
    return {"Url": url, "CallbackCommandList": list(commands)}


@pytest.mark.smoke
def test_set_get_update_delete(app):
    app.config("get_callback", {}).refused(100301)
    app.config("update_callback", callback()).refused(100301)
    app.config("set_callback", callback()).ok()
    assert app.config("get_callback", {}).ok().response == callback()
    app.config("set_callback", callback(OTHER)).refused(100300, "update")
    assert app.config("get_callback", {}).ok().response == callback()
    app.config("update_callback", callback(OTHER, [ROOM_CREATED, wire.ALERT])).ok()
    assert app.config("get_callback", {}).ok().response == callback(OTHER, [ROOM_CREATED, wire.ALERT])
    app.config("delete_callback", {}).ok()
    app.config("get_callback", {}).refused(100301)
    app.config("delete_callback", {}).ok()
    app.config("set_callback", callback()).ok()


def test_all_documented_commands_can_be_switched_on(app):
    words = [
        ROOM_CREATED,
        "Live.CallbackAfterDestroyRoom",
        "Live.CallbackAfterUpdateRoomInfo",
        "Live.CallbackAfterSetMetadata",
        "Live.CallbackAfterDelMetadata",
        wire.ALERT,
        "Live.CallbackAfterChangeOwner",
        "Live.CallbackAfterModifyAdmin",
        *wire.NEVER_PRODUCED,
    ]
    app.config("set_callback", callback(commands=words + words)).ok()
    found = app.config("get_callback", {}).ok().response["CallbackCommandList"]
    assert sorted(found) == sorted(words)


@pytest.mark.parametrize("commands", [["Live.Nothing"], [wire.ALERT, 5], [wire.ALERT.lower()], [""], [None], [[wire.ALERT]]])
def test_unknown_command_is_refused_and_named(app, commands):
    app.config("set_callback", callback(commands=commands)).refused(100002, "CallbackCommandList", "element")
    app.config("get_callback", {}).refused(100301)


@pytest.mark.parametrize("body", [{}, {"Url": URL}, {"Url": URL, "CallbackCommandList": wire.ALERT}, {"CallbackCommandList": []}])
def test_both_fields_are_required(app, body):
    app.config("set_callback", body).refused(100002, "required" if body == {} else "")


def test_empty_command_list_switches_all_off(app):
    app.config("set_callback", callback(commands=[])).ok()
    assert app.config("get_callback", {}).ok().response["CallbackCommandList"] == []


def test_overwrite_switch_lets_set_replace(backend):
    app = backend.app(CallbackOverwrite=True)
    app.config("set_callback", callback()).ok()
    app.config("set_callback", callback(OTHER)).ok()
    assert app.config("get_callback", {}).ok().response["Url"] == OTHER
    backend.manage("app_set", {"SdkAppid": app.sdkappid, "CallbackOverwrite": False}).ok()
    app.config("set_callback", callback()).refused(100300)


def test_token_set_get_and_partial_changes(app):
    app.config("get_callback_token", {}).refused(100302)
    app.config("set_callback_token", {"Token": "abc"}).refused(100002, "Token", "IsTokenEnable")
    app.config("set_callback_token", {"IsTokenEnable": True}).refused(100002, "Token", "IsTokenEnable")
    app.config("set_callback_token", {}).refused(100002)
    app.config("set_callback_token", {"Token": "abc", "IsTokenEnable": True}).ok()
    assert app.config("get_callback_token", {}).ok().response == {"Token": "abc", "IsTokenEnable": True}
    app.config("set_callback_token", {"Token": "def"}).ok()
    assert app.config("get_callback_token", {}).ok().response == {"Token": "def", "IsTokenEnable": True}
    app.config("set_callback_token", {"IsTokenEnable": False}).ok()
    assert app.config("get_callback_token", {}).ok().response == {"Token": "def", "IsTokenEnable": False}


@pytest.mark.parametrize("token, good", [("t", True), ("t" * 128, True), ("", False), ("t" * 129, False), (5, False), ("a\nb", False)])
def test_token_has_1_to_128_bytes(app, token, good):
    reply = app.config("set_callback_token", {"Token": token, "IsTokenEnable": True})
    if good:
        reply.ok()
        assert app.config("get_callback_token", {}).ok().response["Token"] == token
    else:
        reply.refused(100002, "Token")
        app.config("get_callback_token", {}).refused(100302)


def test_deleting_the_callback_keeps_the_token(app):
    app.config("set_callback", callback()).ok()
    app.config("set_callback_token", {"Token": "abc", "IsTokenEnable": True}).ok()
    app.config("delete_callback", {}).ok()
    assert app.config("get_callback_token", {}).ok().response["Token"] == "abc"


def test_configuration_survives_a_restart(backend, app):
    app.config("set_callback", callback(OTHER)).ok()
    app.config("set_callback_token", {"Token": "abc", "IsTokenEnable": False}).ok()
    app.client.close()
    backend.stop()
    backend.start()
    again = app.over(backend.client())
    assert again.config("get_callback", {}).ok().response == callback(OTHER)
    assert again.config("get_callback_token", {}).ok().response == {"Token": "abc", "IsTokenEnable": False}


def test_users_cannot_configure(app):
    for command in ("set_callback", "update_callback", "get_callback", "delete_callback", "get_callback_token"):
        app.rest(command, callback(), service="live_config", identifier="alice").refused(60010, "admin account")


def test_apps_have_configurations_of_their_own(backend, app):
    other = backend.app(sdkappid=1400000002)
    app.config("set_callback", callback()).ok()
    other.config("get_callback", {}).refused(100301)
    other.config("set_callback", callback(OTHER)).ok()
    assert app.config("get_callback", {}).ok().response["Url"] == URL


# ---- a change acts on the next attempt ----


@pytest.fixture
def failing(make_receiver):
    return make_receiver(lambda number, request: (500, {}, b""))


def last_sign(receiver):
    return receiver.requests[-1]["params"]


def test_changed_url_gets_the_alert_that_waits(backend, failing, receiver):
    app = backend.app(MaxRoomCount=1, callback=failing.url)
    app.create("r").ok()
    first = failing.wait_for(1)[0]
    app.config("update_callback", callback(receiver.url)).ok()
    moved = receiver.wait_for(1)[0]
    assert moved["headers"]["webhook-id"] == first["headers"]["webhook-id"]
    assert int(moved["headers"]["highwater-attempt"]) > 1
    assert moved["raw"] == first["raw"]
    backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")
    assert len(receiver.requests) == 1


def test_changed_token_signs_the_alert_that_waits(backend, make_receiver):
    good = threading.Event()
    receiver = make_receiver(lambda number, request: (200, {}, wire.OK_REPLY) if good.is_set() else (500, {}, b""))
    app = backend.app(MaxRoomCount=1, callback=receiver.url, token="before")
    app.create("r").ok()
    receiver.wait_for(1)
    assert last_sign(receiver)["Sign"] == wire.sign("before", last_sign(receiver)["RequestTime"])

    def signed_with(token):
        return lambda requests: requests[-1]["params"].get("Sign") == wire.sign(
            token, requests[-1]["params"].get("RequestTime")
        )

    app.config("set_callback_token", {"Token": "after"}).ok()
    receiver.wait_until(signed_with("after"))
    app.config("set_callback_token", {"IsTokenEnable": False}).ok()
    receiver.wait_until(lambda requests: "Sign" not in requests[-1]["params"] and "RequestTime" not in requests[-1]["params"])
    app.config("set_callback_token", {"IsTokenEnable": True}).ok()
    receiver.wait_until(signed_with("after"))
    good.set()
    backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")
    assert len({request["headers"]["webhook-id"] for request in receiver.requests}) == 1


def test_deleted_configuration_holds_the_alert_back_until_there_is_one(backend, failing, receiver):
    app = backend.app(MaxRoomCount=1, callback=failing.url)
    app.create("r").ok()
    failing.wait_for(1)
    app.config("delete_callback", {}).ok()
    rows = backend.wait_deliveries(lambda rows: "no callback URL" in rows[0]["Error"])
    assert rows[0]["State"] in wire.WAITING
    app.config("set_callback", callback(receiver.url)).ok()
    request = receiver.wait_for(1)[0]
    assert request["headers"]["webhook-id"] == rows[0]["WebhookId"]


def test_switch_off_holds_the_alert_back_until_it_is_on(backend, failing):
    app = backend.app(MaxRoomCount=1, callback=failing.url)
    app.create("r").ok()
    failing.wait_for(1)
    failing.behave = lambda number, request: (200, {}, wire.OK_REPLY)
    app.config("update_callback", callback(failing.url, [ROOM_CREATED])).ok()
    rows = backend.wait_deliveries(lambda rows: "switch" in rows[0]["Error"] or rows[0]["State"] == "delivered")
    if rows[0]["State"] in wire.WAITING:  # else the retry was faster than the switch
        app.config("update_callback", callback(failing.url)).ok()
        backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")


def test_changed_key_refuses_old_usersigs_at_once(backend, app):
    app.rest("get_room_list", {}).ok()
    old = app.key
    backend.manage("app_set", {"SdkAppid": app.sdkappid, "Key": "another-key-0123456789"}).ok()
    backend.secrets.add("another-key-0123456789")
    app.rest("get_room_list", {}).refused(70009)
    app.key = "another-key-0123456789"
    app.rest("get_room_list", {}).ok()
    assert old != app.key


def test_changed_admins_act_at_once(backend, app):
    app.rest("get_room_list", {}).ok()
    backend.manage("app_set", {"SdkAppid": app.sdkappid, "Admins": ["ops"]}).ok()
    app.rest("get_room_list", {}).refused(60010, "admin account")
    app.rest("get_room_list", {}, identifier="ops").ok()
