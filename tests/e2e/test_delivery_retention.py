"""How long callbacks are kept: what has ended goes when its time is over, what waits never."""

import time

import pytest

import wire
from receivers import CREATED, NEVER_AGAIN, SDKAPPID, Switch, all_are, create_many, sequences

OTHER, THIRD = SDKAPPID + 1, SDKAPPID + 2


def restarted(backend, *apps):
    """Looking for what is over begins with the start."""
    for app in apps:
        app.client.close()
    assert backend.stop() == 0
    backend.start()


@pytest.mark.smoke
def test_what_has_ended_is_removed_when_its_time_is_over_and_what_waits_is_not(make_backend, make_receiver):
    """More than one look takes; two kinds of ends, each with its own time; an app after it is not skipped."""
    good, bad = make_receiver(), make_receiver(Switch())
    times = "--callback-give-up 100ms --callback-keep-delivered 1s --callback-keep-failed 1h"
    backend = make_backend(*times.split(), supersede=True)
    delivered = backend.app(SDKAPPID, MaxRoomCount=10000, callback=good.url, commands=[CREATED])
    create_many(delivered, backend.port, (f"r{number}" for number in range(1200)))
    failed = backend.app(OTHER, callback=bad.url, commands=[CREATED])
    failed.fill(1, 3)
    mixed = backend.app(THIRD, MaxRoomCount=100, Thresholds=[1], callback=good.url, commands=[CREATED, wire.ALERT])
    mixed.fill(1, 2)
    backend.wait_deliveries(all_are("delivered"), seconds=40)
    backend.wait_deliveries(all_are("delivered"), THIRD)
    backend.wait_deliveries(all_are("failed"), OTHER)
    backend.manage("callback_pause", {"SdkAppid": THIRD}).ok()
    mixed.fill(3, 4)
    before = backend.deliveries(THIRD)
    last_ms = max(row["LastAttemptTime"] for row in backend.callbacks())
    wire.wait(lambda: time.time() * 1000 > last_ms + 1100, what="the time to be over")
    restarted(backend, delivered, failed, mixed)
    wire.wait(lambda: not backend.callbacks(SdkAppid=SDKAPPID), what="those delivered to be removed")
    wire.wait(lambda: len(backend.callbacks(SdkAppid=THIRD)) == 4, what="those delivered to be removed")
    assert [row["State"] for row in backend.deliveries(THIRD)] == ["parked"] * 4
    assert sequences(backend.deliveries(THIRD)) == [5, 6, 7, 8]
    assert [row["State"] for row in backend.deliveries(OTHER)] == ["failed"] * 3
    backend.manage("callback_show", {"WebhookId": before[0]["WebhookId"]}).refused(100002, "no such callback")
    backend.manage("callback_replay", {"WebhookId": before[0]["WebhookId"]}).refused(100002, "no such callback")
    shown = backend.show(SDKAPPID)
    assert (shown["CallbackSequence"], shown["CallbackPending"], shown["RoomCount"]) == (1200, 0, 1200)
    backend.manage("callback_resume", {"SdkAppid": THIRD}).ok()
    backend.wait_deliveries(lambda rows: sum(row["State"] == "delivered" for row in rows) == 4, THIRD)
    fresh = delivered.over(backend.client())
    fresh.create("after").ok()
    backend.wait_deliveries(lambda rows: sequences(rows) == [1201] and all_are("delivered")(rows))


def test_waiting_ones_are_kept_however_old(make_backend, make_receiver):
    receiver = make_receiver(Switch())
    backend = make_backend(*NEVER_AGAIN, *"--callback-keep-delivered 1ms --callback-keep-failed 1ms".split())
    app = backend.app(callback=receiver.url, commands=[CREATED])
    app.fill(1, 5)
    backend.wait_deliveries(lambda rows: sum(row["Attempts"] for row in rows) == 3)
    for _ in range(2):
        restarted(backend, app)
        assert sequences(backend.deliveries()) == [1, 2, 3, 4, 5]
    receiver.behave.good.set()
    backend.manage("callback_resume", {"SdkAppid": SDKAPPID}).ok()
    wire.wait(lambda: backend.show()["CallbackPending"] == 0, what="all to be delivered")
    restarted(backend, app)
    wire.wait(lambda: not backend.callbacks(), what="all to be removed")


def test_nothing_is_removed_when_they_are_kept_for_ever(make_backend, receiver):
    backend = make_backend(*"--callback-keep-delivered 0ms --callback-keep-failed 0ms".split())
    app = backend.app(callback=receiver.url, commands=[CREATED])
    app.fill(1, 5)
    before = backend.wait_deliveries(all_are("delivered"))
    restarted(backend, app)
    app = app.over(backend.client())
    app.create("after").ok()
    assert backend.wait_deliveries(lambda rows: len(rows) == 6 and all_are("delivered")(rows))[:5] == before
