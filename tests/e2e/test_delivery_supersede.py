"""A receiver that was away gets the newest alert, not all that piled up; and everything else in full."""

import collections

import pytest

import wire
from receivers import CREATED, FINAL, NEVER_AGAIN, SDKAPPID, Switch, all_are, create_many, holding, sequence_of, sequences

MANY = 10000


def dead_app(backend, receiver, sdkappid=SDKAPPID, maximum=20000, **fields):
    """An app in mode every that alerts from 1 % on."""
    return backend.app(sdkappid, MaxRoomCount=maximum, Thresholds=[1], AlertMode="every", callback=receiver.url, **fields)


def names(first, last):
    return (f"r{number}" for number in range(first, last + 1))


def counts(requests):
    return [request["body"]["CurRoomCount"] for request in requests]


def pending(backend, sdkappid=SDKAPPID):
    return backend.show(sdkappid)["CallbackPending"]


def check_only_newest_is_delivered(backend, receiver, rows, newest):
    """Every other one ended as superseded, says so, and was accepted by nobody."""
    assert rows[-1]["State"] == "delivered" and rows[-1]["Body"]["CurRoomCount"] == newest
    others = collections.Counter(row["State"] for row in rows[:-1])
    assert others == {"superseded": len(rows) - 1}
    for row in rows[:-1]:
        assert row["DueTime"] == 0 and ("newer" in row["Error"] or row["Attempts"] > 0)
    assert counts(receiver.requests) == [newest], "exactly one arrives"


def test_ten_thousand_alerts_of_a_dead_receiver_become_one(make_backend, receiver):
    backend = make_backend(supersede=True)
    receiver.down()
    app = dead_app(backend, receiver)
    create_many(app, backend.port, names(1, MANY + 199))
    assert backend.made() == MANY
    wire.wait(lambda: pending(backend) == 1, 60, "the others to be superseded")
    (waiting,) = backend.callbacks(SdkAppid=SDKAPPID, State="waiting")
    assert waiting["Body"]["CurRoomCount"] == MANY + 199
    assert waiting["State"] in ("parked", "in_flight")
    receiver.up()
    wire.wait(lambda: pending(backend) == 0, what="the newest to be delivered")
    rows = backend.deliveries()
    assert sequences(rows) == list(range(1, MANY + 1)), "all are listed"
    check_only_newest_is_delivered(backend, receiver, rows, MANY + 199)
    assert sequences(backend.callbacks(State="superseded")) == list(range(MANY - 1, 0, -1))
    (request,) = receiver.requests
    assert request["headers"]["highwater-sequence"] == str(MANY)
    assert (request["body"]["MaxRoomCount"], request["headers"]["highwater-threshold"]) == (20000, "1")


def test_receiver_that_comes_back_in_the_middle_gets_the_newest(make_backend, receiver):
    """While most have not been looked at yet."""
    backend = make_backend(supersede=True)
    receiver.down()
    app = dead_app(backend, receiver, maximum=4000)
    app.fill(1, 45)
    wire.wait(lambda: backend.show()["Endpoint"]["State"] == "open", what="the breaker")
    create_many(app, backend.port, names(46, 3000))
    receiver.up()
    wire.wait(lambda: pending(backend) == 0, 60, "all to end")
    rows = backend.deliveries()
    assert len(rows) == 3000 - 39 and all_are("delivered", "superseded")(rows)
    delivered = [row["Body"]["CurRoomCount"] for row in rows if row["State"] == "delivered"]
    assert delivered[-1] == 3000 and len(delivered) <= 2, "the newest, and one that was on its way"
    assert sorted(counts(receiver.requests)) == delivered


def test_kill_in_the_middle_changes_nothing(make_backend, receiver):
    backend = make_backend(supersede=True)
    receiver.down()
    app = dead_app(backend, receiver)
    create_many(app, backend.port, names(1, 5199))
    left = 5000
    for _ in range(3):
        wire.wait(lambda: pending(backend) < left or pending(backend) == 1, 60, "some to be superseded")
        app = backend.restart(app, kill=True)
        left = pending(backend)
        assert left >= len(backend.callbacks(SdkAppid=SDKAPPID, State="waiting")) >= 1
    receiver.up()
    wire.wait(lambda: pending(backend) == 0, 60, "all to end")
    rows = backend.deliveries()
    assert sequences(rows) == list(range(1, 5001))
    check_only_newest_is_delivered(backend, receiver, rows, 5199)


def test_each_threshold_has_its_newest(make_backend, receiver):
    backend = make_backend(supersede=True)
    receiver.down()
    app = backend.app(MaxRoomCount=100, Thresholds=[10, 50, 80], AlertMode="every", callback=receiver.url)
    app.fill(1, 85)
    wire.wait(lambda: pending(backend) == 3, 60, "the others to be superseded")
    receiver.up()
    rows = backend.wait_deliveries(all_are("delivered", "superseded"))
    delivered = [(row["Threshold"], row["Body"]["CurRoomCount"]) for row in rows if row["State"] == "delivered"]
    assert delivered == [(10, 49), (50, 79), (80, 85)]
    told = sorted((int(one["headers"]["highwater-threshold"]), one["body"]["CurRoomCount"]) for one in receiver.requests)
    assert told == delivered


def test_each_app_has_its_newest(make_backend, receiver):
    backend = make_backend(supersede=True)
    receiver.down()
    apps = [dead_app(backend, receiver, SDKAPPID + number, maximum=100) for number in range(3)]
    for number, app in enumerate(apps):
        app.fill(1, 10 + number)
    wire.wait(lambda: all(pending(backend, app.sdkappid) == 1 for app in apps), 60, "the others to be superseded")
    receiver.up()
    for app in apps:
        backend.wait_deliveries(all_are("delivered", "superseded"), app.sdkappid)
    assert sorted(counts(receiver.requests)) == [10, 11, 12]


@pytest.mark.smoke
def test_other_callbacks_are_never_collapsed(make_backend, receiver):
    words = [wire.ALERT, CREATED, "Live.CallbackAfterDestroyRoom", "Live.CallbackAfterSetMetadata"]
    backend = make_backend(supersede=True)
    receiver.down()
    app = dead_app(backend, receiver, maximum=100, commands=words)
    app.fill(1, 30)
    for number in range(1, 11):
        app.set_metadata(f"r{number}", {"k": "v"}).ok()
        app.destroy(f"r{number}").ok()
    receiver.up()
    rows = backend.wait_deliveries(all_are("delivered", "superseded"), seconds=60)
    ended = collections.Counter((row["CallbackCommand"], row["State"]) for row in rows)
    assert ended == {
        (CREATED, "delivered"): 30, (words[2], "delivered"): 10, (words[3], "delivered"): 10,
        (wire.ALERT, "delivered"): 1, (wire.ALERT, "superseded"): 29,
    }  # fmt: skip
    arrived = collections.Counter(request["body"]["CallbackCommand"] for request in receiver.requests)
    assert arrived == {CREATED: 30, words[2]: 10, words[3]: 10, wire.ALERT: 1}


def test_all_arrive_when_it_is_off(make_backend, receiver):
    backend = make_backend(supersede=False)
    receiver.down()
    app = dead_app(backend, receiver, maximum=1000)
    app.fill(1, 209)
    wire.wait(lambda: backend.show()["Endpoint"]["State"] == "open", what="the breaker")
    receiver.up()
    rows = backend.wait_deliveries(all_are("delivered"), seconds=60)
    assert len(rows) == 200 and sorted(counts(receiver.requests)) == list(range(10, 210))


def test_queue_to_a_receiver_that_answers_is_not_touched(make_backend, make_receiver, holding):
    receiver = make_receiver(holding)
    backend = make_backend("--callback-total-timeout", "60s", supersede=True)
    app = dead_app(backend, receiver, maximum=100)
    app.fill(1, 50)
    holding.wait_held(1)
    holding.let_all_go()
    rows = backend.wait_deliveries(all_are("delivered"))
    assert len(rows) == 50 and sorted(counts(receiver.requests)) == list(range(1, 51))


def test_one_that_failed_is_superseded_though_the_endpoint_answers(make_backend, make_receiver):
    """It would come as an old figure behind a newer one."""
    receiver = make_receiver(lambda number, request: (500, {}, b"") if number == 1 else (200, {}, wire.OK_REPLY))
    backend = make_backend(*NEVER_AGAIN, supersede=True)
    app = dead_app(backend, receiver, maximum=100)
    app.create("r1").ok()
    backend.wait_deliveries(lambda rows: rows[0]["Attempts"] == 1)
    app.create("r2").ok()
    backend.wait_deliveries(lambda rows: rows[1]["State"] == "delivered")
    backend.manage("callback_resume", {"SdkAppid": SDKAPPID}).ok()  # what waits is due at once
    rows = backend.wait_deliveries(all_are(*FINAL))
    assert [row["State"] for row in rows] == ["superseded", "delivered"]
    assert counts(receiver.requests) == [1, 2]


def test_replayed_one_is_not_collapsed(make_backend, make_receiver):
    """Also while the endpoint is dead, and newer ones wait."""
    switch = Switch()
    receiver = make_receiver(switch)
    backend = make_backend(supersede=True)
    app = dead_app(backend, receiver, maximum=100)
    app.fill(1, 10)
    rows = backend.wait_deliveries(lambda rows: [row["State"] == "superseded" for row in rows] == [True] * 9 + [False])
    replayed = rows[3]["WebhookId"]
    answer = backend.manage("callback_replay", {"WebhookId": replayed}).ok().response
    assert answer["Replayed"] == 1
    app.fill(11, 15)
    count = len(receiver.requests)
    receiver.wait_for(count + 5)
    wire.wait(lambda: pending(backend) == 2, what="all but the replayed one and the newest")
    switch.good.set()
    rows = backend.wait_deliveries(all_are("delivered", "superseded"))
    assert [row["Sequence"] for row in rows if row["State"] == "delivered"] == [4, 15]
    arrived = {sequence_of(request): request for request in receiver.requests}
    assert arrived[4]["headers"]["highwater-replay"] == "1" and arrived[4]["body"]["CurRoomCount"] == 4
    assert "highwater-replay" not in arrived[15]["headers"]


def test_superseded_ones_can_be_replayed_and_all_arrive(make_backend, receiver):
    backend = make_backend(supersede=True)
    receiver.down()
    app = dead_app(backend, receiver, maximum=100)
    app.fill(1, 20)
    wire.wait(lambda: pending(backend) == 1, what="the others to be superseded")
    receiver.up()
    rows = backend.wait_deliveries(all_are("delivered", "superseded"))
    wanted = {"SdkAppid": SDKAPPID, "FromSequence": 1, "ToSequence": 20, "State": "superseded"}
    assert backend.manage("callback_replay", wanted).ok().response["Replayed"] == 19
    rows = backend.wait_deliveries(all_are("delivered"))
    assert [row["Replays"] for row in rows] == [1] * 19 + [0]
    assert sorted(counts(receiver.requests)) == list(range(1, 21))


def test_alert_of_a_changed_maximum_supersedes(make_backend, receiver):
    """A packet that waits keeps its figures; the maximum that changed meanwhile makes an alert of its own."""
    backend = make_backend(supersede=True)
    receiver.down()
    app = backend.app(MaxRoomCount=100, Thresholds=[10], AlertMode="every", callback=receiver.url)
    app.fill(1, 12)
    wire.wait(lambda: pending(backend) == 1, what="the others to be superseded")
    backend.manage("app_set", {"SdkAppid": SDKAPPID, "MaxRoomCount": 1000}).ok()
    app.fill(13, 14)
    backend.manage("app_set", {"SdkAppid": SDKAPPID, "MaxRoomCount": 50}).ok()
    wire.wait(lambda: pending(backend) == 1, what="the others to be superseded")
    receiver.up()
    rows = backend.wait_deliveries(all_are("delivered", "superseded"))
    assert {row["Body"]["MaxRoomCount"] for row in rows[:-1]} == {100}
    (request,) = receiver.requests
    assert (request["body"]["CurRoomCount"], request["body"]["MaxRoomCount"]) == (14, 50)
    assert request["body"]["Operator_Account"] == "@TIM#SYSTEM"
