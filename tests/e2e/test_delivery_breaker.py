"""How much an endpoint gets: probes while it fails, a ramp when it recovers, limits always, nothing while it is paused."""

import collections
import threading
import time

import pytest

import wire
from receivers import CREATED, SDKAPPID, Switch, after, all_are, create_many, holding, sequence_of, sequences

OTHER = SDKAPPID + 1
LATER = {"Retry-After": "3600"}  # of a status that does not hold the endpoint: its callback waits for an hour
LONG = tuple("--callback-retry-longest 1h".split())


def every_room(backend, receiver, sdkappid=SDKAPPID, **fields):
    return backend.app(sdkappid, MaxRoomCount=10000, callback=receiver.url, commands=[CREATED], **fields)


def pause(backend, sdkappid=SDKAPPID):
    backend.manage("callback_pause", {"SdkAppid": sdkappid}).ok()


def resume(backend, sdkappid=SDKAPPID):
    backend.manage("callback_resume", {"SdkAppid": sdkappid}).ok()


# ---- the breaker ----


def test_endpoint_that_fails_gets_probes_and_waits_between_them(make_backend, make_receiver):
    """Forty callbacks wait, and each of them could be sent; what comes is one request at each wait of the endpoint."""
    first, longest = 0.1, 0.4
    backend = make_backend(*"--callback-retry-first 100ms --callback-probe-longest 400ms".split())
    times = []

    def failing(number, request):
        times.append(time.monotonic())
        return 500, {}, b""

    receiver = make_receiver(failing)
    app = every_room(backend, receiver)
    create_many(app, backend.port, (f"r{number}" for number in range(40)))
    receiver.wait_for(9)
    waits = [later - earlier for earlier, later in zip(times[2:], times[3:9])]
    for number, waited in enumerate(waits):
        bound = min(first * 2**number, longest)
        assert waited >= bound / 2 * 0.95, (number, waits)
    assert sum(waits) < sum(min(first * 2**number, longest) for number in range(len(waits))) + 2, waits
    endpoint = backend.show()["Endpoint"]
    assert endpoint["State"] == "open" and endpoint["Failures"] >= 8
    assert backend.log().count("endpoint_fails") == 1
    assert {row["State"] for row in backend.deliveries()} <= {"parked", "in_flight"}


def test_only_one_probe_is_under_way(make_backend, make_receiver, holding):
    """Also when it takes long, and however many wait."""
    backend = make_backend("--callback-total-timeout", "300ms")
    receiver = make_receiver(holding)
    app = every_room(backend, receiver)
    create_many(app, backend.port, (f"r{number}" for number in range(40)))
    receiver.wait_for(7)  # all of them hang until the backend gives up waiting
    assert wire.wait(lambda: backend.show()["Endpoint"]["Failures"] >= 6, what="six failures")
    starts = [request["time"] for request in receiver.requests]
    assert all(later - earlier >= 0.28 for earlier, later in zip(starts, starts[1:])), starts


def test_breaker_stays_open_over_a_restart(make_backend, make_receiver, holding):
    receiver = make_receiver(Switch())
    backend = make_backend()
    app = every_room(backend, receiver)
    create_many(app, backend.port, (f"r{number}" for number in range(20)))
    wire.wait(lambda: backend.show()["Endpoint"]["State"] == "open", what="the breaker")
    backend.kill()
    receiver.behave = holding
    backend.start()
    assert backend.show()["Endpoint"]["State"] == "open"
    holding.wait_held(1)
    after(0.2)
    assert holding.most == 1, "a probe, not a burst"
    holding.let_all_go()
    backend.wait_deliveries(all_are("delivered"))


@pytest.mark.smoke
def test_recovered_endpoint_is_met_by_one_then_two_four_eight(make_backend, make_receiver, holding):
    """Answered one at a time, so that each step can be seen; nothing is sent beyond the window."""
    switch = Switch()
    receiver = make_receiver(switch)
    backend = make_backend("--callback-total-timeout", "60s")
    app = every_room(backend, receiver)
    create_many(app, backend.port, (f"r{number}" for number in range(60)))
    wire.wait(lambda: backend.show()["Endpoint"]["State"] == "open", what="the breaker")
    after(0.15)  # lines about endpoints are at least 100 ms apart
    receiver.behave = holding
    for window in (1, 1, 2, 4, 8, 8):
        holding.wait_held(window)
        after(0.1)  # more would come now
        assert holding.most == window
        holding.let_go()
    holding.wait_held(8)
    assert backend.show()["Endpoint"]["State"] == "ok"
    holding.let_all_go()
    rows = backend.wait_deliveries(all_are("delivered"))
    assert len(rows) == 60 and holding.most == 8
    wire.wait(lambda: backend.log().count("endpoint_recovered") == 1, what="the line in the log")


def test_failure_halves_the_window(make_backend, make_receiver, holding):
    receiver = make_receiver(holding)
    backend = make_backend("--callback-total-timeout", "60s", *LONG)
    app = every_room(backend, receiver)
    create_many(app, backend.port, (f"r{number}" for number in range(60)))
    for window in (1, 2, 4, 8):
        holding.wait_held(window)
        holding.let_go()
    holding.wait_held(8)
    holding.answer = (500, LATER, b"")
    holding.let_go()  # four from here on: seven are there, so nothing is sent until there are three
    wire.wait(lambda: backend.show()["Endpoint"]["Failures"] == 1, what="the failure")
    with holding.changed:
        assert holding.held == 7
        holding.answer, holding.most = (200, {}, wire.OK_REPLY), 0
    holding.let_all_go()
    rows = backend.wait_deliveries(lambda rows: sum(row["State"] == "delivered" for row in rows) == 59)
    assert sum(row["State"] == "scheduled" for row in rows) == 1


def test_waiting_retries_are_released_when_the_endpoint_recovers(make_backend, make_receiver):
    switch = Switch((500, LATER, b""))
    receiver = make_receiver(switch)
    backend = make_backend(*LONG)
    app = every_room(backend, receiver)
    app.fill(1, 5)
    now_ms = time.time() * 1000
    rows = backend.wait_deliveries(lambda rows: all(row["Attempts"] == 1 for row in rows))
    assert all(row["DueTime"] > now_ms + 3000 * 1000 for row in rows)
    switch.good.set()
    assert len(receiver.requests) == 5, "nothing is due for an hour"
    app.create("r6").ok()
    rows = backend.wait_deliveries(all_are("delivered"))
    assert [row["Attempts"] for row in rows] == [2] * 5 + [1]
    assert sequence_of(receiver.requests[5]) == 6, "the new one was the probe"


def test_one_that_always_fails_among_good_ones_does_not_open_the_breaker(make_backend, make_receiver):
    receiver = make_receiver(lambda number, request: (500, {}, b"") if sequence_of(request) == 1 else (200, {}, wire.OK_REPLY))
    half_a_second = "--callback-retry-first 500ms --callback-retry-longest 500ms --callback-probe-longest 500ms"
    backend = make_backend(*half_a_second.split())
    app = every_room(backend, receiver)
    app.create("bad").ok()
    number = 0
    while backend.deliveries()[0]["Attempts"] < 4:
        number += 1
        app.create(f"r{number}").ok()
        receiver.wait_until(lambda requests: any(sequence_of(one) == number + 1 for one in requests))
    rows = backend.wait_deliveries(lambda rows: all_are("delivered")(rows[1:]))
    assert number >= 10 and [row["Attempts"] for row in rows[1:]] == [1] * number
    assert "endpoint_fails" not in backend.log()
    assert backend.show()["Endpoint"]["State"] != "open"


@pytest.mark.parametrize("refusal", [(200, {}, b'{"ActionStatus":"FAIL","ErrorCode":1}'), (400, {}, b""), (200, {}, b"no")])
def test_one_that_is_refused_for_ever_does_not_make_others_wait_for_a_probe(make_backend, make_receiver, refusal):
    """Nothing else is sent meanwhile: its own retries alone would open the breaker."""
    backend = make_backend(*"--callback-probe-longest 1h --callback-retry-longest 50ms".split())
    receiver = make_receiver(lambda number, request: refusal if sequence_of(request) == 1 else (200, {}, wire.OK_REPLY))
    app = every_room(backend, receiver)
    app.create("poison").ok()
    receiver.wait_for(6)
    assert (backend.show()["Endpoint"]["State"], backend.show()["Endpoint"]["Failures"]) == ("failing", 1)
    app.create("good").ok()
    backend.wait_deliveries(lambda rows: rows[1]["State"] == "delivered", seconds=10)
    assert backend.show()["Endpoint"]["State"] == "ok"
    assert "endpoint_fails" not in backend.log()


def test_new_and_retried_ones_take_turns(make_backend, make_receiver):
    switch = Switch((500, LATER, b""))
    receiver = make_receiver(switch)
    backend = make_backend("--callback-in-flight-per-app", "1", *LONG)
    app = every_room(backend, receiver)
    app.fill(1, 6)
    backend.wait_deliveries(lambda rows: all(row["Attempts"] == 1 for row in rows))
    pause(backend)
    app.fill(7, 14)
    switch.good.set()
    resume(backend)
    backend.wait_deliveries(all_are("delivered"))
    arrived = [sequence_of(request) for request in receiver.requests[6:]]
    assert len(arrived) == 14
    kinds = [sequence > 6 for sequence in arrived]
    assert all(earlier != later for earlier, later in zip(kinds[:12], kinds[1:12])), arrived
    assert [sequence for sequence in arrived if sequence > 6] == list(range(7, 15)), "new ones in their order"


# ---- limits ----


class Crowd:
    """Counts requests at once, over all apps and per app; each takes a little while."""

    def __init__(self, bad=()):
        self.lock = threading.Lock()
        self.now = collections.Counter()
        self.most = collections.Counter()
        self.bad = bad

    def __call__(self, number, request):
        sdkappid = int(request["params"]["SdkAppid"])
        kind = "bad" if sdkappid in self.bad else "good"
        counted = ("all", sdkappid, kind)
        with self.lock:
            self.now.update(counted)
            for one in counted:
                self.most[one] = max(self.most[one], self.now[one])
        time.sleep(0.02)  # the receiver's work
        with self.lock:
            self.now.subtract(counted)
        return (500, {}, b"") if kind == "bad" else (200, {}, wire.OK_REPLY)


def test_limits_are_used_and_never_exceeded(make_backend, make_receiver):
    crowd = Crowd()
    receiver = make_receiver(crowd)
    backend = make_backend(*"--callback-in-flight-max 7 --callback-in-flight-per-app 3".split())
    apps = [every_room(backend, receiver, SDKAPPID + number) for number in range(6)]
    for app in apps:
        create_many(app, backend.port, (f"r{number}" for number in range(40)))
    for app in apps:
        backend.wait_deliveries(all_are("delivered"), app.sdkappid)
    assert crowd.most["all"] == 7
    assert {crowd.most[app.sdkappid] for app in apps} <= {1, 2, 3}
    assert max(crowd.most[app.sdkappid] for app in apps) == 3


def test_failing_apps_together_have_half_of_all_requests(make_backend, make_receiver):
    bad = range(SDKAPPID + 1, SDKAPPID + 13)
    crowd = Crowd(bad)
    receiver = make_receiver(crowd)
    backend = make_backend(*"--callback-in-flight-max 8 --callback-retry-first 5ms --callback-retry-longest 10ms".split(),
                           "--callback-probe-longest", "5ms")  # fmt: skip
    for sdkappid in bad:
        create_many(every_room(backend, receiver, sdkappid), backend.port, (f"r{number}" for number in range(5)), 1)
    wire.wait(lambda: all(backend.show(one)["Endpoint"]["State"] == "open" for one in bad), what="the breakers")
    with crowd.lock:
        crowd.most.clear()  # those that were sent before anybody knew do not count
    app = every_room(backend, receiver)
    create_many(app, backend.port, (f"r{number}" for number in range(100)))
    backend.wait_deliveries(all_are("delivered"))
    assert crowd.most["bad"] == 4
    assert crowd.most[SDKAPPID] >= 4, "the other half is free"


# ---- pause ----


def test_pause_stops_everything_retries_too(make_backend, make_receiver):
    switch = Switch()
    receiver = make_receiver(switch)
    backend = make_backend()
    app = every_room(backend, receiver)
    other_receiver = make_receiver()
    other = every_room(backend, other_receiver, OTHER)
    app.fill(1, 10)
    receiver.wait_for(4)
    pause(backend)
    app.fill(11, 15)
    wire.wait(lambda: all_are("parked")(backend.deliveries()), what="what was under way to be over")
    count = len(receiver.requests)
    switch.good.set()
    other.fill(1, 5)
    backend.wait_deliveries(all_are("delivered"), OTHER)
    after(0.6)  # three times the longest wait of a retry and of a probe
    assert len(receiver.requests) == count
    assert backend.show()["Endpoint"]["State"] == "paused"
    resume(backend)
    assert sequences(backend.wait_deliveries(all_are("delivered"))) == list(range(1, 16))


def test_nothing_is_given_up_while_paused(make_backend, make_receiver):
    switch = Switch()
    receiver = make_receiver(switch)
    backend = make_backend("--callback-give-up", "500ms")
    app = every_room(backend, receiver)
    app.fill(1, 3)
    receiver.wait_for(1)
    pause(backend)
    wire.wait(lambda: all_are("parked")(backend.deliveries()), what="what was under way to be over")
    after(0.8)
    switch.good.set()
    assert all_are("parked")(backend.deliveries())
    resume(backend)
    backend.wait_deliveries(all_are("delivered"))


def test_pause_lets_what_is_under_way_end(make_backend, make_receiver, holding):
    receiver = make_receiver(holding)
    backend = make_backend("--callback-total-timeout", "60s")
    app = every_room(backend, receiver)
    app.fill(1, 3)
    holding.wait_held(1)
    pause(backend)
    holding.let_all_go()
    rows = backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")
    assert [row["State"] for row in rows[1:]] == ["parked"] * 2
    assert len(receiver.requests) == 1


# ---- tests ----


def test_test_callback_goes_to_an_endpoint_that_fails_at_once(make_backend, make_receiver):
    """And is what finds out that the endpoint is good again; it is superseded by nothing."""
    switch = Switch((500, LATER, b""))
    receiver = make_receiver(switch)
    backend = make_backend("--callback-probe-longest", "1h", "--callback-retry-first", "1h", *LONG, supersede=True)
    app = backend.app(MaxRoomCount=100, Thresholds=[1], callback=receiver.url)
    app.fill(1, 3)
    rows = backend.wait_deliveries(lambda rows: sum(row["Attempts"] for row in rows) >= 3)
    assert backend.show()["Endpoint"]["State"] == "open"
    count = len(receiver.requests)
    first = backend.manage("callback_test", {"SdkAppid": SDKAPPID}).ok().response
    receiver.wait_until(lambda requests: any(one["headers"]["webhook-id"] == first["WebhookId"] for one in requests))
    assert len(receiver.requests) <= count + 2
    wire.wait(lambda: {row["WebhookId"]: row["Attempts"] for row in backend.deliveries()}[first["WebhookId"]] == 1)
    switch.good.set()
    app.create("r4").ok()
    second = backend.manage("callback_test", {"SdkAppid": SDKAPPID}).ok().response
    rows = backend.wait_deliveries(all_are("delivered", "superseded"))
    states = {row["WebhookId"]: row["State"] for row in rows}
    assert states[first["WebhookId"]] == states[second["WebhookId"]] == "delivered"
    assert [row["State"] for row in rows if row["Threshold"]] == ["superseded"] * 3 + ["delivered"]
