"""The schedule of one callback: its end and its replay, the configuration that each attempt goes by, restarts, clocks."""

import collections
import threading
import time

import pytest

import wire
from clock import Clock
from receivers import CREATED, NEVER_AGAIN, SDKAPPID, Switch, all_are, create_many, sequence_of, sequences

OTHER = SDKAPPID + 1
LATER = {"Retry-After": "3600"}
SCHEDULE = tuple(
    "--callback-give-up 700ms --callback-retry-first 50ms --callback-retry-longest 100ms --callback-probe-longest 50ms".split()
)


def every_room(backend, receiver, sdkappid=SDKAPPID, **fields):
    return backend.app(sdkappid, MaxRoomCount=10000, callback=receiver.url, commands=[CREATED], **fields)


def replay(backend, **fields):
    return backend.manage("callback_replay", fields).ok().response["Replayed"]


def attempts_of(requests):
    """webhook-id -> the Highwater-Attempt of each request that had it, in their order."""
    found = collections.defaultdict(list)
    for request in requests:
        found[request["headers"]["webhook-id"]].append(int(request["headers"]["highwater-attempt"]))
    return found


# ---- the whole schedule ----


@pytest.mark.smoke
def test_outage_longer_than_the_schedule_fails_visibly_and_is_replayed(make_backend, make_receiver):
    switch = Switch((500, {}, b"down for maintenance"))
    receiver = make_receiver(switch)
    backend = make_backend(*SCHEDULE)
    app = every_room(backend, receiver)
    started_ms = time.time() * 1000
    app.fill(1, 6)
    rows = backend.wait_deliveries(all_are("failed"))
    assert all(row["LastAttemptTime"] >= started_ms + 500 for row in rows if row["Attempts"] > 1)
    assert all(row["Error"] == "HTTP status 500" and row["DueTime"] == 0 for row in rows)
    assert sum(row["Attempts"] for row in rows) == len(receiver.requests) >= 9
    assert backend.show()["CallbackPending"] == 0
    assert backend.callbacks(State="failed") == rows[::-1]
    assert backend.log().count("callback_failed") == 6, "each is an error in the log"
    for row in rows:
        assert row["WebhookId"] in backend.log()
        log = backend.attempts(row)
        assert log[-1]["Attempt"] == row["Attempts"] and log[-1]["Reply"] == "down for maintenance"

    switch.good.set()
    app.create("after").ok()
    backend.wait_deliveries(lambda rows: rows[-1]["State"] == "delivered")
    assert sequences(backend.callbacks(State="failed")) == [6, 5, 4, 3, 2, 1], "a failed one is not sent by itself"
    sent = len(receiver.requests)
    assert replay(backend, WebhookId=rows[0]["WebhookId"]) == 1
    assert replay(backend, SdkAppid=SDKAPPID, FromSequence=3, ToSequence=4) == 2
    backend.wait_deliveries(lambda rows: sequences(row for row in rows if row["State"] == "delivered") == [1, 3, 4, 7])
    assert replay(backend, SdkAppid=SDKAPPID, Since=int(started_ms)) == 3
    after_all = backend.wait_deliveries(all_are("delivered"))
    assert [row["WebhookId"] for row in after_all[:6]] == [row["WebhookId"] for row in rows]
    again = receiver.requests[sent:]
    assert len(again) == 6
    for request in again:
        row = rows[sequence_of(request) - 1]
        assert request["headers"]["highwater-replay"] == "1"
        assert int(request["headers"]["highwater-attempt"]) == row["Attempts"] + 1
        assert request["body"] == row["Body"]
    assert all("highwater-replay" not in request["headers"] for request in receiver.requests[:sent])


def test_replayed_one_has_its_whole_schedule_again(make_backend, make_receiver):
    receiver = make_receiver(Switch())
    backend = make_backend(*SCHEDULE)
    every_room(backend, receiver).create("r").ok()
    (row,) = backend.wait_deliveries(all_are("failed"))
    for times in (1, 2):
        started = time.monotonic()
        assert replay(backend, WebhookId=row["WebhookId"]) == 1
        before, (row,) = row, backend.wait_deliveries(lambda rows: rows[0]["State"] == "failed" and rows[0]["Replays"] == times)
        assert time.monotonic() - started > 0.5, "not given up at its first failure"
        assert row["Attempts"] >= before["Attempts"] + 4
    assert [int(one["headers"]["highwater-attempt"]) for one in receiver.requests] == list(range(1, row["Attempts"] + 1))
    assert {one["headers"].get("highwater-replay") for one in receiver.requests} == {None, "1", "2"}


def test_waits_are_anything_up_to_their_bound(make_backend, make_receiver):
    """Full jitter: first waits of many callbacks that failed at one time are spread over all of the bound."""
    receiver = make_receiver(lambda number, request: (200, {}, wire.OK_REPLY) if number % 2 == 0 else (500, {}, b""))
    backend = make_backend(*NEVER_AGAIN, "--callback-in-flight-per-app", "1")
    app = every_room(backend, receiver)
    app.fill(1, 200)  # every other one fails, so that the breaker stays closed
    rows = backend.wait_deliveries(lambda rows: all(row["Attempts"] for row in rows))
    waits = [(row["DueTime"] - row["LastAttemptTime"]) / 3600000 for row in rows if row["State"] == "scheduled"]
    assert len(waits) >= 90
    assert all(0 <= wait <= 1.001 for wait in waits)
    quarters = collections.Counter(min(3, int(wait * 4)) for wait in waits)
    assert all(quarters[number] >= 8 for number in range(4)), quarters


# ---- configuration is read at each attempt ----


def test_each_attempt_goes_by_the_configuration_of_its_moment(make_backend, make_receiver):
    """URL, token and secret change while a callback waits; its packet stays what it was."""
    before = make_receiver(lambda number, request: (500, LATER, b""))
    behind = make_receiver()
    backend = make_backend(*"--callback-retry-longest 1h".split())
    app = backend.app(callback=before.url, commands=[CREATED], token="the first token")
    app.create("r").ok()
    rows = backend.wait_deliveries(lambda rows: rows[0]["Attempts"] == 1)
    backend.secrets.add("the second token")
    app.config("set_callback_token", {"Token": "the second token", "IsTokenEnable": True}).ok()
    made = backend.manage("app_secret_rotate", {"SdkAppid": SDKAPPID, "Kind": "v1", "Overlap": 0}).ok().response
    backend.secrets.add(made["Secret"])
    app.config("update_callback", {"Url": behind.url + "/hook?x=1", "CallbackCommandList": [CREATED]}).ok()
    (second,) = behind.wait_for(1)  # a new URL makes what waits due at once
    (first,) = before.requests
    assert second["raw"] == first["raw"] and second["headers"]["webhook-id"] == first["headers"]["webhook-id"]
    assert (first["headers"]["highwater-attempt"], second["headers"]["highwater-attempt"]) == ("1", "2")
    assert first["params"]["Sign"] == wire.sign("the first token", first["params"]["RequestTime"])
    assert second["params"]["Sign"] == wire.sign("the second token", second["params"]["RequestTime"])
    assert second["path"].startswith("/hook?x=1&SdkAppid=")
    assert first["headers"]["webhook-signature"] != second["headers"]["webhook-signature"]
    assert rows[0]["Attempts"] == 1
    backend.wait_deliveries(all_are("delivered"))


def test_switch_that_is_off_holds_back_only_its_own(make_backend, make_receiver):
    switch = Switch()
    receiver = make_receiver(switch)
    backend = make_backend()
    both = [CREATED, "Live.CallbackAfterDestroyRoom"]
    app = backend.app(callback=receiver.url, commands=both)
    app.create("r").ok()
    app.destroy("r").ok()
    backend.wait_deliveries(lambda rows: sum(row["Attempts"] for row in rows) >= 2)
    app.config("update_callback", {"Url": receiver.url, "CallbackCommandList": both[1:]}).ok()
    switch.good.set()
    rows = backend.wait_deliveries(lambda rows: rows[1]["State"] == "delivered" and "switch" in rows[0]["Error"])
    assert rows[0]["State"] in wire.WAITING
    last = backend.attempts(rows[0])[-1]
    assert last["Outcome"] == "not_sent" and "switch" in last["Error"]
    app.config("update_callback", {"Url": receiver.url, "CallbackCommandList": both}).ok()
    backend.wait_deliveries(all_are("delivered"))


# ---- restarts ----


@pytest.mark.parametrize("kill", [False, True], ids=["stop", "kill"])
def test_restarts_in_the_middle_of_the_schedule_change_nothing(make_backend, make_receiver, kill):
    switch = Switch()
    receiver = make_receiver(switch)
    backend = make_backend(*"--callback-retry-first 20ms --callback-retry-longest 100ms --callback-probe-longest 30ms".split())
    app = every_room(backend, receiver)
    app.fill(1, 12)
    for number in range(4):
        count = len(receiver.requests)
        receiver.wait_for(count + 6)
        app = backend.restart(app, kill=kill)
    switch.good.set()
    rows = backend.wait_deliveries(all_are("delivered"))
    for row in rows:
        numbers = attempts_of(receiver.requests)[row["WebhookId"]]
        assert numbers == sorted(numbers) and set(numbers) == set(range(1, row["Attempts"] + 1)), "attempt numbers go on"
        if not kill:
            assert len(numbers) == row["Attempts"], "no attempt twice"
    repeated = sum(len(numbers) - len(set(numbers)) for numbers in attempts_of(receiver.requests).values())
    assert repeated <= 4 * 8 * kill, "only what a kill has caught on its way is sent again"


def test_restart_does_not_shorten_a_wait(make_backend, make_receiver):
    receiver = make_receiver(Switch((500, LATER, b"")))
    backend = make_backend("--callback-retry-longest", "1h")
    app = every_room(backend, receiver)
    app.fill(1, 2)
    before = backend.wait_deliveries(lambda rows: all(row["Attempts"] == 1 for row in rows))
    good = make_receiver()
    for kill in (False, True):
        app = backend.restart(app, kill=kill)
        every_room(backend, good, OTHER + kill).fill(1, 3)
        backend.wait_deliveries(all_are("delivered"), OTHER + kill)
        rows = backend.deliveries()
        assert [row["Attempts"] for row in rows] == [1, 1] and len(receiver.requests) == 2
        assert all(abs(new["DueTime"] - old["DueTime"]) < 2000 for new, old in zip(rows, before))


def test_no_callback_is_on_the_wire_twice_at_a_time(make_backend, make_receiver):
    """Many attempts, short waits, a receiver that takes its time and fails by turns."""
    lock, now, twice = threading.Lock(), set(), []

    def behave(number, request):
        event = request["headers"]["webhook-id"]
        with lock:
            if event in now:
                twice.append(event)
            now.add(event)
        time.sleep(0.005)  # the receiver's work
        with lock:
            now.discard(event)
        return (500, {}, b"") if number % 3 == 0 else (200, {}, wire.OK_REPLY)

    receiver = make_receiver(behave)
    backend = make_backend(*"--callback-retry-first 1ms --callback-retry-longest 3ms --callback-probe-longest 3ms".split())
    app = every_room(backend, receiver)
    create_many(app, backend.port, (f"r{number}" for number in range(200)))
    backend.wait_deliveries(all_are("delivered"), seconds=40)
    assert not twice
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in attempts_of(receiver.requests).values())


@pytest.mark.smoke
def test_kills_while_a_receiver_fails_by_turns_lose_nothing(make_backend, make_receiver):
    receiver = make_receiver(lambda number, request: (500, {}, b"") if number % 3 == 0 else (200, {}, wire.OK_REPLY))
    backend = make_backend(*"--callback-retry-first 10ms --callback-retry-longest 50ms --callback-probe-longest 20ms".split())
    app = every_room(backend, receiver)
    for number in range(5):
        count = len(receiver.requests)
        create_many(app, backend.port, (f"r{number}-{n}" for n in range(60)))
        receiver.wait_for(count + 20)
        app = backend.restart(app, kill=True)
    rows = backend.wait_deliveries(all_are("delivered"), seconds=40)
    assert sequences(rows) == list(range(1, 301))
    assert set(attempts_of(receiver.requests)) == {row["WebhookId"] for row in rows}
    assert backend.show()["CallbackPending"] == 0


# ---- the clock ----

@pytest.mark.parametrize("days", [30, -30])
def test_step_of_the_wall_clock_neither_ends_nor_stalls_nor_hurries(make_backend, make_receiver, clock_shim, tmp_path, days):
    clock = Clock(tmp_path / "shift")
    failing = make_receiver(Switch())
    waiting = make_receiver(Switch((500, LATER, b"")))
    times = "--callback-give-up 1h --callback-retry-longest 1h --callback-probe-longest 100ms"
    backend = make_backend(*times.split(), start=False)
    backend.environment |= clock.environment(clock_shim)
    backend.start()
    every_room(backend, failing).fill(1, 2)
    every_room(backend, waiting, OTHER).fill(1, 2)
    failing.wait_for(4)
    backend.wait_deliveries(lambda rows: all(row["Attempts"] == 1 for row in rows), OTHER)
    clock.set(days * 86400)
    count = len(failing.requests)
    for request in failing.wait_for(count + 4)[count + 1 :]:
        assert abs(int(request["headers"]["webhook-timestamp"]) - time.time() - days * 86400) < 60, "the clock was not set"
    rows = backend.deliveries() + backend.deliveries(OTHER)
    assert all(row["State"] in wire.WAITING for row in rows), "nothing is given up because of it"
    assert len(waiting.requests) == 2, "nor hurried"
    failing.behave.good.set()
    backend.wait_deliveries(all_are("delivered"))
    backend.manage("callback_resume", {"SdkAppid": OTHER}).ok()  # due at once
    waiting.behave.good.set()
    waiting.wait_for(3)
