"""Accounts: importing users one by one and a hundred at a time, and the app's switch that demands it.

There is no call that shows an account. Whether one exists is seen through the switch: with AccountsRequired an owner, a
new owner or a robot that was never imported is 70107.
"""

import pytest

NOT_IMPORTED, BAD_ACCOUNT, TOO_LONG = 70107, 70402, 40601


@pytest.fixture
def app(backend):
    return backend.app(MaxRoomCount=1000)


@pytest.fixture
def strict(backend):
    """An app that requires accounts; with alice, and her room r."""
    app = backend.app(MaxRoomCount=1000, AccountsRequired=True)
    app.login("account_import", {"UserID": "alice"}).bare()
    app.create("r", Owner_Account="alice").ok()
    return app


def require(backend, app, required=True):
    backend.manage("app_set", {"SdkAppid": app.sdkappid, "AccountsRequired": required}).ok()


def is_known(app, account):
    """Whether that account exists; for an app that requires them."""
    reply = app.create("probe", Owner_Account=account)
    if reply.code == NOT_IMPORTED:
        return False
    reply.ok()
    app.destroy("probe").ok()
    return True


# ---- one account ----


@pytest.mark.parametrize("body", [
    {"UserID": "bob"},
    {"Identifier": "bob"},
    {"UserID": "bob", "Identifier": "bob"},
    {"UserID": "bob", "Nick": "Bob", "FaceUrl": "https://example.com/bob.png"},
    {"UserID": "bob", "Nick": "", "FaceUrl": ""},
    {"UserID": "bob", "Nick": None, "FaceUrl": None, "Type": 0, "Other": [{}]},
    {"UserID": None, "Identifier": "bob"},
    {"Identifier": None, "UserID": "bob"},
])  # fmt: skip
def test_imported_account_is_known(strict, body):
    assert not is_known(strict, "bob")
    strict.login("account_import", body).bare()
    assert is_known(strict, "bob")
    assert not is_known(strict, "Bob")


def test_user_id_is_taken_before_identifier(strict):
    strict.login("account_import", {"UserID": "bob", "Identifier": "carol"}).bare()
    assert is_known(strict, "bob")
    assert not is_known(strict, "carol")


def test_import_again_is_fine(strict):
    for nick in ("one", "two", "two", None):
        strict.login("account_import", {"UserID": "bob", "Nick": nick}).bare()
    assert is_known(strict, "bob")


@pytest.mark.parametrize("user", ["a", "x" * 32, "@RBT#001", "user@example.com", "A_b-1", "!~\"\\'"])
def test_account_names_of_all_kinds(strict, user):
    strict.login("account_import", {"UserID": user}).bare()
    assert is_known(strict, user)


@pytest.mark.parametrize("user", ["", "x" * 33, "a b", " ", "caf\u00e9", "\u76f4", "a\nb", "a\u0001", "\x7f", 5, 1.5, True, [],
                                  ["bob"], {}])  # fmt: skip
def test_user_id_that_is_no_account_name_is_70402(strict, user):
    for field in ("UserID", "Identifier"):
        strict.login("account_import", {field: user}).refused(BAD_ACCOUNT, "UserID")
    strict.login("account_import", {"UserID": user, "Nick": "n"}).refused(BAD_ACCOUNT, "UserID")


@pytest.mark.parametrize("body", [{}, {"UserID": None}, {"UserID": None, "Identifier": None}, {"userid": "bob"}, {"Nick": "n"}])
def test_missing_user_id_is_70402(strict, body):
    strict.login("account_import", body).refused(BAD_ACCOUNT, "UserID")


@pytest.mark.parametrize("field", ["Nick", "FaceUrl"])
@pytest.mark.parametrize("letter", ["x", "\u00e9", "\u76f4", "\U0001f3a4"], ids=["1", "2", "3", "4"])
def test_profile_up_to_its_limit_and_beyond(strict, field, letter):
    good = letter * (500 // len(letter.encode()))
    good += "x" * (500 - len(good.encode()))
    bad = good + "x"
    strict.login("account_import", {"UserID": "bob", field: bad}).refused(TOO_LONG, field)
    assert not is_known(strict, "bob")
    strict.login("account_import", {"UserID": "bob", field: good}).bare()
    assert is_known(strict, "bob")


@pytest.mark.parametrize("field", ["Nick", "FaceUrl"])
@pytest.mark.parametrize("value", [5, True, ["x"], {}, "a\nb"])
def test_profile_of_a_wrong_type_is_named(strict, field, value):
    reply = strict.login("account_import", {"UserID": "bob", field: value})
    reply.refused(BAD_ACCOUNT, field)
    assert not is_known(strict, "bob")


# ---- many accounts ----


def import_many(app, **body):
    reply = app.login("multiaccount_import", body).ok()
    assert sorted(reply.body) == sorted(["ActionStatus", "ErrorInfo", "ErrorCode", "RequestId", "FailAccounts"]), reply.raw
    return reply.body["FailAccounts"]


@pytest.mark.smoke
def test_many_accounts_in_both_forms(strict):
    assert import_many(strict, AccountList=[{"UserID": "bob", "Nick": "Bob"}, {"UserID": "carol"}]) == []
    assert import_many(strict, Accounts=["dave", "erin"]) == []
    for user in ("bob", "carol", "dave", "erin"):
        assert is_known(strict, user)
    assert not is_known(strict, "frank")
    assert import_many(strict, AccountList=[{"UserID": "bob"}], Accounts=None) == []
    assert import_many(strict, Accounts=["bob", "bob"]) == []


def test_malformed_accounts_fail_and_the_good_ones_are_imported(strict):
    bad = ["", "x" * 33, "a b", "caf\u00e9"]
    assert import_many(strict, AccountList=[{"UserID": user} for user in ["bob", *bad, "carol"]]) == bad
    assert import_many(strict, Accounts=["dave", *bad, "erin"]) == bad
    for user in ("bob", "carol", "dave", "erin"):
        assert is_known(strict, user)


def test_account_whose_profile_is_too_long_fails_alone(strict):
    users = [
        {"UserID": "bob", "Nick": "x" * 501},
        {"UserID": "carol", "FaceUrl": "x" * 501},
        {"UserID": "dave", "Nick": "x" * 500},
    ]
    assert import_many(strict, AccountList=users) == ["bob", "carol"]
    assert [is_known(strict, user) for user in ("bob", "carol", "dave")] == [False, False, True]


def test_call_with_nothing_but_malformed_accounts_is_fine(strict):
    assert import_many(strict, AccountList=[{"UserID": "a b"}]) == ["a b"]
    assert import_many(strict, Accounts=["c d", "c d"]) in (["c d"], ["c d", "c d"])
    assert is_known(strict, "alice")


@pytest.mark.parametrize("element", [5, None, True, [], ["bob"], {}, {"UserID": 5}, {"UserID": None, "Nick": "n"}])
def test_element_that_is_no_account_fails_and_harms_nobody(strict, element):
    for field, good in (("AccountList", {"UserID": "bob"}), ("Accounts", "bob")):
        reply = strict.login("multiaccount_import", {field: [element, good]})
        assert len(reply.ok().body["FailAccounts"]) == 1
    assert is_known(strict, "bob")


@pytest.mark.parametrize("field", ["AccountList", "Accounts"])
def test_one_to_a_hundred_accounts(strict, field):
    def accounts(count):
        names = [f"u{number}" for number in range(count)]
        return names if field == "Accounts" else [{"UserID": name} for name in names]

    for wrong in ([], accounts(101), None, "bob", 5, {"UserID": "bob"}):
        strict.login("multiaccount_import", {field: wrong}).refused(BAD_ACCOUNT)
    strict.login("multiaccount_import", {}).refused(BAD_ACCOUNT)
    assert not is_known(strict, "u0")
    assert import_many(strict, **{field: accounts(100)}) == []
    assert is_known(strict, "u0") and is_known(strict, "u99")
    assert not is_known(strict, "u100")


# ---- what requires them ----


@pytest.mark.smoke
def test_owner_must_have_been_imported(backend, strict):
    strict.create("q", Owner_Account="bob").refused(NOT_IMPORTED)
    strict.create_as("q", "bob", "Web").refused(NOT_IMPORTED)
    assert strict.room_ids() == ["r"]
    assert backend.show()["RoomCount"] == 1
    strict.login("account_import", {"UserID": "bob"}).bare()
    strict.create("q", Owner_Account="bob").ok()
    strict.create_as("p", "bob", "Web").ok()
    assert strict.room_ids() == ["p", "q", "r"]


def test_new_owner_must_have_been_imported(strict):
    strict.in_room("change_room_owner", NewOwner_Account="bob").refused(NOT_IMPORTED)
    assert strict.info("r")["Owner_Account"] == "alice"
    strict.in_room("change_room_owner", NewOwner_Account="alice").bare()
    strict.login("account_import", {"UserID": "bob"}).bare()
    strict.in_room("change_room_owner", NewOwner_Account="bob").bare()
    assert strict.info("r")["Owner_Account"] == "bob"


def test_every_robot_must_have_been_imported(strict):
    def robots():
        return strict.in_room("get_robot").ok().response["RobotList_Account"]

    strict.in_room("add_robot", RobotList_Account=["robot"]).refused(NOT_IMPORTED)
    strict.in_room("add_robot", RobotList_Account=["alice", "robot"]).refused(NOT_IMPORTED)
    assert robots() == []
    strict.login("account_import", {"UserID": "robot"}).bare()
    strict.in_room("add_robot", RobotList_Account=["alice", "robot"]).bare()
    assert robots() == ["alice", "robot"]
    strict.in_room("del_robot", RobotList_Account=["robot", "never"]).bare()
    assert robots() == ["alice"]


def test_nothing_else_requires_accounts(strict):
    strict.admins("r", "bob").bare()
    strict.in_room("mute_member", MemberList_Account=["bob"], MuteTime=60).bare()
    strict.in_room("ban_member", MemberList_Account=["bob"], Duration=60).bare()
    strict.update_as("r", "bob", Notice="by an admin of the room").bare()
    strict.user("get_room_info", {"RoomId": "r"}, "carol", "Web").ok()
    assert not is_known(strict, "bob"), "this creates no account either"


def test_refused_creation_creates_no_account(backend, strict):
    require(backend, strict, False)
    strict.create("r", Owner_Account="bob").refused(100003)
    strict.create("q", Owner_Account="bob", MaxSeatCount=-1).refused(100002)
    require(backend, strict)
    assert not is_known(strict, "bob")


def test_accounts_of_first_use_are_known_later(backend, app):
    app.create("a", Owner_Account="owner").ok()
    app.create_as("b", "client", "Web").ok()
    app.in_room("change_room_owner", "a", NewOwner_Account="new").bare()
    app.in_room("add_robot", "a", RobotList_Account=["robot"]).bare()
    require(backend, app)
    for account in ("owner", "client", "new", "robot"):
        assert is_known(app, account)
    assert not is_known(app, "stranger")
    app.in_room("change_room_owner", "a", NewOwner_Account="owner").bare()
    app.in_room("change_room_owner", "a", NewOwner_Account="stranger").refused(NOT_IMPORTED)


def test_accounts_stay_when_their_rooms_go(backend, app):
    app.create("a", Owner_Account="owner").ok()
    app.destroy("a").ok()
    require(backend, app)
    assert is_known(app, "owner")


def test_switch_is_shown_and_acts_at_once(backend, app):
    assert backend.show()["AccountsRequired"] is False
    app.create("a", Owner_Account="one").ok()
    require(backend, app)
    assert backend.show()["AccountsRequired"] is True
    app.create("b", Owner_Account="two").refused(NOT_IMPORTED)
    require(backend, app, False)
    assert backend.show()["AccountsRequired"] is False
    app.create("b", Owner_Account="two").ok()


@pytest.mark.parametrize("value", [1, 0, "true", [], {}])
def test_switch_of_a_wrong_type_is_named(backend, app, value):
    backend.manage("app_set", {"SdkAppid": app.sdkappid, "AccountsRequired": value}).refused(100002, "AccountsRequired")
    backend.manage("app_create", {"SdkAppid": 5, "AccountsRequired": value}).refused(100002, "AccountsRequired")
    assert backend.show()["AccountsRequired"] is False


@pytest.mark.parametrize("kill", [True, False], ids=["kill", "stop"])
def test_accounts_survive_a_restart(backend, strict, kill):
    strict.login("account_import", {"UserID": "bob", "Nick": "Bob"}).bare()
    assert import_many(strict, Accounts=["carol"]) == []
    again = backend.restart(strict, kill)
    assert backend.show()["AccountsRequired"] is True
    assert [is_known(again, user) for user in ("alice", "bob", "carol", "dave")] == [True, True, True, False]


def test_accounts_go_with_their_app(backend, strict):
    strict.destroy("r").ok()
    backend.manage("app_delete", {"SdkAppid": strict.sdkappid}).ok()
    again = backend.app(strict.sdkappid, AccountsRequired=True)
    assert not is_known(again, "alice")


def test_only_app_admins_import(strict):
    for command, body in (("account_import", {"UserID": "bob"}), ("multiaccount_import", {"Accounts": ["bob"]})):
        strict.rest(command, body, service="im_open_login_svc", identifier="alice").refused(60010, "admin account")
    assert not is_known(strict, "bob")


def test_app_admin_needs_no_import_to_own_a_room(backend):
    app = backend.app(AccountsRequired=True, Admins=["administrator", "second"])
    app.create("a").ok()
    app.create("b", Owner_Account="second").ok()
    app.create("c", Owner_Account="nobody").refused(NOT_IMPORTED)


NICK, IMAGE = "Tag_Profile_IM_Nick", "Tag_Profile_IM_Image"


def profile(app, command, body):
    return app.client.post(f"/v4/profile/{command}?{app.query()}", body)


def test_profile_is_what_was_imported_or_set(backend):
    app = backend.app()
    app.login("account_import", {"UserID": "bob", "Nick": "B\u00f6b", "FaceUrl": "https://x.example/b.png"}).ok()
    profile(app, "portrait_set", {"From_Account": "bob", "ProfileItem": [{"Tag": NICK, "Value": "Bobby"}]}).bare()
    profile(app, "portrait_set", {"From_Account": "new", "ProfileItem": [{"Tag": IMAGE, "Value": "i"}]}).bare()
    asked = {"To_Account": ["new", "nobody", "bob", "new"], "TagList": [IMAGE, "Tag_Profile_IM_Gender", NICK]}
    found = profile(app, "portrait_get", asked).ok().body
    assert found["UserProfileItem"] == [
        {"To_Account": "new", "ProfileItem": [{"Tag": NICK, "Value": ""}, {"Tag": IMAGE, "Value": "i"}],
         "ResultCode": 0, "ResultInfo": ""},
        {"To_Account": "nobody", "ProfileItem": [], "ResultCode": 40003, "ResultInfo": "no such account"},
        {"To_Account": "bob", "ProfileItem": [{"Tag": NICK, "Value": "Bobby"}, {"Tag": IMAGE, "Value": "https://x.example/b.png"}],
         "ResultCode": 0, "ResultInfo": ""},
    ]  # fmt: skip
    assert found["Fail_Account"] == ["nobody"]
    only = profile(app, "portrait_get", {"To_Account": ["bob"], "TagList": [IMAGE]}).ok().body
    assert [item["Tag"] for item in only["UserProfileItem"][0]["ProfileItem"]] == [IMAGE] and "Fail_Account" not in only


def test_profiles_of_another_app_are_not_there(backend):
    app, other = backend.app(), backend.app(1400000002)
    app.login("account_import", {"UserID": "bob", "Nick": "Bob"}).ok()
    found = profile(other, "portrait_get", {"To_Account": ["bob"], "TagList": [NICK]}).ok().body
    assert found["Fail_Account"] == ["bob"]


@pytest.mark.parametrize("body, code, word", [
    ({"ProfileItem": [{"Tag": NICK, "Value": "x"}]}, 100002, "From_Account"),
    ({"From_Account": "a b", "ProfileItem": [{"Tag": NICK, "Value": "x"}]}, 100002, "From_Account"),
    ({"From_Account": "a"}, 100002, "ProfileItem"),
    ({"From_Account": "a", "ProfileItem": ["x"]}, 100002, "ProfileItem"),
    ({"From_Account": "a", "ProfileItem": [{"Tag": NICK}]}, 100002, "Value"),
    ({"From_Account": "a", "ProfileItem": [{"Tag": NICK, "Value": "x\n"}]}, 100002, "Value"),
    ({"From_Account": "a", "ProfileItem": [{"Tag": NICK, "Value": "x" * 501}]}, 40601, "500"),
    ({"From_Account": "a", "ProfileItem": [{"Tag": NICK, "Value": "x"}, {"Tag": "Tag_Profile_IM_Gender", "Value": "x"}]},
     60017, NICK),
])  # fmt: skip
def test_profile_that_is_refused_sets_nothing(backend, body, code, word):
    app = backend.app()
    profile(app, "portrait_set", body).refused(code, word)
    found = profile(app, "portrait_get", {"To_Account": ["a"], "TagList": [NICK]}).ok().body
    assert found["Fail_Account"] == ["a"]
