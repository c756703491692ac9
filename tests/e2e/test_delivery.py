"""Delivery: whatever a receiver does, each alert ends delivered, or failed and visible; and one app's receiver is no
other's trouble."""

import json
import socket
import threading
import time

import pytest

import wire

FAST = ("--callback-total-timeout", "400ms", "--callback-connect-timeout", "200ms")


def accepted(number, request):
    return (200, {}, wire.OK_REPLY)


def numbers(requests, header):
    return [int(request["headers"][header]) for request in requests]


class Recovering:
    """Behaves as given until `good` is set; counts what it accepted."""

    def __init__(self, behave):
        self.bad = behave
        self.good = threading.Event()
        self.accepted = 0

    def __call__(self, number, request):
        if not self.good.is_set():
            return self.bad(number, request)
        self.accepted += 1
        return accepted(number, request)


def reply(**fields):
    return json.dumps({"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0, **fields}).encode()


def hang(number, request):
    time.sleep(1)  # a receiver that is slow, not a wait of the test: over callback.total_timeout
    return accepted(number, request)


FAULTS = {
    # name: behaviour, HTTP status shown, word of the error shown
    "500": (lambda n, r: (500, {}, wire.OK_REPLY), 500, "HTTP status 500"),
    "404": (lambda n, r: (404, {}, wire.OK_REPLY), 404, "HTTP status 404"),
    "429": (lambda n, r: (429, {"Retry-After": "3600"}, b""), 429, "HTTP status 429"),
    "304": (lambda n, r: (304, {}, b""), 304, "HTTP status 304"),
    "slow": (hang, 0, "timeout"),
    "empty": (lambda n, r: (200, {}, b""), 200, "cannot be understood"),
    "rubbish": (lambda n, r: (200, {}, b"<html>It works!</html>"), 200, "cannot be understood"),
    "binary": (lambda n, r: (200, {}, bytes(range(256))), 200, "cannot be understood"),
    "array": (lambda n, r: (200, {}, b"[]"), 200, "cannot be understood"),
    "no fields": (lambda n, r: (200, {}, b"{}"), 200, "cannot be understood"),
    "deep": (lambda n, r: (200, {}, b"[" * 10000), 200, "cannot be understood"),
    "cut": (lambda n, r: (200, {}, wire.OK_REPLY[:-5]), 200, "cannot be understood"),
    "fail": (lambda n, r: (200, {}, reply(ActionStatus="FAIL", ErrorInfo="not now", ErrorCode=10)), 200, "code 10: not now"),
    "too large": (lambda n, r: (200, {}, wire.OK_REPLY + b" " * 20000), 0, "too_large"),
    "closed": (lambda n, r: None, 0, "broken"),
    "half": (lambda n, r: b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + wire.OK_REPLY, 0, "broken"),
    "not http": (lambda n, r: b"220 mail.example.com ESMTP\r\n", 0, "broken"),
    "huge header": (lambda n, r: b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 2000000 + b"\r\n\r\n", 0, ""),
    "bad length": (lambda n, r: b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", None, ""),
    "endless chunks": (lambda n, r: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b"x" * 4096 + b"\r\n" + (b"1000\r\n" + b"x" * 4096 + b"\r\n") * 100, 0, "too_large"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_shown_retried_and_delivered_when_the_receiver_recovers(make_backend, make_receiver, name):
    behave, status, word = FAULTS[name]
    behave = Recovering(behave)
    backend = make_backend(*FAST)
    receiver = make_receiver(behave)
    app = backend.app(MaxRoomCount=1, callback=receiver.url)
    app.create("r").ok()
    rows = backend.wait_deliveries(lambda rows: rows[0]["Attempts"] >= 2)
    assert rows[0]["State"] in wire.WAITING
    assert word in rows[0]["Error"] and rows[0]["Error"]
    assert status is None or rows[0]["HttpStatus"] == status
    assert rows[0]["Error"].isprintable()
    assert backend.show()["CallbackPending"] == 1
    behave.good.set()
    rows = backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")
    assert (len(rows), rows[0]["HttpStatus"], rows[0]["Error"]) == (1, 200, "")
    assert backend.show()["CallbackPending"] == 0
    assert behave.accepted == 1, "accepted once, so sent no more"
    requests = receiver.requests
    assert numbers(requests, "highwater-attempt") == list(range(1, rows[0]["Attempts"] + 1))
    assert {request["headers"]["webhook-id"] for request in requests} == {rows[0]["WebhookId"]}
    assert len({request["raw"] for request in requests}) == 1


def test_receiver_that_is_down_gets_the_alert_when_it_is_up(backend, receiver):
    receiver.down()
    app = backend.app(MaxRoomCount=1, callback=receiver.url)
    app.create("r").ok()
    rows = backend.wait_deliveries(lambda rows: rows[0]["Attempts"] >= 2)
    assert (rows[0]["State"] in wire.WAITING, rows[0]["HttpStatus"]) == (True, 0)
    assert rows[0]["Error"].startswith("connect:")
    receiver.up()
    backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")
    assert len(receiver.requests) == 1
    assert numbers(receiver.requests, "highwater-attempt")[0] > 2


def test_unknown_host_is_a_dns_error(backend):
    app = backend.app(MaxRoomCount=1, callback="http://no-such-host.invalid/")
    app.create("r").ok()
    rows = backend.wait_deliveries(lambda rows: rows[0]["Attempts"] >= 1)
    assert rows[0]["Error"].startswith(("dns:", "timeout:"))
    assert rows[0]["State"] in wire.WAITING


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_never_followed(backend, make_receiver, status):
    trap = make_receiver()
    behave = Recovering(lambda number, request: (status, {"Location": trap.url + "/trap"}, wire.OK_REPLY))
    receiver = make_receiver(behave)
    app = backend.app(MaxRoomCount=1, callback=receiver.url)
    app.create("r").ok()
    rows = backend.wait_deliveries(lambda rows: rows[0]["Attempts"] >= 2)
    assert rows[0]["HttpStatus"] == status
    assert "redirects are not followed" in rows[0]["Error"]
    behave.good.set()
    backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")
    assert trap.requests == []


@pytest.mark.parametrize(
    "payload",
    [
        wire.OK_REPLY,
        b'{\n    "ActionStatus": "OK",\n    "ErrorInfo": "",\n    "ErrorCode": 0 // 0 means success\n}\n',
        b'{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,}',
        b'{"ErrorCode":0,"ErrorInfo":"","ActionStatus":"OK","more":[1,{"x":null}]}',
        b'{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":"0"}',
        b'{"ActionStatus":"OK","ErrorInfo":"noted","ErrorCode":7}',  # the status decides
    ],
)
def test_reply_in_the_vendors_form_is_accepted(backend, make_receiver, payload):
    receiver = make_receiver(lambda number, request: (200, {"Content-Type": "application/json"}, payload))
    app = backend.app(MaxRoomCount=1, callback=receiver.url)
    app.create("r").ok()
    rows = backend.wait_deliveries(lambda rows: rows[0]["Attempts"] >= 1)
    assert (rows[0]["State"], rows[0]["Attempts"], rows[0]["Error"]) == ("delivered", 1, "")


def test_fail_may_be_accepted_by_setting(make_backend, make_receiver):
    backend = make_backend("--callback-on-fail", "accept")
    receiver = make_receiver(lambda n, r: (200, {}, reply(ActionStatus="FAIL", ErrorInfo="no", ErrorCode=10)))
    app = backend.app(MaxRoomCount=1, callback=receiver.url)
    app.create("r").ok()
    rows = backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")
    assert (rows[0]["Attempts"], rows[0]["HttpStatus"]) == (1, 200)


def test_unparsable_may_be_accepted_by_setting(make_backend, make_receiver):
    backend = make_backend("--callback-on-unparsable", "accept")
    receiver = make_receiver(lambda n, r: (204, {}, b""))
    app = backend.app(MaxRoomCount=1, callback=receiver.url)
    app.create("r").ok()
    rows = backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")
    assert (rows[0]["Attempts"], rows[0]["HttpStatus"]) == (1, 204)


@pytest.mark.smoke
def test_restart_of_the_backend_keeps_what_waits(backend, receiver):
    receiver.down()
    app = backend.app(MaxRoomCount=3, Thresholds=[1], callback=receiver.url, token="a token")
    app.fill(1, 3)
    before = backend.wait_deliveries(lambda rows: all(row["Attempts"] >= 1 for row in rows), seconds=60)
    app.client.close()
    assert backend.stop(60) == 0
    backend.start()
    assert backend.show()["CallbackPending"] == 3
    receiver.up()
    after = backend.wait_deliveries(lambda rows: all(row["State"] == "delivered" for row in rows), seconds=60)
    assert [row["WebhookId"] for row in after] == [row["WebhookId"] for row in before]
    assert [request["headers"]["webhook-id"] for request in receiver.by_sequence()] == [row["WebhookId"] for row in before]
    for request in receiver.requests:
        assert request["params"]["Sign"] == wire.sign("a token", request["params"]["RequestTime"])
    for old, new in zip(before, after):
        assert new["Attempts"] > old["Attempts"], "the count of attempts goes on"
        assert new["Body"] == old["Body"]


def test_restart_during_an_attempt_sends_again_with_the_same_id(make_backend, make_receiver):
    backend = make_backend("--callback-total-timeout", "60s")
    reached, go_on = threading.Event(), threading.Event()

    def stall(number, request):
        if number == 1:
            reached.set()
            go_on.wait(60)
            return None
        return accepted(number, request)

    receiver = make_receiver(stall)
    app = backend.app(MaxRoomCount=1, callback=receiver.url)
    app.create("r").ok()
    assert reached.wait(15)
    backend.kill()
    go_on.set()
    backend.start()
    backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")
    first, second = receiver.requests
    assert first["headers"]["webhook-id"] == second["headers"]["webhook-id"]
    assert first["raw"] == second["raw"]


def test_give_up_ends_as_failed_and_stays_visible(make_backend, make_receiver):
    backend = make_backend("--callback-give-up", "600ms")
    receiver = make_receiver(lambda number, request: (503, {}, b""))
    app = backend.app(MaxRoomCount=1, callback=receiver.url)
    app.create("r").ok()
    rows = backend.wait_deliveries(lambda rows: rows[0]["State"] == "failed")
    assert "503" in rows[0]["Error"]
    assert rows[0]["Attempts"] == len(receiver.requests) >= 2
    assert backend.show()["CallbackPending"] == 0
    assert "callback_failed" in backend.log()
    receiver.behave = accepted
    app.destroy("r").ok()
    app.create("r").ok()
    backend.wait_deliveries(lambda rows: rows[1]["State"] == "delivered")
    assert numbers(receiver.requests[-1:], "highwater-sequence") == [2], "the failed one is not sent again"


def test_deletion_of_an_app_ends_what_waits(backend, receiver):
    receiver.down()
    app = backend.app(MaxRoomCount=1, callback=receiver.url)
    app.create("r").ok()
    app.destroy("r").ok()
    backend.manage("app_delete", {"SdkAppid": app.sdkappid}).refused(100002, "1 callbacks")
    backend.manage("app_delete", {"SdkAppid": app.sdkappid, "Force": True}).ok()
    backend.manage("app_show", {"SdkAppid": app.sdkappid}).refused(70020)
    again = backend.app(MaxRoomCount=1, callback=receiver.url)
    receiver.up()
    again.create("r").ok()
    backend.wait_deliveries(lambda rows: [row["State"] for row in rows] == ["delivered"])
    assert len(receiver.requests) == 1, "nothing of the deleted app is sent"


# ---- isolation and load ----


@pytest.fixture
def black_hole():
    """Accepts connections and never answers."""
    hole = socket.create_server(("127.0.0.1", 0), backlog=1024)
    yield f"http://127.0.0.1:{hole.getsockname()[1]}"
    hole.close()


def test_dead_receivers_delay_no_other_apps_alert(make_backend, receiver, black_hole):
    backend = make_backend("--callback-total-timeout", "3s")
    dead = [backend.app(n, MaxRoomCount=1000, Thresholds=[1], AlertMode="every", callback=black_hole) for n in range(1, 7)]
    for app in dead:
        app.fill(1, 70)  # alerts from the 10th on: hundreds in all, all waiting
    assert sum(backend.show(n)["CallbackPending"] for n in range(1, 7)) == 6 * 61
    living = backend.app(MaxRoomCount=5, Thresholds=[1], callback=receiver.url)
    for number in range(1, 6):
        start = time.monotonic()
        living.create(f"r{number}").ok()
        receiver.wait_for(number)
        assert time.monotonic() - start < 1.5, "another app's dead receiver delays this one"
    assert sum(backend.show(n)["CallbackPending"] for n in range(1, 7)) == 6 * 61


def test_dead_app_is_delivered_as_a_whole_when_its_receiver_recovers(make_backend, receiver):
    backend = make_backend(*FAST)
    receiver.down()
    app = backend.app(MaxRoomCount=300, Thresholds=[1], callback=receiver.url)
    app.fill(1, 200)
    made = backend.made()
    assert made == 198
    backend.wait_deliveries(lambda rows: any(row["Attempts"] for row in rows))
    receiver.up()
    backend.wait_deliveries(lambda rows: all(row["State"] == "delivered" for row in rows), seconds=40)
    found = receiver.by_sequence()
    assert [request["body"]["CurRoomCount"] for request in found] == list(range(3, 201))
    assert len(receiver.requests) == made, "each exactly once, for nothing was lost on the way"


def test_many_alerts_use_few_connections(backend, receiver):
    app = backend.app(MaxRoomCount=300, Thresholds=[1], callback=receiver.url)
    app.fill(1, 300)
    backend.wait_deliveries(lambda rows: len(rows) == 298 and all(row["State"] == "delivered" for row in rows), seconds=30)
    assert len(receiver.requests) == 298
    assert len({request["connection"] for request in receiver.requests}) <= 16


def test_attempts_under_way_keep_to_the_limit_per_app(make_backend, make_receiver):
    backend = make_backend("--callback-in-flight-per-app", "2")
    lock, filled, go_on = threading.Lock(), threading.Event(), threading.Event()
    under_way = [0, 0]  # now, most

    def stall(number, request):
        with lock:
            under_way[0] += 1
            under_way[1] = max(under_way)
        if number == 1:
            filled.wait(4)  # its delivery opens the window from one to two
        elif number <= 3:
            go_on.wait(4)
        with lock:
            under_way[0] -= 1
        return accepted(number, request)

    receiver = make_receiver(stall)
    app = backend.app(MaxRoomCount=20, Thresholds=[1], callback=receiver.url)
    app.fill(1, 20)
    filled.set()
    receiver.wait_for(3)
    go_on.set()
    backend.wait_deliveries(lambda rows: all(row["State"] == "delivered" for row in rows))
    assert len(receiver.requests) == 20
    assert under_way[1] <= 2


def test_stop_ends_in_time_while_a_receiver_hangs(make_backend, black_hole):
    backend = make_backend("--callback-total-timeout", "1s")
    app = backend.app(MaxRoomCount=20, Thresholds=[1], callback=black_hole)
    app.fill(1, 20)
    app.client.close()
    start = time.monotonic()
    assert backend.stop() == 0
    assert time.monotonic() - start < 10


def test_list_of_callbacks_is_paged_newest_first(backend, receiver):
    app = backend.app(MaxRoomCount=5, Thresholds=[1], callback=receiver.url)
    app.fill(1, 5)
    seen, cursor = [], ""
    while True:
        page = backend.manage("callback_list", {"SdkAppid": app.sdkappid, "Next": cursor, "Count": 2}).ok().response
        seen.append([row["Sequence"] for row in page["CallbackList"]])
        cursor = page["Next"]
        if not cursor:
            break
    assert seen == [[5, 4], [3, 2], [1]]
