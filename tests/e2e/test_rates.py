"""Rates: how often an app may call each command, what they count and what they leave alone, and fresh room ids.

A machine may stop for a moment at any time, and buckets fill up meanwhile. So nothing here says how many calls pass at
once without looking at how long that took: N calls pass for certain, and never more than N and what a rate of N gives
in the measured time. On a machine that is not stopped that is N exactly.
"""

import collections
import json
import os
import time

import pytest

import wire
from conftest import run

BUSY, APP_BUSY, TOO_SOON = 60007, 60011, 100012
DEFAULTS = {"api": "200", "slow": "100", "list": "10", "client": "200", "app": "0", "room-id": "1s"}
PIPELINE = 20  # requests on the wire at a time: they and their answers fit into the buffers of a socket
MESSAGE = "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}"

ENGINE, CONFIG, CLIENT = "live_engine_http_srv", "live_config", "live_client"
LIST = (ENGINE, "get_room_list", {})
INFO = (ENGINE, "get_room_info", {"RoomId": "none"})


@pytest.fixture
def limited(make_backend):
    """Starts a backend with the default rates, but for those given: list=5, room_id="30s"."""

    def make(**changes):
        rates = {**DEFAULTS, **{name.replace("_", "-"): str(value) for name, value in changes.items()}}
        return make_backend(*(word for name, value in rates.items() for word in (f"--rate-{name}", value)))

    return make


Burst = collections.namedtuple("Burst", "codes seconds")


def burst(app, count, *calls, identifier="administrator", **changes):
    """Makes `count` calls, `calls` in turn, as fast as it can over one connection. Returns the codes and the time."""
    messages = []
    for service, command, body in calls:
        path = f"/v4/{service}/{command}?{app.query(identifier, **changes)}"
        text = json.dumps(body)
        messages.append(MESSAGE.format(path, len(text), text).encode())
    codes = []
    with wire.Raw(app.client.connection.port) as raw:
        started = time.monotonic()
        while len(codes) < count:
            some = min(PIPELINE, count - len(codes))
            raw.send(b"".join(messages[(len(codes) + i) % len(messages)] for i in range(some)))
            codes += [raw.reply().code for _ in range(some)]
        return Burst(codes, time.monotonic() - started)


def check_limit(made, limit, refusal=BUSY):
    """The first `limit` calls passed, and of the rest no more than the measured time allows."""
    passed = [code for code in made.codes if code != refusal]
    assert refusal not in made.codes[:limit], made
    assert limit <= len(passed) <= limit + limit * made.seconds, (limit, len(passed), made.seconds)


# ---- the limits ----


def test_defaults_are_the_documented_ones():
    shown = run("serve", "--dump").stdout.splitlines()
    for name, value in DEFAULTS.items():
        assert f"rate.{name.replace('-', '_')} = {value}" in shown


@pytest.mark.smoke
def test_list_is_limited_to_ten_and_goes_on_after_a_tenth_of_a_second(limited):
    app = limited().app()
    made = burst(app, 30, LIST)
    check_limit(made, 10)
    assert set(made.codes) <= {0, BUSY}
    time.sleep(0.1)  # the interval itself, not a wait for something else
    app.rest("get_room_list", {}).ok()


def test_refusal_says_what_to_do(limited):
    app = limited(list=1).app()
    refused = wire.wait(lambda: next((r for r in [app.rest("get_room_list", {})] if r.code), None), what="refusal")
    refused.refused(BUSY, "too frequent", "try again")
    assert refused.status == 200 and "Response" not in refused.body


@pytest.mark.parametrize(
    "limit, service, command, body, code",
    [
        (200, ENGINE, "get_room_info", {"RoomId": "none"}, 100004),
        (200, ENGINE, "destroy_room", {"RoomId": "none"}, 100004),
        (100, ENGINE, "get_room_stats", {"RoomId": "none"}, 100004),
        (100, ENGINE, "get_robot", {"RoomId": "none"}, 100004),
        (200, CONFIG, "get_callback", {}, 100301),
        (200, CLIENT, "get_room_list", {}, 0),
        (200, CLIENT, "get_room_info", {"RoomId": "none"}, 100004),
    ],
)
def test_default_limit_of(limited, limit, service, command, body, code):
    made = burst(limited().app(), limit * 3 // 2, (service, command, body))
    check_limit(made, limit)
    assert set(made.codes) <= {code, BUSY}


def test_setting_0_is_no_limit(limited):
    backend = limited(api=0, slow=0, list=0, client=0)
    app = backend.app()
    for call in [LIST, INFO, (ENGINE, "get_room_stats", {"RoomId": "none"}), (CLIENT, "get_room_list", {})]:
        assert BUSY not in burst(app, 300, call).codes


def test_caller_who_keeps_to_the_rate_is_never_refused(limited):
    app = limited(list=50).app()
    burst(app, 100, LIST)  # nothing is saved up
    for _ in range(25):
        time.sleep(0.02)  # the interval itself
        app.rest("get_room_list", {}).ok()


# ---- what has its own ----


def test_apps_have_rates_of_their_own(limited):
    backend = limited(list=20)
    one, two = backend.app(), backend.app(1400000002)
    check_limit(burst(one, 60, LIST), 20)
    check_limit(burst(two, 60, LIST), 20)


def test_commands_have_rates_of_their_own(limited):
    app = limited(api=20, slow=20, list=20, client=20).app()
    for call in [LIST, INFO, (ENGINE, "get_room_stats", {"RoomId": "none"}), (CONFIG, "get_callback", {})]:
        check_limit(burst(app, 60, call), 20)


def test_client_path_has_rates_of_its_own(limited):
    app = limited(api=20, list=20, client=30).app()
    for command, body in [("get_room_list", {}), ("get_room_info", {"RoomId": "none"})]:
        check_limit(burst(app, 60, (ENGINE, command, body)), 20)
        check_limit(burst(app, 90, (CLIENT, command, body), identifier="alice"), 30)


def test_users_of_an_app_share_the_rate_of_the_client_path(limited):
    app = limited(client=20).app()
    call = (CLIENT, "get_room_list", {})
    started = time.monotonic()
    codes = burst(app, 60, call, identifier="alice").codes + burst(app, 60, call, identifier="bob").codes
    check_limit(Burst(codes, time.monotonic() - started), 20)


def test_management_is_not_limited(limited):
    backend = limited(api=1, slow=1, list=1, client=1, app=1)
    backend.app()
    for _ in range(20):
        backend.show()


# ---- all calls of an app together ----


def test_app_limit_counts_all_commands_together(limited):
    backend = limited(app=30)
    one, two = backend.app(), backend.app(1400000002)
    calls = [INFO, (CONFIG, "get_callback", {}), (CLIENT, "get_room_info", {"RoomId": "none"})]
    check_limit(burst(one, 90, *calls), 30, APP_BUSY)
    check_limit(burst(two, 90, *calls), 30, APP_BUSY)


def test_call_refused_for_its_own_rate_leaves_the_rate_of_the_app(limited):
    app = limited(list=10, app=40).app()
    started = time.monotonic()
    lists = burst(app, 200, LIST)
    check_limit(lists, 10)
    others = burst(app, 90, INFO)
    assert APP_BUSY not in others.codes[:30]
    passed = [code for code in lists.codes + others.codes if code not in (BUSY, APP_BUSY)]
    assert 40 <= len(passed) <= 40 + 40 * (time.monotonic() - started)


# ---- what counts ----


@pytest.mark.parametrize(
    "code, identifier, changes",
    [
        (70009, "administrator", {"key": "another key of that app"}),
        (70003, "administrator", {"usersig": "rubbish"}),
        (60010, "alice", {}),
    ],
)
def test_sender_who_is_not_verified_uses_up_nothing(limited, code, identifier, changes):
    app = limited(list=10, app=10).app()
    fields = {}
    if "key" in changes:
        fields["usersig"] = wire.usersig(app.sdkappid, identifier, changes["key"])
    fields.update({name: value for name, value in changes.items() if name != "key"})
    assert set(burst(app, 100, LIST, identifier=identifier, **fields).codes) == {code}
    check_limit(burst(app, 30, LIST), 10)


def test_call_with_a_wrong_field_counts(limited):
    made = burst(limited().app(), 30, (ENGINE, "get_room_list", {"Count": 21}))
    check_limit(made, 10)
    assert set(made.codes) <= {100002, BUSY}


def test_unsupported_calls_share_one_rate(limited):
    made = burst(limited(api=20).app(), 60, (ENGINE, "send_text_msg", {}), (ENGINE, "kick_member", {}))
    check_limit(made, 20)
    assert set(made.codes) <= {60017, BUSY}


def test_refused_creation_creates_nothing(limited):
    backend = limited(api=10)
    app = backend.app(MaxRoomCount=1000)
    calls = [(ENGINE, "create_room", {"RoomInfo": {"RoomId": f"r{n}", "RoomType": "Live"}}) for n in range(40)]
    made = burst(app, 40, *calls)
    check_limit(made, 10)
    assert backend.show()["RoomCount"] == made.codes.count(0)


# ---- fresh room ids ----


def test_id_of_a_room_destroyed_a_moment_ago_is_not_created_again(limited):
    backend = limited(room_id="60s")
    one, two = backend.app(), backend.app(1400000002)
    one.create("r").ok()
    one.destroy("r").ok()
    one.create("r").refused(TOO_SOON)
    one.create_as("r", "alice", "Web").refused(TOO_SOON)
    one.create("R").ok()
    two.create("r").ok()
    assert backend.show()["RoomCount"] == 1


def test_id_may_be_created_again_after_a_second(limited):
    app = limited().app()
    before = time.monotonic()
    app.create("r").ok()
    app.destroy("r").ok()
    again = app.create("r")
    if time.monotonic() - before < 1:
        again.refused(TOO_SOON)
        assert wire.wait(lambda: app.create("r").code == 0, what="creation")
        assert time.monotonic() - before >= 1
    else:
        assert again.code in (0, TOO_SOON)


def test_refused_creations_do_not_lengthen_the_time(limited):
    app = limited(room_id="300ms", api=0).app()
    app.create("r").ok()
    after = time.monotonic()
    app.destroy("r").ok()
    while time.monotonic() < after + 0.3:
        reply = app.create("r")
        if not reply.code:
            return  # a slow machine: the time was over when the call came
        reply.refused(TOO_SOON)
    app.create("r").ok()


def test_id_of_a_room_that_exists_answers_that(limited):
    app = limited(room_id="60s").app()
    app.create("r", Owner_Account="alice").ok()
    app.create("r", Owner_Account="alice").refused(100010)
    app.create("r", Owner_Account="bob").refused(100003)


def test_ids_may_be_used_again_at_once_with_setting_0(limited):
    app = limited(room_id="0s").app()
    for _ in range(20):
        app.create("r").ok()
        app.destroy("r").ok()


# ---- the command line ----


def test_command_line_lists_rooms_without_the_rates_of_apps(limited):
    backend = limited(api=0)
    backend.app(MaxRoomCount=1000).fill(1, 500)
    ended = run(
        "room", "list", "--app", "1400000001", "--limit", "1000", "--json",
        env={"HIGHWATER_SERVER": f"http://127.0.0.1:{backend.port}",
             "HIGHWATER_ADMIN_TOKEN_FILE": os.fspath(backend.data / "admin-token")},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    rooms = [room["RoomId"] for room in json.loads(ended.stdout)["RoomList"]]
    assert rooms == [f"r{number}" for number in range(500, 0, -1)]
