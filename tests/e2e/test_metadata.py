"""Metadata of rooms: set, get and delete, each limit to the byte, who may, and that it lives and dies with its room."""

import json

import pytest

import wire

KEYS, KEY_BYTES, VALUE_BYTES, TOTAL_BYTES = 10, 50, 2048, 16384
TOO_MANY, VALUE_TOO_LONG, TOO_LARGE, NONE_EXISTS, BAD_KEY = 100500, 100501, 100502, 100503, 100504


@pytest.fixture
def app(backend):
    app = backend.app(MaxRoomCount=100)
    app.create("r", Owner_Account="alice").ok()
    return app


def delete(app, *keys, room_id="r"):
    return app.in_room("del_room_metadata", room_id, Keys=list(keys))


def numbered(count, value="v"):
    return {f"k{number:02}": value for number in range(count)}


# ---- set, get, delete ----


@pytest.mark.smoke
def test_set_get_delete(app):
    assert app.metadata("r") == {}
    app.set_metadata("r", {"a": "1", "b": "2"}).bare()
    assert app.metadata("r") == {"a": "1", "b": "2"}
    app.set_metadata("r", {"b": "changed", "c": ""}).bare()
    assert app.metadata("r") == {"a": "1", "b": "changed", "c": ""}
    delete(app, "b").bare()
    assert app.metadata("r") == {"a": "1", "c": ""}
    delete(app, "c", "a").bare()
    assert app.metadata("r") == {}


def test_answer_is_by_key(app):
    for key in ("b", "C", "a", "_", "\u00e9", "10", "9"):
        app.set_metadata("r", {key: "v"}).bare()
    assert list(app.metadata("r")) == sorted(["b", "C", "a", "_", "\u00e9", "10", "9"], key=str.encode)


@pytest.mark.parametrize("fields", [{}, {"Keys": []}, {"Keys": None}], ids=["absent", "empty", "null"])
def test_no_keys_means_all(app, fields):
    app.set_metadata("r", numbered(KEYS)).bare()
    assert app.metadata("r", **fields) == numbered(KEYS)


def test_get_gives_what_was_asked_for_and_exists(app):
    app.set_metadata("r", {"a": "1", "b": "2", "c": "3"}).bare()
    assert app.metadata("r", Keys=["c", "a"]) == {"a": "1", "c": "3"}
    assert list(app.metadata("r", Keys=["c", "a"])) == ["a", "c"]
    assert app.metadata("r", Keys=["b", "none", "B"]) == {"b": "2"}
    assert app.metadata("r", Keys=["a", "a"]) == {"a": "1"}
    assert app.metadata("r", Keys=["none"]) == {}
    assert app.in_room("get_room_metadata", Keys=["none"]).ok().response == {"Metadata": []}


def test_delete_takes_those_that_exist(app):
    app.set_metadata("r", {"a": "1", "b": "2", "c": "3"}).bare()
    delete(app, "a", "none", "a").bare()
    assert app.metadata("r") == {"b": "2", "c": "3"}
    delete(app, "a").refused(NONE_EXISTS)
    delete(app, "none", "A", "B").refused(NONE_EXISTS)
    assert app.metadata("r") == {"b": "2", "c": "3"}


def test_key_may_be_set_again_after_its_deletion(app):
    app.set_metadata("r", {"a": "1"}).bare()
    delete(app, "a").bare()
    app.set_metadata("r", {"a": "2"}).bare()
    assert app.metadata("r") == {"a": "2"}


def test_of_a_key_given_twice_the_last_wins(app):
    twice = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}, {"Key": "a", "Value": "3"}]
    app.in_room("set_room_metadata", Metadata=twice).bare()
    assert app.metadata("r") == {"a": "3", "b": "2"}


def test_a_key_given_twice_counts_once(app):
    app.in_room("set_room_metadata", Metadata=wire.metadata_list(numbered(KEYS)) * 2).bare()
    assert app.metadata("r") == numbered(KEYS)
    long = wire.metadata_list({"k00": "x" * VALUE_BYTES}) * 9
    app.in_room("set_room_metadata", Metadata=long).bare()
    assert app.metadata("r") == {**numbered(KEYS), "k00": "x" * VALUE_BYTES}


TEXTS = {
    "utf-8": "caf\u00e9 \u76f4\u64ad \U0001f3a4\ufeff\u2028",
    "control": "".join(chr(code) for code in range(1, 32)) + "\x7f\x80\x9f",
    "json": '{"a":[1,"\\u0000\\n\\\\"]}',
    "quotes": "\"'\\/`",
    "ends": " \t lead and trail \r\n",
    "sql": "'); DROP TABLE room; --%s%n",
    "last": "\uffff\U0010ffff",
}


@pytest.mark.parametrize("name", TEXTS)
def test_value_comes_back_as_it_was_given(backend, app, name):
    app.set_metadata("r", {"k": TEXTS[name]}).bare()
    assert app.metadata("r") == {"k": TEXTS[name]}
    assert backend.restart(app, kill=True).metadata("r") == {"k": TEXTS[name]}


def test_value_without_escapes_comes_back_too(app):
    text = "\u76f4\u64ad \U0001f3a4"
    body = json.dumps({"RoomId": "r", "Metadata": [{"Key": "\u00e9", "Value": text}]}, ensure_ascii=False).encode()
    app.rest("set_room_metadata", body).bare()
    assert app.metadata("r") == {"\u00e9": text}


def test_nul_is_no_text(app):
    app.set_metadata("r", {"k": "a\0b"}).refused(60003)
    app.set_metadata("r", {"a\0b": "v"}).refused(60003)
    assert app.metadata("r") == {}


# ---- limits ----


@pytest.mark.parametrize("key", ["x" * KEY_BYTES, "\u00e9" * 25, "x", " ", "a b/c.d"], ids=range(5))
def test_key_up_to_its_limit(app, key):
    app.set_metadata("r", {key: "v"}).bare()
    assert app.metadata("r", Keys=[key]) == {key: "v"}
    delete(app, key).bare()


@pytest.mark.parametrize("key", ["", "x" * (KEY_BYTES + 1), "\u00e9" * 25 + "x", "k" * 5000], ids=range(4))
def test_key_beyond_its_limit(app, key):
    app.set_metadata("r", {key: "v"}).refused(BAD_KEY)
    app.set_metadata("r", {"good": "v", key: "v"}).refused(BAD_KEY)
    assert app.metadata("r") == {}


@pytest.mark.parametrize("key", ["a\u0001b", "a\nb", "\x7f"])
def test_key_with_control_characters(app, key):
    app.set_metadata("r", {key: "v"}).refused(100002, "Key")
    assert app.metadata("r") == {}


@pytest.mark.parametrize("letter", ["x", "\u0001", "\u00e9", "\U0001f3a4"], ids=["1", "control", "2", "4"])
def test_value_up_to_its_limit_and_beyond(app, letter):
    good = letter * (VALUE_BYTES // len(letter.encode()))
    bad = good + "x"
    app.set_metadata("r", {"k": good}).bare()
    app.set_metadata("r", {"k": bad}).refused(VALUE_TOO_LONG)
    app.set_metadata("r", {"first": "v", "q": bad}).refused(VALUE_TOO_LONG)
    assert app.metadata("r") == {"k": good}


def test_ten_keys_and_no_more(app):
    app.set_metadata("r", numbered(KEYS + 1)).refused(TOO_MANY)
    assert app.metadata("r") == {}
    app.set_metadata("r", numbered(KEYS)).bare()
    app.set_metadata("r", {"one more": "v"}).refused(TOO_MANY)
    app.set_metadata("r", {"k00": "new", "one more": "v"}).refused(TOO_MANY)
    assert app.metadata("r") == numbered(KEYS), "a refused call changes nothing"
    app.set_metadata("r", numbered(KEYS, "new")).bare()
    assert app.metadata("r") == numbered(KEYS, "new")
    delete(app, "k00").bare()
    app.set_metadata("r", {"one more": "v"}).bare()
    assert len(app.metadata("r")) == KEYS


def test_keys_are_counted_over_calls(app):
    for number in range(KEYS):
        app.set_metadata("r", {f"k{number:02}": "v"}).bare()
    app.set_metadata("r", {"k10": "v"}).refused(TOO_MANY)
    assert app.metadata("r") == numbered(KEYS)


def test_all_values_together_up_to_their_limit(app):
    full = numbered(TOTAL_BYTES // VALUE_BYTES, "x" * VALUE_BYTES)
    app.set_metadata("r", full).bare()
    app.set_metadata("r", {"empty": ""}).bare()
    app.set_metadata("r", {"one": "x"}).refused(TOO_LARGE)
    app.set_metadata("r", {"empty": "x"}).refused(TOO_LARGE)
    assert app.metadata("r") == {**full, "empty": ""}


def test_one_call_beyond_the_sum_is_refused_as_a_whole(app):
    over = {**numbered(TOTAL_BYTES // VALUE_BYTES, "x" * VALUE_BYTES), "one": "x"}
    app.set_metadata("r", over).refused(TOO_LARGE)
    assert app.metadata("r") == {}


def test_sum_is_that_after_the_call(app):
    """What a call replaces gives room to what it adds."""
    full = numbered(TOTAL_BYTES // VALUE_BYTES, "x" * VALUE_BYTES)
    app.set_metadata("r", full).bare()
    app.set_metadata("r", {"k03": "y" * VALUE_BYTES}).bare()
    app.set_metadata("r", {"k03": "y" * (VALUE_BYTES - 1), "one": "x"}).bare()
    app.set_metadata("r", {"one": "xx"}).refused(TOO_LARGE)
    app.set_metadata("r", {"two": "xx", "k03": "y" * (VALUE_BYTES - 2)}).refused(TOO_LARGE)
    app.set_metadata("r", {"two": "xx", "k03": "y" * (VALUE_BYTES - 3)}).bare()
    expected = {**full, "k03": "y" * (VALUE_BYTES - 3), "one": "x", "two": "xx"}
    assert app.metadata("r") == expected
    assert sum(map(len, expected.values())) == TOTAL_BYTES
    delete(app, "k00").bare()
    app.set_metadata("r", {"k00": "z" * VALUE_BYTES}).bare()
    app.set_metadata("r", {"two": "xxx"}).refused(TOO_LARGE)


def test_sum_counts_bytes_not_characters(app):
    full = numbered(TOTAL_BYTES // VALUE_BYTES, "\u00e9" * (VALUE_BYTES // 2))
    app.set_metadata("r", full).bare()
    app.set_metadata("r", {"one": "x"}).refused(TOO_LARGE)


def test_keys_do_not_count_for_the_sum(app):
    full = {f"{number}" + "k" * (KEY_BYTES - 1): "x" * VALUE_BYTES for number in range(TOTAL_BYTES // VALUE_BYTES)}
    app.set_metadata("r", full).bare()
    assert app.metadata("r") == full


def test_limits_are_those_of_one_room(app):
    app.create("q").ok()
    full = numbered(TOTAL_BYTES // VALUE_BYTES, "x" * VALUE_BYTES)
    for room in "rq":
        app.set_metadata(room, full).bare()
    assert app.metadata("r") == app.metadata("q") == full
    app.set_metadata("q", {"k00": "q"}).bare()
    assert app.metadata("r") == full


# ---- wrong calls ----

ONE = {"Key": "k", "Value": "v"}


@pytest.mark.parametrize("value, named", [
    (None, "Metadata"),
    ([], "Metadata"),
    ({}, "Metadata"),
    (ONE, "Metadata"),
    ("k", "Metadata"),
    (5, "Metadata"),
    (["k"], "Metadata"),
    ([None], "Metadata"),
    ([[ONE]], "Metadata"),
    ([{}], "Key"),
    ([{"Value": "v"}], "Key"),
    ([{"Key": 5, "Value": "v"}], "Key"),
    ([{"Key": ["k"], "Value": "v"}], "Key"),
    ([{"Key": None, "Value": "v"}], "Key"),
    ([{"Key": "k"}], "Value"),
    ([{"Key": "k", "Value": None}], "Value"),
    ([{"Key": "k", "Value": 5}], "Value"),
    ([{"Key": "k", "Value": True}], "Value"),
    ([{"Key": "k", "Value": {"a": 1}}], "Value"),
    ([{"key": "k", "value": "v"}], "Key"),
    ([ONE, 5], "Metadata"),
    ([ONE, {"Key": "q", "Value": 5}], "Value"),
])  # fmt: skip
def test_metadata_of_a_wrong_type_is_named_and_nothing_is_set(app, value, named):
    app.in_room("set_room_metadata", Metadata=value).refused(100002, named)
    app.rest("set_room_metadata", {"RoomId": "r"}).refused(100002, "Metadata")
    assert app.metadata("r") == {}


@pytest.mark.parametrize("keys", ["k", 5, {}, True, [5], [None], ["k", 5], [["k"]], [{"Key": "k"}]])
def test_keys_of_a_wrong_type_are_named(app, keys):
    app.set_metadata("r", {"k": "v"}).bare()
    app.in_room("get_room_metadata", Keys=keys).refused(100002, "Keys")
    app.in_room("del_room_metadata", Keys=keys).refused(100002, "Keys")
    assert app.metadata("r") == {"k": "v"}


@pytest.mark.parametrize("fields", [{}, {"Keys": None}, {"Keys": []}], ids=["absent", "null", "empty"])
def test_delete_needs_a_key(app, fields):
    app.set_metadata("r", {"k": "v"}).bare()
    app.in_room("del_room_metadata", **fields).refused(100002, "Keys")
    assert app.metadata("r") == {"k": "v"}


def test_unknown_fields_are_ignored(app):
    body = {"RoomId": "r", "Metadata": [{**ONE, "Type": 1, "x": [None]}], "Other": {}}
    app.rest("set_room_metadata", body).bare()
    assert app.metadata("r", Other=[]) == {"k": "v"}


CALLS = {
    "set_room_metadata": {"Metadata": [ONE]},
    "get_room_metadata": {},
    "del_room_metadata": {"Keys": ["k"]},
}


@pytest.mark.parametrize("command", CALLS)
def test_unknown_room_is_100004(app, command):
    app.in_room(command, "none", **CALLS[command]).refused(100004)
    for wrong in (None, "", 5, "x" * 49, "caf\u00e9"):
        app.in_room(command, wrong, **CALLS[command]).refused(100002, "RoomId")


# ---- life ----


def test_metadata_goes_with_its_room(backend, app):
    full = numbered(KEYS, "x" * 1000)
    app.set_metadata("r", full).bare()
    app.destroy("r").ok()
    for command, fields in CALLS.items():
        app.in_room(command, **fields).refused(100004)
    app.create("r").ok()
    assert app.metadata("r") == {}
    delete(app, "k00").refused(NONE_EXISTS)
    app.set_metadata("r", numbered(KEYS, "new")).bare()
    assert backend.restart(app, kill=True).metadata("r") == numbered(KEYS, "new")


def test_metadata_of_other_rooms_stays_when_one_goes(app):
    app.create("q").ok()
    app.set_metadata("r", {"k": "of r"}).bare()
    app.set_metadata("q", {"k": "of q"}).bare()
    app.destroy("r").ok()
    assert app.metadata("q") == {"k": "of q"}


def test_changes_of_the_room_leave_its_metadata(app):
    app.set_metadata("r", {"k": "v"}).bare()
    app.update("r", RoomName="n", IsPublicVisible=False).bare()
    app.in_room("change_room_owner", NewOwner_Account="bob").bare()
    assert app.metadata("r") == {"k": "v"}
    assert "Metadata" not in app.info("r")


@pytest.mark.parametrize("kill", [True, False], ids=["kill", "stop"])
def test_metadata_survives_a_restart(backend, app, kill):
    app.set_metadata("r", numbered(TOTAL_BYTES // VALUE_BYTES, "\u00e9" * (VALUE_BYTES // 2))).bare()
    delete(app, "k00", "k01").bare()
    app.set_metadata("r", {"k02": "last"}).bare()
    before = app.metadata("r")
    again = backend.restart(app, kill)
    assert again.metadata("r") == before
    again.set_metadata("r", {"more": "x" * VALUE_BYTES, "most": "x" * VALUE_BYTES}).bare()
    again.set_metadata("r", {"over": "x" * VALUE_BYTES}).refused(TOO_LARGE)


# ---- who may ----


@pytest.mark.smoke
def test_owner_and_room_admins_set_and_delete_and_anybody_looks(app):
    def set_as(identifier, value):
        body = {"RoomId": "r", "Metadata": [{"Key": "k", "Value": value}]}
        return app.user("set_room_metadata", body, identifier, "Web")

    def delete_as(identifier):
        return app.user("del_room_metadata", {"RoomId": "r", "Keys": ["k"]}, identifier, "Web")

    app.admins("r", "carol").bare()
    for identifier in ("alice", "carol"):
        set_as(identifier, f"by {identifier}").bare()
        got = app.user("get_room_metadata", {"RoomId": "r"}, "bob", "Web").ok().response
        assert got == {"Metadata": [{"Key": "k", "Value": f"by {identifier}"}]}
        set_as("bob", "by bob").refused(100006)
        delete_as("bob").refused(100006)
        assert app.metadata("r") == {"k": f"by {identifier}"}
        delete_as(identifier).bare()
        assert app.metadata("r") == {}
    app.admins("r", "carol", op="delete").bare()
    set_as("carol", "v").refused(100006)
    app.in_room("change_room_owner", NewOwner_Account="bob").bare()
    set_as("alice", "v").refused(100006)
    set_as("bob", "v").bare()


def test_client_path_has_the_same_refusals(app):
    def user(command, room_id="r", **fields):
        return app.user(command, {"RoomId": room_id, **fields}, "alice", "Web")

    user("set_room_metadata", Metadata=[]).refused(100002, "Metadata")
    user("set_room_metadata", Metadata=[{"Key": "", "Value": "v"}]).refused(BAD_KEY)
    user("set_room_metadata", Metadata=[{"Key": "k", "Value": "x" * (VALUE_BYTES + 1)}]).refused(VALUE_TOO_LONG)
    user("set_room_metadata", Metadata=wire.metadata_list(numbered(KEYS + 1))).refused(TOO_MANY)
    user("del_room_metadata", Keys=["k"]).refused(NONE_EXISTS)
    for command, fields in CALLS.items():
        user(command, "none", **fields).refused(100004)


@pytest.mark.parametrize("command", CALLS)
def test_users_need_the_client_path(app, command):
    app.rest(command, {"RoomId": "r", **CALLS[command]}, identifier="alice").refused(60010, "admin account")
    assert app.metadata("r") == {}
