"""What an operator does with callbacks: looking at them, sending them again, holding them back, trying the endpoint."""

import threading
import time

import pytest

import wire

SDKAPPID = 1400000001
CREATED = "Live.CallbackAfterCreateRoom"
STATES = ("pending", "scheduled", "in_flight", "parked", "delivered", "superseded", "failed")
FINAL = ("delivered", "superseded", "failed")
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
SLOW = tuple("--callback-retry-first 1h --callback-retry-longest 1h --callback-probe-longest 1h".split())


def every_room(backend, receiver, sdkappid=SDKAPPID, **fields):
    """An app for whose every room a callback is made."""
    return backend.app(sdkappid, MaxRoomCount=10000, callback=receiver.url, commands=[CREATED], **fields)


def sequences(rows):
    return [row["Sequence"] for row in rows]


def all_are(state):
    return lambda rows: rows and all(row["State"] == state for row in rows)


def replay(backend, **fields):
    return backend.manage("callback_replay", fields).ok().response


def pause(backend, sdkappid=SDKAPPID):
    backend.manage("callback_pause", {"SdkAppid": sdkappid}).ok()


def resume(backend, sdkappid=SDKAPPID):
    backend.manage("callback_resume", {"SdkAppid": sdkappid}).ok()


class Gate:
    """For a receiver: answers OK, but not before it is opened."""

    def __init__(self):
        self.opened = threading.Event()

    def __call__(self, number, request):
        self.opened.wait(30)
        return 200, {}, wire.OK_REPLY

    def open(self):
        self.opened.set()


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.open()


def failing(number, request):
    return 500, {}, b"out of order"


# ---- lists ----


@pytest.fixture
def every_state(make_backend, make_receiver, receiver, gate):
    """A backend with an app for each way to wait or to end; gives it, and the SDKAppID of each state."""
    backend = make_backend(*SLOW, supersede=True)
    hanging, broken = make_receiver(gate), make_receiver(failing)
    every_room(backend, receiver, 1).fill(1, 2)
    deleted = every_room(backend, broken, 2)
    deleted.create("r").ok()
    backend.wait_deliveries(lambda rows: rows[0]["Attempts"] == 1, 2)
    deleted.destroy("r").ok()
    backend.manage("app_delete", {"SdkAppid": 2, "Force": True}).ok()
    every_room(backend, hanging, 3).fill(1, 3)
    hanging.wait_for(1)
    every_room(backend, broken, 4).create("r").ok()
    backend.wait_deliveries(lambda rows: rows[0]["Attempts"] == 1, 4)
    paused = every_room(backend, receiver, 5)
    pause(backend, 5)
    paused.fill(1, 2)
    alerts = backend.app(6, MaxRoomCount=10, Thresholds=[10], callback=broken.url)
    alerts.create("r1").ok()
    backend.wait_deliveries(lambda rows: rows[0]["Attempts"] == 1, 6)
    backend.manage("callback_pause", {"SdkAppid": 6}).ok()
    alerts.create("r2").ok()
    backend.wait_deliveries(lambda rows: rows[0]["State"] in ("parked", "superseded"), 6)
    return backend


def test_each_state_is_shown_and_can_be_asked_for(every_state):
    backend = every_state
    rows = backend.callbacks()
    where = {}
    for row in rows:
        where.setdefault(row["State"], []).append((row["SdkAppid"], row["Sequence"]))
    assert where["delivered"] == [(1, 2), (1, 1)]
    assert where["failed"] == [(2, 1)]
    assert where["in_flight"] == [(3, 1)]
    assert where["pending"] == [(3, 3), (3, 2)]
    assert where["scheduled"] == [(4, 1)]
    assert [one for one in where["parked"] if one[0] == 5] == [(5, 2), (5, 1)]
    for state in STATES:
        assert backend.callbacks(State=state) == [row for row in rows if row["State"] == state]
    assert backend.callbacks(State="final") == [row for row in rows if row["State"] in FINAL]
    assert backend.callbacks(State="waiting") == [row for row in rows if row["State"] not in FINAL]
    for row in rows:
        shown = backend.manage("callback_show", {"WebhookId": row["WebhookId"]}).ok().response
        attempts = shown.pop("AttemptList")
        assert shown == row and len(attempts) == row["Attempts"]


def test_due_time_is_there_for_what_has_one(every_state):
    for row in every_state.callbacks():
        assert (row["DueTime"] > 0) == (row["Attempts"] > 0 and row["State"] in ("scheduled", "parked")), row


def test_older_alert_is_superseded_by_a_newer(make_backend, make_receiver):
    broken = make_receiver(failing)
    backend = make_backend(supersede=True)
    app = backend.app(MaxRoomCount=10, Thresholds=[10], callback=broken.url)
    app.create("r1").ok()
    backend.wait_deliveries(lambda rows: rows[0]["Attempts"] >= 1)
    app.create("r2").ok()
    older, newer = backend.wait_deliveries(lambda rows: rows[0]["State"] == "superseded")
    assert newer["State"] not in FINAL and older["DueTime"] == 0
    assert sequences(backend.callbacks(SdkAppid=SDKAPPID, State="superseded")) == [1]
    assert sequences(backend.callbacks(SdkAppid=SDKAPPID, State="waiting")) == [2]


def test_list_goes_over_all_apps_or_one(every_state):
    rows = every_state.callbacks()
    apps = [row["SdkAppid"] for row in rows]
    assert apps == sorted(apps, reverse=True) and set(apps) == {1, 2, 3, 4, 5, 6}
    for sdkappid in (1, 3, 4, 5, 6):
        assert every_state.callbacks(SdkAppid=sdkappid) == [row for row in rows if row["SdkAppid"] == sdkappid]
    every_state.manage("callback_list", {"SdkAppid": 2}).refused(70020)  # it was deleted


def pages(backend, **filters):
    """Page by page; gives the pages, and the Next that led to each."""
    found, cursors = [], [""]
    while True:
        page = backend.manage("callback_list", {**filters, "Next": cursors[-1]}).ok().response
        found.append(page["CallbackList"])
        if not page["Next"]:
            return found, cursors
        cursors.append(page["Next"])


def test_pages_together_are_the_list(every_state):
    for filters in (
        {}, {"SdkAppid": 3}, {"State": "waiting"}, {"State": "pending"}, {"State": "failed"}, {"SdkAppid": 5, "State": "failed"},
    ):  # fmt: skip
        whole = every_state.callbacks(**filters)
        for count in (1, 2, 3, 100):
            found, cursors = pages(every_state, Count=count, **filters)
            assert [row for page in found for row in page] == whole
            assert all(len(page) <= count for page in found)
            assert len(set(cursors)) == len(cursors)


def test_next_is_taken_as_it_was_given_and_for_its_list_only(every_state):
    _, cursors = pages(every_state, Count=1)
    _, of_app = pages(every_state, Count=1, SdkAppid=5)
    assert len(cursors) > 3 and len(of_app) > 1
    token = cursors[1]
    other_digit = "1" if token[-1] != "1" else "2"
    for wrong in (token[:-1], token[:-1] + other_digit, "1" + token, token + "0", of_app[1], "0", "x", "9" * 64, "9" * 65):
        every_state.manage("callback_list", {"Next": wrong}).refused(100002, "Next")
    for wrong in (token, other_digit + of_app[1]):
        every_state.manage("callback_list", {"SdkAppid": 5, "Next": wrong}).refused(100002, "Next")
    every_state.manage("callback_list", {"SdkAppid": 4, "Next": of_app[1]}).refused(100002, "Next")
    page = every_state.manage("callback_list", {"Next": token, "Count": 1, "State": "delivered"}).ok().response
    assert len(page["CallbackList"]) <= 1


def test_list_takes_times_that_are_both_in_it(backend, receiver):
    app = every_room(backend, receiver)
    for number in range(5):
        before = time.time() * 1000
        app.create(f"r{number}").ok()
        wire.wait(lambda before=before: time.time() * 1000 > before + 2, what="another millisecond")
    rows = backend.deliveries()
    times = [row["EventTime"] for row in rows]
    assert times == sorted(set(times))
    for first in range(5):
        for last in range(first, 5):
            found = backend.callbacks(SdkAppid=SDKAPPID, Since=times[first], Until=times[last])
            assert sequences(found) == list(range(last + 1, first, -1))
    assert sequences(backend.callbacks(Since=times[3] + 1)) == [5]
    assert sequences(backend.callbacks(Until=times[1] - 1)) == [1]
    assert backend.callbacks(Since=times[4] + 1) == backend.callbacks(Until=times[0] - 1) == []
    assert sequences(backend.callbacks(Since=0, Until=253402300799999)) == [5, 4, 3, 2, 1]


# ---- attempts ----


def test_attempts_are_kept_with_what_happened(make_backend, make_receiver):
    answers = [(500, {}, b"<html>\n out\tof order \xff\x00"), (200, {}, b"no reply"), HALF, (200, {}, wire.OK_REPLY)]
    receiver = make_receiver(lambda number, request: answers[number - 1])
    backend = make_backend()
    started = time.time() * 1000
    every_room(backend, receiver).create("r").ok()
    (row,) = backend.wait_deliveries(all_are("delivered"))
    attempts = backend.attempts(row)
    assert [one["Attempt"] for one in attempts] == [1, 2, 3, 4]
    assert [one["HttpStatus"] for one in attempts] == [500, 200, 200, 200]
    assert [one["Outcome"] for one in attempts] == ["replied", "replied", "broken", "replied"]
    assert [bool(one["Error"]) for one in attempts] == [True, True, True, False]
    assert attempts[0]["Reply"] == "<html>  out of order ??"
    assert [one["Reply"] for one in attempts[1:3]] == ["no reply", "{"]
    assert [one["Time"] for one in attempts] == sorted(one["Time"] for one in attempts)
    assert started - 1 <= attempts[0]["Time"] and attempts[-1]["Time"] == row["LastAttemptTime"]
    for one in attempts:
        assert one["Address"] == f"127.0.0.1:{receiver.port}" and one["Tls"] == ""
        assert 0 <= one["FirstByteTime"] <= one["TotalTime"] < 20_000_000
        assert one["DnsTime"] >= 0 and one["ConnectTime"] >= 0 and one["TlsTime"] == 0


def test_attempt_without_an_endpoint_says_so(make_backend, receiver):
    backend = make_backend()
    receiver.down()
    every_room(backend, receiver).create("r").ok()
    (row,) = backend.wait_deliveries(lambda rows: rows[0]["Attempts"] >= 1)
    attempt = backend.attempts(row)[0]
    assert (attempt["Outcome"], attempt["HttpStatus"], attempt["Reply"]) == ("connect", 0, "")
    assert "connect" in attempt["Error"]


def test_newest_ten_attempts_are_kept(make_backend, make_receiver):
    receiver = make_receiver(lambda number, request: (500, {}, b"no") if number < 13 else (200, {}, wire.OK_REPLY))
    backend = make_backend(*"--callback-retry-first 1ms --callback-retry-longest 10ms --callback-probe-longest 10ms".split())
    every_room(backend, receiver).create("r").ok()
    (row,) = backend.wait_deliveries(all_are("delivered"))
    assert [one["Attempt"] for one in backend.attempts(row)] == list(range(4, 14))
    assert row["Attempts"] == 13


# ---- replay ----


@pytest.mark.smoke
def test_one_is_sent_again_with_its_id(backend, receiver):
    every_room(backend, receiver).create("r").ok()
    (row,) = backend.wait_deliveries(all_are("delivered"))
    for times in (1, 2):
        assert replay(backend, WebhookId=row["WebhookId"]) == {"Replayed": 1, "Next": ""}
        receiver.wait_for(1 + times)
        (again,) = backend.wait_deliveries(all_are("delivered"))
        assert (again["Replays"], again["Attempts"], again["WebhookId"]) == (times, 1 + times, row["WebhookId"])
    first, *others = receiver.requests
    assert "highwater-replay" not in first["headers"]
    for times, request in enumerate(others, 1):
        assert request["headers"]["webhook-id"] == row["WebhookId"]
        assert request["headers"]["highwater-replay"] == str(times)
        assert request["headers"]["highwater-attempt"] == str(1 + times)
        assert request["raw"] == first["raw"]
    assert [one["Attempt"] for one in backend.attempts(row)] == [1, 2, 3]
    assert backend.show()["CallbackPending"] == 0


def test_range_replays_what_has_failed_unless_asked_for_more(make_backend, make_receiver):
    broken = {2, 3, 5}
    receiver = make_receiver(
        lambda number, request: (500, {}, b"no") if int(request["headers"]["highwater-sequence"]) in broken
        else (200, {}, wire.OK_REPLY)
    )  # fmt: skip
    backend = make_backend("--callback-give-up", "300ms")
    every_room(backend, receiver).fill(1, 6)
    rows = backend.wait_deliveries(lambda rows: all(row["State"] in FINAL for row in rows))
    assert {row["Sequence"] for row in rows if row["State"] == "failed"} == broken
    broken.clear()
    assert replay(backend, SdkAppid=SDKAPPID, FromSequence=3, ToSequence=4) == {"Replayed": 1, "Next": ""}
    backend.wait_deliveries(lambda rows: rows[2]["State"] == "delivered" and rows[2]["Replays"] == 1)
    assert replay(backend, SdkAppid=SDKAPPID, FromSequence=1, ToSequence=100)["Replayed"] == 2
    rows = backend.wait_deliveries(all_are("delivered"))
    assert [row["Replays"] for row in rows] == [0, 1, 1, 0, 1, 0]
    assert replay(backend, SdkAppid=SDKAPPID, FromSequence=1, ToSequence=100)["Replayed"] == 0
    assert replay(backend, SdkAppid=SDKAPPID, FromSequence=1, ToSequence=1, State="delivered")["Replayed"] == 1
    assert replay(backend, SdkAppid=SDKAPPID, FromSequence=6, ToSequence=6, State="final")["Replayed"] == 1
    assert replay(backend, SdkAppid=SDKAPPID, FromSequence=2, ToSequence=2, State="superseded")["Replayed"] == 0
    rows = backend.wait_deliveries(lambda rows: all_are("delivered")(rows) and rows[5]["Replays"] == 1)
    assert [row["Replays"] for row in rows] == [1, 1, 1, 0, 1, 1]


def test_replayed_one_is_given_its_whole_schedule_again(make_backend, make_receiver):
    """It failed because give_up was over; counted from the event that would be so at once again."""
    receiver = make_receiver(failing)
    backend = make_backend("--callback-give-up", "300ms")
    every_room(backend, receiver).create("r").ok()
    (row,) = backend.wait_deliveries(all_are("failed"))
    replay(backend, WebhookId=row["WebhookId"])
    (again,) = backend.wait_deliveries(lambda rows: rows[0]["State"] == "failed" and rows[0]["Replays"] == 1)
    assert again["Attempts"] >= row["Attempts"] + 2


def test_replay_by_time(backend, receiver):
    app = every_room(backend, receiver)
    for number in range(4):
        before = time.time() * 1000
        app.create(f"r{number}").ok()
        wire.wait(lambda before=before: time.time() * 1000 > before + 2, what="another millisecond")
    rows = backend.wait_deliveries(all_are("delivered"))
    since, until = rows[1]["EventTime"], rows[2]["EventTime"]
    assert replay(backend, SdkAppid=SDKAPPID, Since=since)["Replayed"] == 0  # none has failed
    assert replay(backend, SdkAppid=SDKAPPID, Since=since, Until=until, State="final")["Replayed"] == 2
    receiver.wait_for(6)
    rows = backend.wait_deliveries(all_are("delivered"))
    assert [row["Replays"] for row in rows] == [0, 1, 1, 0]
    assert replay(backend, SdkAppid=SDKAPPID, Since=until, State="delivered")["Replayed"] == 2
    rows = backend.wait_deliveries(lambda rows: all_are("delivered")(rows) and rows[3]["Replays"] == 1)
    assert [row["Replays"] for row in rows] == [0, 1, 2, 1]


def test_many_are_replayed_a_hundred_a_call(backend, receiver):
    every_room(backend, receiver).fill(1, 230)
    backend.wait_deliveries(all_are("delivered"), seconds=60)
    counts, cursor = [], ""
    while True:
        page = replay(backend, SdkAppid=SDKAPPID, FromSequence=1, ToSequence=225, State="final", Next=cursor)
        counts.append(page["Replayed"])
        assert page["Next"] != cursor or not cursor
        cursor = page["Next"]
        if not cursor:
            break
    assert sum(counts) == 225 and max(counts) == 100
    rows = backend.wait_deliveries(all_are("delivered"), seconds=60)
    assert [row["Replays"] for row in rows] == [1] * 225 + [0] * 5
    ids = [request["headers"]["webhook-id"] for request in receiver.wait_for(455)]
    assert all(ids.count(row["WebhookId"]) == 1 + row["Replays"] for row in rows)


def test_what_waits_is_not_replayed(every_state):
    waiting = every_state.callbacks(State="waiting")
    assert waiting
    for row in waiting:
        assert replay(every_state, WebhookId=row["WebhookId"]) == {"Replayed": 0, "Next": ""}
        assert replay(every_state, SdkAppid=row["SdkAppid"], Since=0) == {"Replayed": 0, "Next": ""}
    assert [row["Replays"] for row in every_state.callbacks(State="waiting")] == [0] * len(waiting)


def test_replay_of_a_state_leaves_others(backend, receiver):
    every_room(backend, receiver).create("r").ok()
    (row,) = backend.wait_deliveries(all_are("delivered"))
    for state, count in (("failed", 0), ("superseded", 0), ("delivered", 1)):
        assert replay(backend, WebhookId=row["WebhookId"], State=state)["Replayed"] == count


def test_replay_of_a_deleted_app_is_refused(every_state):
    (row,) = every_state.callbacks(State="failed")
    every_state.manage("callback_replay", {"WebhookId": row["WebhookId"]}).refused(70020)
    every_room(every_state, wire.Receiver(), 2)  # another one of the same number: the callback is not its own
    assert replay(every_state, WebhookId=row["WebhookId"])["Replayed"] == 0
    assert every_state.callbacks(State="failed") == [row]


def test_replayed_ones_survive_a_kill(make_backend, receiver):
    backend = make_backend()
    app = every_room(backend, receiver)
    app.fill(1, 20)
    backend.wait_deliveries(all_are("delivered"))
    pause(backend)
    assert replay(backend, SdkAppid=SDKAPPID, Since=0, State="final")["Replayed"] == 20
    backend.wait_deliveries(all_are("parked"))
    backend.restart(app, kill=True)
    assert all_are("parked")(backend.deliveries()) and backend.show()["CallbackPending"] == 20
    resume(backend)
    receiver.wait_for(40)
    rows = backend.wait_deliveries(all_are("delivered"))
    assert [row["Replays"] for row in rows] == [1] * 20


# ---- pause, resume, test ----


@pytest.mark.smoke
def test_paused_callbacks_are_kept_and_sent_when_resumed(backend, receiver):
    app = every_room(backend, receiver)
    app.create("before").ok()
    backend.wait_deliveries(all_are("delivered"))
    assert backend.show()["Endpoint"]["State"] == "ok" and backend.show()["Endpoint"]["LastDelivered"] > 0
    started = time.time() * 1000
    pause(backend)
    endpoint = backend.show()["Endpoint"]
    assert (endpoint["State"], endpoint["PauseReason"]) == ("paused", "operator")
    assert started - 1 <= endpoint["PauseTime"] <= time.time() * 1000 + 1
    pause(backend)
    assert backend.show()["Endpoint"] == endpoint  # the first one stands
    app.fill(1, 3)
    rows = backend.wait_deliveries(lambda rows: len(rows) == 4)
    assert [row["State"] for row in rows] == ["delivered"] + ["parked"] * 3
    app = backend.restart(app)
    assert backend.show()["Endpoint"] == endpoint and len(receiver.requests) == 1
    other = every_room(backend, receiver, 1400000002)
    other.create("r").ok()
    receiver.wait_for(2)  # another app's are sent meanwhile
    resume(backend)
    resume(backend)
    assert sequences(backend.wait_deliveries(all_are("delivered"))) == [1, 2, 3, 4]
    endpoint = backend.show()["Endpoint"]
    assert (endpoint["State"], endpoint["PauseReason"], endpoint["PauseTime"]) == ("ok", "", 0)
    assert len(receiver.requests) == 5


def test_endpoint_that_fails_is_shown(make_backend, make_receiver):
    good = threading.Event()
    receiver = make_receiver(lambda number, request: (200, {}, wire.OK_REPLY) if good.is_set() else (500, {}, b"no"))
    backend = make_backend()
    app = every_room(backend, receiver)
    assert backend.show()["Endpoint"] == {
        "State": "ok", "Failures": 0, "FailingSince": 0, "LastDelivered": 0, "PauseReason": "", "PauseTime": 0,
    }  # fmt: skip
    started = time.time() * 1000
    app.create("r").ok()
    endpoint = wire.wait(lambda: (one := backend.show()["Endpoint"])["State"] == "open" and one, what="the breaker")
    assert endpoint["Failures"] >= 3 and started - 1 <= endpoint["FailingSince"] <= time.time() * 1000 + 1
    assert endpoint["LastDelivered"] == 0
    assert backend.deliveries()[0]["State"] in ("parked", "in_flight")
    good.set()
    backend.wait_deliveries(all_are("delivered"))
    endpoint = backend.show()["Endpoint"]
    assert (endpoint["State"], endpoint["Failures"], endpoint["FailingSince"]) == ("ok", 0, 0)
    assert endpoint["LastDelivered"] >= started - 1
    listed = backend.manage("app_list", {}).ok().response["AppList"][0]
    assert listed["Endpoint"] == endpoint


def test_test_is_a_real_alert_that_says_so(backend, receiver):
    app = backend.app(MaxRoomCount=10, callback=receiver.url)
    app.fill(1, 2)
    made = backend.manage("callback_test", {"SdkAppid": SDKAPPID}).ok().response
    assert made["Sequence"] == 1
    (request,) = receiver.wait_for(1)
    assert request["headers"]["highwater-test"] == "1" and "highwater-threshold" not in request["headers"]
    assert request["headers"]["webhook-id"] == made["WebhookId"]
    body = request["body"]
    assert (body["CallbackCommand"], body["CurRoomCount"], body["MaxRoomCount"]) == (wire.ALERT, 2, 10)
    assert body["Operator_Account"] == "@TIM#SYSTEM"
    (row,) = backend.wait_deliveries(all_are("delivered"))
    assert (row["Threshold"], row["WebhookId"]) == (0, made["WebhookId"])
    app.fill(3, 7)
    backend.wait_deliveries(lambda rows: len(rows) == 2 and all_are("delivered")(rows))  # alerts go on as they were
    assert "highwater-test" not in receiver.requests[1]["headers"]


def test_test_that_would_not_be_sent_is_refused(backend, receiver):
    app = backend.app()
    backend.manage("callback_test", {"SdkAppid": SDKAPPID}).refused(100301)
    app.config("set_callback", {"Url": receiver.url, "CallbackCommandList": [CREATED]}).ok()
    backend.manage("callback_test", {"SdkAppid": SDKAPPID}).refused(100002, wire.ALERT)
    app.config("update_callback", {"Url": receiver.url, "CallbackCommandList": [wire.ALERT]}).ok()
    pause(backend)
    backend.manage("callback_test", {"SdkAppid": SDKAPPID}).refused(100002, "paused")
    resume(backend)
    assert backend.made() == 0
    backend.manage("callback_test", {"SdkAppid": SDKAPPID}).ok()
    receiver.wait_for(1)


# ---- what is wrong ----

FOREIGN = "evt_ffffffffffffffff0000010000000001"
APP = {"SdkAppid": SDKAPPID}
WRONG = [
    ("callback_list", {**APP, "State": "lost"}, "State"),
    ("callback_list", {**APP, "State": ""}, "State"),
    ("callback_list", {**APP, "State": "Pending"}, "State"),
    ("callback_list", {**APP, "State": 1}, "State"),
    ("callback_list", {**APP, "State": ["pending"]}, "State"),
    ("callback_list", {**APP, "Since": -1}, "Since"),
    ("callback_list", {**APP, "Since": "1"}, "Since"),
    ("callback_list", {**APP, "Since": 1.5}, "Since"),
    ("callback_list", {**APP, "Until": 253402300800000}, "Until"),
    ("callback_list", {**APP, "Until": True}, "Until"),
    ("callback_list", {**APP, "Since": 2, "Until": 1}, "Since"),
    ("callback_list", {**APP, "Count": 0}, "Count"),
    ("callback_list", {**APP, "Count": 101}, "Count"),
    ("callback_list", {**APP, "Count": "1"}, "Count"),
    ("callback_list", {**APP, "Next": 0}, "Next"),
    ("callback_list", {**APP, "Next": "0"}, "Next"),
    ("callback_list", {**APP, "Next": "x" * 65}, "Next"),
    ("callback_list", {"SdkAppid": "1400000001"}, "SdkAppid"),
    ("callback_list", {"SdkAppid": 0}, "SdkAppid"),
    ("callback_show", {}, "WebhookId"),
    ("callback_show", {"WebhookId": None}, "WebhookId"),
    ("callback_show", {"WebhookId": 1}, "WebhookId"),
    ("callback_show", {"WebhookId": ""}, "WebhookId"),
    ("callback_show", {"WebhookId": "evt_1"}, "WebhookId"),
    ("callback_show", {"WebhookId": FOREIGN}, "WebhookId"),
    ("callback_show", {"WebhookId": FOREIGN.replace("f", "F")}, "WebhookId"),
    ("callback_show", {"WebhookId": FOREIGN + "0"}, "WebhookId"),
    ("callback_replay", {}, "WebhookId"),
    ("callback_replay", APP, "WebhookId"),
    ("callback_replay", {"WebhookId": FOREIGN}, "WebhookId"),
    ("callback_replay", {"WebhookId": 1}, "WebhookId"),
    ("callback_replay", {"WebhookId": FOREIGN, **APP}, "WebhookId"),
    ("callback_replay", {"WebhookId": FOREIGN, "Since": 1}, "WebhookId"),
    ("callback_replay", {"WebhookId": FOREIGN, "Until": 1}, "WebhookId"),
    ("callback_replay", {"WebhookId": FOREIGN, "FromSequence": 1, "ToSequence": 1}, "WebhookId"),
    ("callback_replay", {**APP, "FromSequence": 1}, "ToSequence"),
    ("callback_replay", {**APP, "ToSequence": 1}, "FromSequence"),
    ("callback_replay", {**APP, "FromSequence": 0, "ToSequence": 1}, "FromSequence"),
    ("callback_replay", {**APP, "FromSequence": 1, "ToSequence": 2**40}, "ToSequence"),
    ("callback_replay", {**APP, "FromSequence": "1", "ToSequence": 1}, "FromSequence"),
    ("callback_replay", {**APP, "FromSequence": 2, "ToSequence": 1}, "FromSequence"),
    ("callback_replay", {**APP, "FromSequence": 1, "ToSequence": 1, "Since": 1}, "WebhookId"),
    ("callback_replay", {**APP, "FromSequence": 1, "ToSequence": 1, "Until": 1}, "WebhookId"),
    ("callback_replay", {**APP, "Until": 1}, "WebhookId"),
    ("callback_replay", {**APP, "Since": 2, "Until": 1}, "Since"),
    ("callback_replay", {**APP, "Since": "now"}, "Since"),
    ("callback_replay", {"Since": 1}, "SdkAppid"),
    ("callback_replay", {**APP, "Since": 1, "State": "pending"}, "State"),
    ("callback_replay", {**APP, "Since": 1, "State": "waiting"}, "State"),
    ("callback_replay", {**APP, "Since": 1, "State": 3}, "State"),
    ("callback_replay", {**APP, "Since": 1, "Next": 1}, "Next"),
    ("callback_replay", {**APP, "Since": 1, "Next": "1"}, "Next"),
    *[(command, body, "SdkAppid") for command in ("callback_pause", "callback_resume", "callback_test")
      for body in ({}, {"SdkAppid": 0}, {"SdkAppid": "1400000001"}, {"SdkAppid": 2**32})],
]  # fmt: skip


def test_wrong_calls_are_refused_and_change_nothing(backend, receiver):
    every_room(backend, receiver).create("r").ok()
    backend.wait_deliveries(all_are("delivered"))
    before = backend.show(), backend.callbacks()
    for command, body, named in WRONG:
        backend.manage(command, body).refused(100002, named)
    assert (backend.show(), backend.callbacks()) == before and len(receiver.requests) == 1


def test_unknown_app_is_70020(backend):
    for command, fields in [
        ("callback_list", {}), ("callback_pause", {}), ("callback_resume", {}), ("callback_test", {}),
        ("callback_replay", {"Since": 1}), ("callback_replay", {"FromSequence": 1, "ToSequence": 2}),
    ]:  # fmt: skip
        backend.manage(command, {"SdkAppid": 77, **fields}).refused(70020)


def test_id_of_a_callback_that_is_not_there(backend, receiver):
    every_room(backend, receiver).create("r").ok()
    (row,) = backend.wait_deliveries(all_are("delivered"))
    absent = row["WebhookId"][:-1] + "9"
    for command in ("callback_show", "callback_replay"):
        backend.manage(command, {"WebhookId": absent}).refused(100002, "no such callback")


def test_fields_that_are_null_are_absent(backend, receiver):
    every_room(backend, receiver).create("r").ok()
    (row,) = backend.wait_deliveries(all_are("delivered"))
    nothing = dict.fromkeys(("SdkAppid", "State", "Since", "Until", "Next", "Count"))
    assert backend.manage("callback_list", nothing).ok().response == {"CallbackList": [row], "Next": ""}
    assert replay(backend, WebhookId=row["WebhookId"], SdkAppid=None, Since=None, FromSequence=None)["Replayed"] == 1


# ---- where they go ----


def test_configuration_is_replaced_in_one_commit(backend, receiver):
    app = backend.app(SDKAPPID, MaxRoomCount=1)
    backend.secrets.add("token-of-the-operator")
    body = {"SdkAppid": SDKAPPID, "CallbackUrl": "http://127.0.0.1:9/", "CallbackCommandList": []}
    backend.manage("callback_set", body).ok()
    app.config("set_callback", {"Url": receiver.url, "CallbackCommandList": []}).refused(100300)
    body |= {"CallbackUrl": receiver.url, "CallbackCommandList": [wire.ALERT], "Token": "token-of-the-operator"}
    backend.manage("callback_set", body).ok()
    shown = backend.show(SDKAPPID)
    assert (shown["CallbackUrl"], shown["CallbackCommandList"], shown["IsTokenEnable"]) == (receiver.url, [wire.ALERT], True)
    assert "token-of-the-operator" not in str(shown)
    app.create("r").ok()
    params = receiver.wait_for(1)[0]["params"]
    assert params["Sign"] == wire.sign("token-of-the-operator", params["RequestTime"])
    del body["Token"]
    backend.manage("callback_set", {**body, "IsTokenEnable": False}).ok()
    assert backend.show(SDKAPPID)["IsTokenEnable"] is False
    backend.manage("callback_clear", {"SdkAppid": SDKAPPID}).ok()
    assert backend.show(SDKAPPID)["CallbackUrl"] == ""
    backend.manage("callback_clear", {"SdkAppid": SDKAPPID}).ok()
    details = [row["Detail"] for row in backend.manage("audit_list", {}).ok().response["AuditList"]]
    assert details[0] == "nothing changed" and details[1].startswith("URL was http") and details[2] == "Sign off"
    assert details[3].endswith("token given; Sign on") and "token-of-the-operator" not in str(details)


def test_a_wrong_configuration_changes_nothing(backend):
    backend.app(SDKAPPID)
    before = backend.show(SDKAPPID)
    good = {"SdkAppid": SDKAPPID, "CallbackUrl": "http://127.0.0.1:9/", "CallbackCommandList": []}
    for change in ({"CallbackUrl": "ftp://a/"}, {"CallbackCommandList": ["x"]}, {"Token": ""}, {"IsTokenEnable": True}):
        backend.manage("callback_set", {**good, **change}).refused(100002)
    assert backend.show(SDKAPPID) == before
