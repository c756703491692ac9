"""What a room keeps of people: mutes, bans, admins and robots. Lists, pages, limits, ends of time, and names that are
none. Nobody enters rooms here, so nothing of it is enforced but the rights of room admins, which test_room_update.py and
test_metadata.py look at.
"""

import collections
import time

import pytest

import wire

Kind = collections.namedtuple("Kind", "add remove show field list in_call in_room over fields remove_fields")

ADMINS = Kind("modify_admin", "modify_admin", "get_admin_list", "Admin_Account", "Admin_Account", 5, 5, 100020,
              {"OpType": "add"}, {"OpType": "delete"})  # fmt: skip
ROBOTS = Kind("add_robot", "del_robot", "get_robot", "RobotList_Account", "RobotList_Account", 100, 100, 100002, {}, {})
MUTES = Kind("mute_member", "mute_member", "get_muted_member_list", "MemberList_Account", "MutedAccountList", 100, 1000,
             100002, {"MuteTime": 3600}, {"MuteTime": 0})  # fmt: skip
BANS = Kind("ban_member", "unban_member", "get_banned_member_list", "MemberList_Account", "BannedAccountList", 20, 1000,
            100002, {"Duration": 3600}, {})  # fmt: skip
KINDS = {"admins": ADMINS, "robots": ROBOTS, "mutes": MUTES, "bans": BANS}
TIMED = {"mutes": MUTES, "bans": BANS}

kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
timed = pytest.mark.parametrize("kind", TIMED.values(), ids=TIMED)


@pytest.fixture
def app(backend):
    app = backend.app(MaxRoomCount=100)
    app.create("r", Owner_Account="alice").ok()
    return app


def add(app, kind, accounts, room_id="r", **fields):
    return app.in_room(kind.add, room_id, **{kind.field: list(accounts), **kind.fields, **fields})


def remove(app, kind, accounts, room_id="r"):
    return app.in_room(kind.remove, room_id, **{kind.field: list(accounts), **kind.remove_fields})


def add_many(app, kind, accounts, **fields):
    for start in range(0, len(accounts), kind.in_call):
        add(app, kind, accounts[start : start + kind.in_call], **fields).bare()


def pages(app, kind, room_id="r", **fields):
    """Every entry, page by page."""
    found, offset = [], 0
    while True:
        page = app.in_room(kind.show, room_id, Offset=offset, **fields).ok().response
        assert list(page) == [kind.list, "NextOffset"]
        assert len(page[kind.list]) <= fields.get("Limit", 100)
        found += page[kind.list]
        if page["NextOffset"] == 0:
            return found
        assert page["NextOffset"] == offset + len(page[kind.list]) > offset
        offset = page["NextOffset"]


def names(app, kind, room_id="r"):
    """The accounts in the list."""
    if kind in (ADMINS, ROBOTS):
        answer = app.in_room(kind.show, room_id).ok().response
        assert list(answer) == [kind.list]
        return answer[kind.list]
    return [entry["Member_Account"] for entry in pages(app, kind, room_id)]


def numbered(count, letter="m"):
    return [f"{letter}{number:04}" for number in range(count)]


# ---- lists ----


@pytest.mark.smoke
@kinds
def test_add_show_remove(app, kind):
    assert names(app, kind) == []
    add(app, kind, ["carol", "bob"]).bare()
    assert names(app, kind) == ["bob", "carol"]
    add(app, kind, ["dave"]).bare()
    assert names(app, kind) == ["bob", "carol", "dave"]
    remove(app, kind, ["carol"]).bare()
    assert names(app, kind) == ["bob", "dave"]
    remove(app, kind, ["dave", "bob"]).bare()
    assert names(app, kind) == []


@kinds
def test_list_is_by_name(app, kind):
    mixed = ["b", "C", "a", "_x", "10"]
    add(app, kind, mixed).bare()
    assert names(app, kind) == sorted(mixed)


@kinds
def test_adding_and_removing_again_changes_nothing(app, kind):
    add(app, kind, ["bob", "carol"]).bare()
    add(app, kind, ["carol", "bob", "bob"]).bare()
    assert names(app, kind) == ["bob", "carol"]
    remove(app, kind, ["bob", "nobody", "bob"]).bare()
    assert names(app, kind) == ["carol"]
    remove(app, kind, ["bob", "nobody"]).bare()
    assert names(app, kind) == ["carol"]


@kinds
def test_kinds_and_rooms_do_not_mix(app, kind):
    app.create("q").ok()
    add(app, kind, ["bob"]).bare()
    for other in KINDS.values():
        assert names(app, other) == (["bob"] if other is kind else [])
        assert names(app, other, "q") == []


@kinds
def test_names_differ_by_case(app, kind):
    add(app, kind, ["bob", "Bob"]).bare()
    remove(app, kind, ["bob"]).bare()
    assert names(app, kind) == ["Bob"]


@kinds
@pytest.mark.parametrize("name", ["a", "x" * 32, "@RBT#001", "user@example.com", "!~\"\\'"])
def test_account_names_of_all_kinds(app, kind, name):
    add(app, kind, [name]).bare()
    assert names(app, kind) == [name]
    remove(app, kind, [name]).bare()
    assert names(app, kind) == []


@kinds
def test_lists_live_and_die_with_their_room(app, kind):
    app.create("q").ok()
    for room in "rq":
        add(app, kind, ["bob", "carol"], room).bare()
    app.update("r", RoomName="n", IsPublicVisible=False).bare()
    app.in_room("change_room_owner", NewOwner_Account="dave").bare()
    assert names(app, kind) == ["bob", "carol"]
    app.destroy("r").ok()
    app.in_room(kind.show).refused(100004)
    app.create("r").ok()
    assert names(app, kind) == []
    assert names(app, kind, "q") == ["bob", "carol"]
    add(app, kind, ["erin"]).bare()
    assert names(app, kind) == ["erin"]


@kinds
@pytest.mark.parametrize("kill", [True, False], ids=["kill", "stop"])
def test_lists_survive_a_restart(backend, app, kind, kill):
    add(app, kind, ["bob", "carol", "dave"]).bare()
    remove(app, kind, ["carol"]).bare()
    before = app.in_room(kind.show).ok().response
    again = backend.restart(app, kill)
    assert again.in_room(kind.show).ok().response == before
    assert names(again, kind) == ["bob", "dave"]
    again.destroy("r").ok()
    again.create("r").ok()
    assert names(backend.restart(again, kill), kind) == []


# ---- limits ----


@kinds
def test_accounts_of_one_call(app, kind):
    accounts = numbered(kind.in_call)
    add(app, kind, [*accounts, "more"]).refused(100002, kind.field)
    assert names(app, kind) == []
    add(app, kind, accounts).bare()
    assert names(app, kind) == accounts
    remove(app, kind, [*accounts, "more"]).refused(100002, kind.field)
    assert names(app, kind) == accounts
    remove(app, kind, accounts).bare()
    assert names(app, kind) == []


@kinds
def test_accounts_of_one_room(app, kind):
    accounts = numbered(kind.in_room)
    add_many(app, kind, accounts)
    assert names(app, kind) == accounts
    add(app, kind, ["more"]).refused(kind.over)
    add(app, kind, [accounts[0], "more"]).refused(kind.over)
    add(app, kind, accounts[-3:]).bare()
    assert names(app, kind) == accounts, "who is in the list already takes no further place"
    remove(app, kind, accounts[:2]).bare()
    add(app, kind, ["x1", "x2", "x3"]).refused(kind.over)
    assert names(app, kind) == accounts[2:], "a refused call adds nobody"
    add(app, kind, ["x1", "x2", accounts[2]]).bare()
    assert names(app, kind) == [*accounts[2:], "x1", "x2"]


@kinds
def test_limit_is_that_of_one_room(app, kind):
    app.create("q").ok()
    add_many(app, kind, numbered(kind.in_room))
    add(app, kind, ["bob"], "q").bare()
    assert names(app, kind, "q") == ["bob"]


# ---- wrong calls ----


@kinds
@pytest.mark.parametrize("accounts", [None, [], "bob", 5, True, {}, {"Member_Account": "bob"}, [["bob"]],
                                      [{"Member_Account": "bob"}]])  # fmt: skip
def test_accounts_of_a_wrong_type_are_named(app, kind, accounts):
    app.in_room(kind.add, **{kind.field: accounts, **kind.fields}).refused(100002, kind.field)
    app.in_room(kind.remove, **{kind.field: accounts, **kind.remove_fields}).refused(100002, kind.field)
    app.in_room(kind.add, **kind.fields).refused(100002, kind.field)
    assert names(app, kind) == []


@kinds
@pytest.mark.parametrize("name", ["", "x" * 33, "a b", " bob", "caf\u00e9", "\u76f4", "a\tb", "a\nb", "\x7f", 5, 1.5, None,
                                  True])  # fmt: skip
def test_name_that_is_none_is_refused_with_the_whole_call(app, kind, name):
    add(app, kind, ["good"]).bare()
    for accounts in ([name], ["bob", name], [name, "bob"]):
        add(app, kind, accounts).refused(100002, kind.field)
        remove(app, kind, ["good", *accounts][: kind.in_call]).refused(100002, kind.field)
    assert names(app, kind) == ["good"]


@kinds
def test_unknown_room_is_100004(app, kind):
    add(app, kind, ["bob"], "none").refused(100004)
    remove(app, kind, ["bob"], "none").refused(100004)
    app.in_room(kind.show, "none").refused(100004)
    for wrong in (None, "", 5, "x" * 49, "caf\u00e9"):
        add(app, kind, ["bob"], wrong).refused(100002, "RoomId")
        remove(app, kind, ["bob"], wrong).refused(100002, "RoomId")
        app.in_room(kind.show, wrong).refused(100002, "RoomId")


@pytest.mark.parametrize("op", [None, "", "Add", "ADD", "remove", "add ", 5, True, ["add"]])
def test_op_type_is_add_or_delete(app, op):
    app.admins("r", "bob", op=op).refused(100002, "OpType")
    app.in_room("modify_admin", Admin_Account=["bob"]).refused(100002, "OpType")
    assert names(app, ADMINS) == []


BAD_TIMES = [-1, 4294967296, 10**18, "60", 1.5, 60.0, True, None, [60], {}]


@pytest.mark.parametrize("seconds", BAD_TIMES)
def test_mute_time_out_of_range_is_refused(app, seconds):
    add(app, MUTES, ["bob"], MuteTime=seconds).refused(100002, "MuteTime")
    app.in_room("mute_member", MemberList_Account=["bob"]).refused(100002, "MuteTime")
    assert names(app, MUTES) == []


@pytest.mark.parametrize("seconds", [0, *BAD_TIMES])
def test_duration_out_of_range_is_refused(app, seconds):
    add(app, BANS, ["bob"], Duration=seconds).refused(100002, "Duration")
    app.in_room("ban_member", MemberList_Account=["bob"]).refused(100002, "Duration")
    assert names(app, BANS) == []


@pytest.mark.parametrize("field", ["Offset", "Limit"])
@pytest.mark.parametrize("value", [-1, 10**18, "1", 1.5, True, [], {}])
@timed
def test_page_out_of_range_is_refused(app, kind, field, value):
    app.in_room(kind.show, **{field: value}).refused(100002, field)


@timed
def test_limit_is_1_to_100(app, kind):
    for limit in (0, 101):
        app.in_room(kind.show, Limit=limit).refused(100002, "Limit")
    for limit in (1, 100):
        app.in_room(kind.show, Limit=limit).ok()


def test_unknown_fields_are_ignored(app):
    add(app, MUTES, ["bob"], Reason="x", Other=[None]).bare()
    add(app, BANS, ["bob"], MuteTime="x", Next=0).bare()
    add(app, ADMINS, ["bob"], Level=5).bare()
    add(app, ROBOTS, ["bob"], Level=5).bare()
    for kind in KINDS.values():
        app.in_room(kind.show, Next=0, Other={}).ok()


# ---- mutes and bans ----


def entries(app, kind, **fields):
    return app.in_room(kind.show, **fields).ok().response[kind.list]


def test_muted_member_has_an_end(app):
    before = int(time.time())
    add(app, MUTES, ["bob"], MuteTime=3600).bare()
    add(app, MUTES, ["carol"], MuteTime=4294967295).bare()
    after = int(time.time())
    answer = app.in_room("get_muted_member_list").ok().response
    assert list(answer) == ["MutedAccountList"], "no page was asked for"
    bob, carol = answer["MutedAccountList"]
    assert (list(bob), bob["Member_Account"]) == (["Member_Account", "MutedUntil"], "bob")
    assert before + 3600 <= bob["MutedUntil"] <= after + 3600
    assert before + 4294967295 <= carol["MutedUntil"] <= after + 4294967295


def test_banned_member_has_an_end_and_a_reason(app):
    before = int(time.time())
    add(app, BANS, ["bob"], Duration=60, Reason='said "no" \u76f4\u64ad').bare()
    add(app, BANS, ["carol"], Duration=4294967295).bare()
    add(app, BANS, ["dave"], Duration=1000000, Reason=None).bare()
    after = int(time.time())
    answer = app.in_room("get_banned_member_list").ok().response
    assert (list(answer), answer["NextOffset"]) == (["BannedAccountList", "NextOffset"], 0)
    bob, carol, dave = answer["BannedAccountList"]
    assert list(bob) == ["Member_Account", "BannedUntil", "Reason"]
    assert before + 60 <= bob["BannedUntil"] <= after + 60
    assert before + 4294967295 <= carol["BannedUntil"] <= after + 4294967295
    assert [entry["Member_Account"] for entry in (bob, carol, dave)] == ["bob", "carol", "dave"]
    assert [entry["Reason"] for entry in (bob, carol, dave)] == ['said "no" \u76f4\u64ad', "", ""]


REASONS = [("x" * 200, "x" * 201), ("\u00e9" * 100, "\u00e9" * 100 + "x"), ("", 5), ("a", ["a"]), ("b", "a\nb")]


@pytest.mark.parametrize("good, bad", REASONS, ids=["bytes", "utf-8", "type", "array", "control"])
def test_reason_up_to_its_limit(app, good, bad):
    add(app, BANS, ["bob"], Reason=bad).refused(100002, "Reason")
    assert entries(app, BANS) == []
    add(app, BANS, ["bob"], Reason=good).bare()
    assert entries(app, BANS)[0]["Reason"] == good


@timed
def test_a_later_call_sets_the_end_anew(app, kind):
    field, until = ("MuteTime", "MutedUntil") if kind is MUTES else ("Duration", "BannedUntil")
    add(app, kind, ["bob", "carol"], **{field: 100000}).bare()
    add(app, kind, ["bob"], **{field: 500}).bare()
    bob, carol = entries(app, kind)
    assert abs(bob[until] - time.time() - 500) < 60
    assert abs(carol[until] - time.time() - 100000) < 60


def test_a_later_ban_sets_the_reason_anew(app):
    add(app, BANS, ["bob"], Reason="first").bare()
    add(app, BANS, ["bob"], Reason="second").bare()
    assert entries(app, BANS)[0]["Reason"] == "second"


@pytest.mark.smoke
@timed
def test_those_whose_time_is_over_are_not_shown(backend, app, kind):
    field = "MuteTime" if kind is MUTES else "Duration"
    add(app, kind, ["ann", "carol"], **{field: 3600}).bare()
    add(app, kind, ["bob"], **{field: 1}).bare()
    wire.wait(lambda: names(app, kind) == ["ann", "carol"], 10, "the end")
    assert app.in_room(kind.show, Offset=0, Limit=2).ok().response["NextOffset"] == 0, "they take no place in pages"
    assert names(backend.restart(app, kill=True), kind) == ["ann", "carol"]


@timed
def test_those_whose_time_is_over_take_no_place_in_the_room(app, kind):
    field = "MuteTime" if kind is MUTES else "Duration"
    accounts = numbered(kind.in_room)
    add_many(app, kind, accounts[: -kind.in_call])
    add(app, kind, accounts[-kind.in_call :], **{field: 1}).bare()
    wire.wait(lambda: len(names(app, kind)) == kind.in_room - kind.in_call, 10, "the end")
    add(app, kind, numbered(kind.in_call, "n")).bare()
    add(app, kind, ["more"]).refused(100002)
    assert names(app, kind) == accounts[: -kind.in_call] + numbered(kind.in_call, "n")


def test_unmuting_some_of_many(app):
    add(app, MUTES, numbered(100)).bare()
    remove(app, MUTES, numbered(100)[::2]).bare()
    assert names(app, MUTES) == numbered(100)[1::2]


# ---- pages ----


@pytest.mark.parametrize("limit", [1, 7, 50, 99, 100])
@timed
def test_pages_have_everybody_once(app, kind, limit):
    accounts = numbered(250)
    add_many(app, kind, accounts)
    assert [entry["Member_Account"] for entry in pages(app, kind, Limit=limit)] == accounts
    assert [entry["Member_Account"] for entry in pages(app, kind)] == accounts, "100 without a limit"


@timed
def test_offset_and_limit_cut_the_list(app, kind):
    accounts = numbered(250)
    add_many(app, kind, accounts)

    def cut(**fields):
        page = app.in_room(kind.show, **fields).ok().response
        return [entry["Member_Account"] for entry in page[kind.list]], page["NextOffset"]

    assert cut(Offset=0) == (accounts[:100], 100)
    assert cut(Limit=3) == (accounts[:3], 3)
    assert cut(Offset=None, Limit=3) == (accounts[:3], 3)
    assert cut(Offset=247, Limit=2) == (accounts[247:249], 249)
    assert cut(Offset=249, Limit=2) == (accounts[249:], 0)
    assert cut(Offset=150) == (accounts[150:], 0)
    assert cut(Offset=149) == (accounts[149:249], 249)
    assert cut(Offset=250, Limit=1) == ([], 0)
    assert cut(Offset=4294967295, Limit=100) == ([], 0)


def test_muted_without_a_page_are_all(app):
    add_many(app, MUTES, numbered(1000))
    for fields in ({}, {"Offset": None, "Limit": None}):
        answer = app.in_room("get_muted_member_list", **fields).ok().response
        assert list(answer) == ["MutedAccountList"]
        assert [entry["Member_Account"] for entry in answer["MutedAccountList"]] == numbered(1000)


def test_banned_without_a_page_are_the_first_hundred(app):
    add_many(app, BANS, numbered(120))
    answer = app.in_room("get_banned_member_list").ok().response
    assert [entry["Member_Account"] for entry in answer["BannedAccountList"]] == numbered(100)
    assert answer["NextOffset"] == 100


def test_the_longest_lists_fit(app):
    """A thousand bans, each with name and reason at their limit and nothing but characters that must be escaped."""
    accounts = ['"' * 28 + f"{number:04}" for number in range(1000)]
    add_many(app, BANS, accounts, Reason='"' * 200)
    found = pages(app, BANS)
    assert [entry["Member_Account"] for entry in found] == accounts
    assert {entry["Reason"] for entry in found} == {'"' * 200}
    app.destroy("r").ok()


# ---- who may ----


@kinds
def test_only_app_admins_may(app, kind):
    for command in (kind.add, kind.remove, kind.show):
        body = {"RoomId": "r", kind.field: ["bob"], **kind.fields}
        app.rest(command, body, identifier="alice").refused(60010, "admin account")
    assert names(app, kind) == []


def test_owner_may_be_an_admin_of_the_room_too(app):
    app.admins("r", "alice").bare()
    assert names(app, ADMINS) == ["alice"]
    app.admins("r", "alice", op="delete").bare()
    app.update_as("r", "alice", Notice="still the owner").bare()
