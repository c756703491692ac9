"""Several keys of one app: rotating, revoking, and changes of an app that are made at the same time."""

import json
import re
import threading
import time

import pytest

import wire
from conftest import run

NEW = "a new key of my own"


@pytest.fixture
def app(backend):
    return backend.app(MaxRoomCount=100)


def rotate(backend, **fields):
    made = backend.manage("app_key_rotate", {"SdkAppid": 1400000001, **fields}).ok().response
    backend.secrets.add(made["Key"])
    return made


def revoke(backend, key_id):
    return backend.manage("app_key_revoke", {"SdkAppid": 1400000001, "KeyId": key_id})


def ids(backend):
    return [key["KeyId"] for key in backend.show()["Keys"]]


def with_key(app, key):
    return wire.App(app.client, app.sdkappid, key)


def call(app):
    return app.rest("get_room_list", {})


# ---- rotating ----


@pytest.mark.smoke
def test_both_keys_verify_after_a_rotation(backend, app):
    before = time.time() * 1000
    made = rotate(backend)
    assert made["KeyId"] == 2 and re.fullmatch("[0-9a-f]{64}", made["Key"]) and made["Key"] != app.key
    call(app).ok()
    call(with_key(app, made["Key"])).ok()
    call(with_key(app, "another key")).refused(70009)
    newest, first = backend.show()["Keys"]
    assert (newest["KeyId"], newest["ExpireTime"], first["KeyId"]) == (2, 0, 1)
    assert before - 1000 <= newest["CreateTime"] <= time.time() * 1000
    assert first["ExpireTime"] == newest["CreateTime"] + 86400 * 1000
    assert first["CreateTime"] == backend.show()["CreateTime"]


def test_key_of_ones_own_and_what_is_shown(backend, app):
    assert rotate(backend, Key=NEW, Overlap=3600) == {"KeyId": 2, "Key": NEW}
    call(with_key(app, NEW)).ok()
    shown = backend.show()
    assert "Key" not in shown and all("Key" not in key for key in shown["Keys"])
    listed = backend.manage("app_list", {}).ok()
    assert listed.response["AppList"][0]["Keys"] == shown["Keys"]
    assert NEW.encode() not in listed.raw and app.key.encode() not in listed.raw
    shown = backend.manage("app_show", {"SdkAppid": app.sdkappid, "RevealKey": True}).ok().response
    assert shown["Key"] == NEW and [key["Key"] for key in shown["Keys"]] == [NEW, app.key]


def test_old_key_stops_after_the_overlap_despite_the_cache(backend, app):
    sig = wire.usersig(app.sdkappid, "administrator", app.key)
    app.rest("get_room_list", {}, usersig=sig).ok()
    made = rotate(backend, Overlap=1)
    newest, first = backend.show()["Keys"]
    end = first["ExpireTime"]
    assert end == newest["CreateTime"] + 1000
    reply = app.rest("get_room_list", {}, usersig=sig)  # from now on it is in the cache
    assert reply.code == 0 or time.time() * 1000 > end
    wire.wait(lambda: app.rest("get_room_list", {}, usersig=sig).code, what="the end of the old key")
    assert time.time() * 1000 > end
    app.rest("get_room_list", {}, usersig=sig).refused(70009)
    call(app).refused(70009)
    call(with_key(app, made["Key"])).ok()


def test_rotation_without_overlap_ends_the_others_at_once(backend, app):
    call(app).ok()
    made = rotate(backend, Overlap=0)
    call(app).refused(70009)
    call(with_key(app, made["Key"])).ok()
    assert ids(backend) == [2]


def test_later_rotation_lengthens_no_life(backend, app):
    rotate(backend, Overlap=60)
    end = backend.show()["Keys"][1]["ExpireTime"]
    rotate(backend, Overlap=31536000)
    assert backend.show()["Keys"][2]["ExpireTime"] == end
    rotate(backend, Overlap=10)
    assert all(0 < key["ExpireTime"] < end for key in backend.show()["Keys"][1:])


def test_fifth_key_takes_the_place_of_the_oldest(backend, app):
    keys = [app.key, *(rotate(backend)["Key"] for _ in range(3))]
    for key in keys:
        call(with_key(app, key)).ok()
    keys.append(rotate(backend)["Key"])
    assert ids(backend) == [5, 4, 3, 2]
    call(app).refused(70009)
    for key in keys[1:]:
        call(with_key(app, key)).ok()


def test_app_set_replaces_all_keys(backend, app):
    other = rotate(backend)["Key"]
    backend.manage("app_set", {"SdkAppid": app.sdkappid, "Key": NEW}).ok()
    backend.secrets.add(NEW)
    assert ids(backend) == [3]
    call(app).refused(70009)
    call(with_key(app, other)).refused(70009)
    call(with_key(app, NEW)).ok()


def test_other_faults_of_a_signature_do_not_depend_on_the_key(backend, app):
    """The order of the answers with two keys is that with one, whichever made the signature."""
    now = int(time.time())
    for key in (app.key, rotate(backend)["Key"]):
        for code, sig in [
            (70001, wire.usersig(app.sdkappid, "administrator", key, expire=60, now=now - 120)),
            (70013, wire.usersig(app.sdkappid, "alice", key)),
            (70014, wire.usersig(1400000002, "administrator", key)),
            (70003, "nonsense"),
        ]:
            app.rest("get_room_list", {}, usersig=sig).refused(code)
    expired = wire.usersig(app.sdkappid, "administrator", "another key", expire=60, now=now - 120)
    app.rest("get_room_list", {}, usersig=expired).refused(70009)


# ---- revoking ----


def test_revoked_key_stops_at_once_on_every_connection(make_backend):
    backend = make_backend("--http-threads", "2")
    app = backend.app()
    made = rotate(backend)
    others = [with_key(app, made["Key"]).over(backend.client()) for _ in range(8)]
    sig = wire.usersig(app.sdkappid, "administrator", made["Key"])
    for other in others:
        for _ in range(2):
            other.rest("get_room_list", {}, usersig=sig).ok()
    revoke(backend, made["KeyId"]).ok()
    for other in others:
        other.rest("get_room_list", {}, usersig=sig).refused(70009)
        other.client.close()
    call(app).ok()
    assert ids(backend) == [1]
    assert backend.show()["Keys"][0]["ExpireTime"] > 0  # its end stays what the rotation made it


def test_revoking_one_twice_or_one_that_is_not_there(backend, app):
    rotate(backend)
    revoke(backend, 3).refused(100002, "KeyId")
    revoke(backend, 1).ok()
    revoke(backend, 1).refused(100002, "KeyId")
    assert ids(backend) == [2]


def test_without_a_key_every_usersig_is_refused_until_there_is_one(backend, app):
    call(app).ok()
    revoke(backend, 1).ok()
    call(app).refused(70016)
    app.rest("get_room_list", {}, usersig="nonsense").refused(70016)
    app.user("create_room", {"RoomInfo": {"RoomId": "r", "RoomType": "Live"}}, "alice").refused(70016)
    shown = backend.manage("app_show", {"SdkAppid": app.sdkappid, "RevealKey": True}).ok().response
    assert shown["Keys"] == [] and "Key" not in shown
    made = rotate(backend)
    assert made["KeyId"] == 2  # no id is used twice
    call(app).refused(70009)
    call(with_key(app, made["Key"])).ok()


def test_when_all_keys_have_ended_there_is_none(backend, app):
    made = rotate(backend, Overlap=1)
    revoke(backend, made["KeyId"]).ok()
    wire.wait(lambda: call(app).code, what="the end of the last key")
    call(app).refused(70016)
    assert ids(backend) == [1]  # people see that it ended


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_keys_survive_a_restart(backend, app, end):
    made = rotate(backend, Key=" spaces at both ends ", Overlap=3600)
    rotate(backend, Overlap=7200)
    revoke(backend, 1).ok()
    before = backend.show()
    getattr(backend, end)()
    backend.start()
    again = wire.App(backend.client(), app.sdkappid, made["Key"])
    call(again).ok()
    call(with_key(again, app.key)).refused(70009)
    assert backend.show() == before and ids(backend) == [3, 2]


# ---- changes at the same time ----


def test_accounts_required_is_kept(backend, app):
    assert backend.show()["AccountsRequired"] is False
    backend.manage("app_set", {"SdkAppid": app.sdkappid, "AccountsRequired": True}).ok()
    backend.manage("app_set", {"SdkAppid": app.sdkappid, "MaxRoomCount": 7}).ok()
    assert backend.show()["AccountsRequired"] is True
    assert backend.manage("app_create", {"SdkAppid": 6, "AccountsRequired": True}).ok().response["AccountsRequired"]


def test_concurrent_changes_of_different_fields_all_survive(backend, app):
    """Every field has a thread that changes it alone; each must read back what it wrote, round after round."""
    rounds = 30
    values = {
        "AlertMode": lambda n: ("edge", "step")[n % 2],
        "Thresholds": lambda n: [n + 1, n + 2],
        "RearmMargin": lambda n: n + 1,
        "StepPercent": lambda n: n + 1,
        "MaxRoomCount": lambda n: 100 + n,
        "Admins": lambda n: ["administrator", f"ops{n}"],
    }
    lost = []

    def change(field):
        client = backend.client()
        headers = {"Authorization": f"Bearer {backend.token}"}
        for number in range(rounds):
            want = values[field](number)
            client.post("/manage/v1/app_set", {"SdkAppid": app.sdkappid, field: want}, headers).ok()
            got = client.post("/manage/v1/app_show", {"SdkAppid": app.sdkappid}, headers).ok().response[field]
            if got != want:
                lost.append((field, want, got))
        client.close()

    threads = [threading.Thread(target=change, args=(field,)) for field in values]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == []
    shown = backend.show()
    assert {field: shown[field] for field in values} == {field: make(rounds - 1) for field, make in values.items()}


def test_concurrent_rotations_each_have_an_id(backend, app):
    made = []

    def add():
        made.append(rotate(backend))

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(key["KeyId"] for key in made) == [2, 3, 4]
    for key in made:
        call(with_key(app, key["Key"])).ok()
    call(app).ok()


# ---- the command line ----


@pytest.fixture
def cli(backend):
    def call(*arguments, exit=0, stdin=None):
        environment = {
            "HIGHWATER_SERVER": f"http://127.0.0.1:{backend.port}",
            "HIGHWATER_ADMIN_TOKEN_FILE": str(backend.data / "admin-token"),
        }
        ended = run(*arguments, env=environment, stdin=stdin)
        assert ended.returncode == exit, (arguments, ended.stdout, ended.stderr)
        return ended

    return call


def word_after(output, word):
    """As the documentation's awk takes it."""
    return [line.split()[1] for line in output.splitlines() if line.split()[:1] == [word]]


def test_cli_rotates_shows_and_revokes(backend, app, cli):
    rotated = cli("app", "rotate-key", "1400000001").stdout
    (key,) = word_after(rotated, "key")
    backend.secrets.add(key)
    assert "added key 2 " in rotated
    call(with_key(app, key)).ok()
    shown = cli("app", "show", "1400000001").stdout
    assert key not in shown and app.key not in shown and word_after(shown, "key") == []
    keys = shown.partition("\n  keys ")[2]
    first, second = re.findall(r"(\d+), made (\S+)(?:, (expires) (\S+))?$", keys, re.M)
    assert (first[0], first[2], second[0], second[2]) == ("2", "", "1", "expires")
    shown = cli("app", "show", "1400000001", "--reveal-key").stdout
    assert word_after(shown, "key") == [key] and app.key in shown
    cli("room", "create", "r", "--app", "1400000001", "--client")  # signed with the newest
    assert "revoked key 1 " in cli("app", "revoke-key", "1400000001", "1").stdout
    call(app).refused(70009)
    cli("app", "revoke-key", "--app", "1400000001", "2")
    call(with_key(app, key)).refused(70016)
    assert "none" in cli("app", "show", "1400000001", "--reveal-key").stdout
    assert "rotate-key" in cli("room", "create", "q", "--app", "1400000001", "--client", exit=3).stderr
    assert "70016" in cli("room", "create", "q", "--app", "1400000001", "--client", "--key-file", "-", stdin=key, exit=1).stderr


def test_cli_takes_key_and_overlap(backend, app, cli, tmp_path):
    (tmp_path / "key").write_text(NEW + "\n")
    backend.secrets.add(NEW)
    words = ("app", "rotate-key", "1400000001", "--key-file", str(tmp_path / "key"), "--overlap", "2h", "--json")
    assert json.loads(cli(*words).stdout) == {"KeyId": 2, "Key": NEW}
    newest, first = backend.show()["Keys"]
    assert first["ExpireTime"] == newest["CreateTime"] + 2 * 3600 * 1000
    cli("app", "rotate-key", "--app", "1400000001", "--overlap", "0s")
    assert ids(backend) == [3]


def test_cli_requires_accounts(backend, cli):
    cli("app", "create", "1400000001", "--require-accounts", "on")
    assert backend.show()["AccountsRequired"] is True
    assert "must have been imported" in cli("app", "show", "1400000001").stdout
    cli("app", "set", "1400000001", "--require-accounts", "off")
    assert backend.show()["AccountsRequired"] is False


@pytest.mark.parametrize("words, code, named", [
    (["rotate-key"], 2, "which app"),
    (["rotate-key", "x"], 2, "SDKAppID"),
    (["rotate-key", "1400000001", "2"], 2, "too many"),
    (["rotate-key", "1400000001", "--app", "1400000001"], 2, "twice"),
    (["rotate-key", "1400000001", "--overlap", "1"], 2, "--overlap"),
    (["rotate-key", "1400000001", "--overlap", "1500ms"], 2, "whole seconds"),
    (["rotate-key", "1400000001", "--overlap", "366d"], 2, "--overlap"),
    (["rotate-key", "1400000001", "--key-file", "/nonexistent"], 3, "--key-file"),
    (["rotate-key", "1400000001", "--key-file", "-"], 1, "100002"),
    (["rotate-key", "77"], 1, "70020"),
    (["revoke-key"], 2, "which key"),
    (["revoke-key", "1400000001"], 2, "SDKAPPID KEY-ID"),
    (["revoke-key", "1400000001", "0"], 2, "no id of a key"),
    (["revoke-key", "1400000001", "first"], 2, "no id of a key"),
    (["revoke-key", "1400000001", "1", "2"], 2, "too many"),
    (["revoke-key", "1400000001", "1", "--app", "1400000001"], 2, "twice"),
    (["revoke-key", "1400000001", "9"], 1, "100002"),
    (["revoke-key", "1400000001", "4294967297"], 1, "100002"),
    (["revoke-key", "77", "1"], 1, "70020"),
    (["set", "1400000001", "--require-accounts", "yes"], 2, "--require-accounts"),
])  # fmt: skip
def test_cli_wrong_arguments_change_nothing(backend, app, cli, words, code, named):
    before = backend.show()
    ended = cli("app", *words, exit=code, stdin="short")
    assert named in ended.stderr and ended.stdout == ""
    assert backend.show() == before
