"""What receivers do wrong, all at once: each fault is an app with a receiver of its own at one backend. Nothing is lost,
the log of attempts tells what happened, another app notices nothing, and all is delivered once the receiver is good."""

import email.utils
import shutil
import time

import pytest

import conftest
import wire
from receivers import CREATED, OK, SDKAPPID, Peer, after, all_are, make_peer, memory_kib, sequence_of, status

LIMITS = tuple("--callback-total-timeout 500ms --callback-connect-timeout 400ms".split())
ROOMS = 3
GOOD = 1499999999
FLOOD = b"x" * 65536
GIB = 2**30
PAGE = "<html>It works!</html>"


def flood(connection, head, length):
    """Sends a reply that does not end before `length`, as long as it is taken."""
    connection.send(head)
    for _ in range(length // len(FLOOD)):
        connection.send(FLOOD)


def drip(connection, data):
    for position in range(len(data)):
        connection.send(data[position : position + 1])
        time.sleep(0.05)  # the pace of the receiver: a byte a second, were the limits in seconds


def endless_headers(connection, request):
    connection.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.send(b"X-More: " + FLOOD[:1000] + b"\r\n")


def half_close(connection, request):
    connection.say_no_more()
    connection.until_closed()


def half_close_at_once(connection):
    connection.say_no_more()
    connection.until_closed()


def answer_unasked(connection):
    """Before anything was read; then nothing is read until the backend goes."""
    connection.send(status(413, "Connection: close", body=b"too large, whatever it is"))
    connection.say_no_more()
    connection.until_closed()


def a_gigabyte(connection, request):
    flood(connection, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIB, GIB)


def drip_of_the_body(connection, request):
    connection.send(OK[: -len(wire.OK_REPLY)])
    drip(connection, wire.OK_REPLY)


def chunks_without_end(connection, request):
    connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(16384):
        connection.send(b"10000\r\n" + FLOOD + b"\r\n")


class Fault:
    def __init__(self, outcome, code, error, behave=None, accept=None, tls=None, scheme=None, reply=""):
        self.outcome, self.code, self.error, self.reply = outcome, code, error, reply
        self.behave, self.accept, self.tls, self.scheme = behave, accept, tls, scheme


FAULTS = {
    # name: outcome, status and words that each attempt in the log must have; what the receiver does
    "reset": Fault("broken", 0, "broken", lambda c, r: c.reset()),
    "reset in the reply": Fault("broken", 200, "broken", lambda c, r: c.send(OK[:-5]) or c.reset()),
    "hang": Fault("timeout", 0, "timeout", lambda c, r: c.until_closed()),
    "drip": Fault("timeout", 0, "timeout", lambda c, r: drip(c, OK)),
    "drip of the body": Fault("timeout", 200, "timeout", drip_of_the_body),
    "500": Fault("replied", 500, "HTTP status 500", lambda c, r: status(500, body=b"out of order"), reply="out of order"),
    "302": Fault("replied", 302, "redirects are not followed", lambda c, r: status(302, "Location: http://127.0.0.1:9/")),
    "503": Fault("replied", 503, "HTTP status 503", lambda c, r: status(503)),
    "a gigabyte": Fault("too_large", 200, "too_large", a_gigabyte),
    "a gigabyte until closed": Fault("too_large", 200, "too_large", lambda c, r: flood(c, b"HTTP/1.1 200 OK\r\n\r\n", GIB)),
    "chunks without end": Fault("too_large", 200, "too_large", chunks_without_end),
    "endless headers": Fault("too_large", 200, "too_large", endless_headers),
    "rubbish": Fault("broken", 0, "broken", lambda c, r: bytes(range(256)) * 4),
    "no reply in it": Fault("replied", 200, "cannot be understood", lambda c, r: status(200, body=PAGE.encode()), reply=PAGE),
    "closing after accept": Fault("broken", 0, "broken", accept=lambda c: None),
    "half-closed": Fault("broken", 0, "broken", half_close),
    "half-closed after accept": Fault("broken", 0, "broken", accept=half_close_at_once),
    "closing after the request": Fault("broken", 0, "broken", lambda c, r: None),
    "answering unasked": Fault("replied", 413, "HTTP status 413", accept=answer_unasked, reply="too large, whatever it is"),
    "wrong name": Fault("tls", 0, "tls:", tls="wrong-name"),
    "expired": Fault("tls", 0, "tls:", tls="expired"),
    "unknown authority": Fault("tls", 0, "tls:", tls="foreign"),
    "no TLS": Fault("tls", 0, "tls:", accept=lambda c: c.socket.recv(1) and status(400), scheme="https"),
    "silence instead of TLS": Fault("timeout", 0, "timeout", accept=lambda c: c.until_closed(), scheme="https"),
}  # fmt: skip


class World:
    """One backend; an app and a receiver for each fault; and an app whose receiver is good."""

    def __init__(self, folder, certificates):
        self.backend = conftest.Backend(folder, *LIMITS, "--callback-ca-file", str(certificates / "ca.pem")).start()
        self.peers, self.apps = {}, {}
        for number, (name, fault) in enumerate(FAULTS.items()):
            tls = conftest.tls_of(certificates, fault.tls) if fault.tls else None
            peer = self.peers[name] = Peer(fault.behave, fault.accept, tls)
            url = f"https://127.0.0.1:{peer.port}/" if fault.scheme else peer.url
            self.apps[name] = self.backend.app(SDKAPPID + number, callback=url, commands=[CREATED])
        self.good = wire.Receiver(tls=conftest.tls_of(certificates, "leaf"))
        self.good_app = self.backend.app(GOOD, callback=self.good.url, commands=[CREATED])
        self.rss_kib = memory_kib(self.backend)
        for app in self.apps.values():
            app.fill(1, ROOMS)

    def rows(self, name, condition, seconds=30):
        return self.backend.wait_deliveries(condition, self.apps[name].sdkappid, seconds)

    def close(self):
        for peer in (*self.peers.values(), self.good):
            peer.close()
        ended = self.backend.stop()
        assert ended == 0, self.backend.log()
        self.backend.check_log()


@pytest.fixture(scope="module")
def world(tmp_path_factory, certificates):
    for kind in ("key", "pem"):
        shutil.copy(certificates / f"other.{kind}", certificates / f"foreign.{kind}")
    world = World(tmp_path_factory.mktemp("faults"), certificates)
    yield world
    world.close()


def check_attempt(attempt, fault, peer):
    assert attempt["Outcome"] == fault.outcome, attempt
    assert fault.error in attempt["Error"] and attempt["Error"].isprintable()
    assert attempt["Address"] == f"127.0.0.1:{peer.port}"
    assert attempt["HttpStatus"] == fault.code, attempt
    assert attempt["Reply"] == fault.reply or fault.outcome != "replied", attempt
    assert attempt["Tls"] == ""
    assert 0 < attempt["TotalTime"] < 1_500_000, "the limit is half a second"
    if fault.outcome == "timeout":
        assert attempt["TotalTime"] >= 380_000, "timers may end a little early"


def test_other_apps_notice_nothing(world):
    """While every receiver but one fails: what goes there arrives at the first attempt, and soon."""
    times = []
    for number in range(1, 41):
        start = time.monotonic()
        world.good_app.create(f"r{number}").ok()
        world.good.wait_for(number)
        times.append(time.monotonic() - start)
    times.sort()
    assert times[20] < 0.1 and times[-1] < 1, times
    rows = world.backend.wait_deliveries(all_are("delivered"), GOOD)
    assert [row["Attempts"] for row in rows] == [1] * 40
    for row in rows[:3]:
        (attempt,) = world.backend.attempts(row)
        assert attempt["Tls"].startswith("TLSv1.") and attempt["Address"] == f"127.0.0.1:{world.good.port}"
        assert (attempt["Outcome"], attempt["HttpStatus"], attempt["Error"]) == ("replied", 200, "")
        assert attempt["Reply"] == wire.OK_REPLY.decode()


def test_memory_stays_flat(world):
    """Each of these receivers has sent gigabytes, or would have."""
    for name in FAULTS:
        world.rows(name, lambda rows: sum(row["Attempts"] for row in rows) >= 4)
    grown = memory_kib(world.backend, "VmHWM") - world.rss_kib
    assert grown < 24 * 1024, f"grown by {grown} KiB"


@pytest.mark.smoke
@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_logged_as_it_was_and_nothing_is_lost(world, name):
    fault, peer = FAULTS[name], world.peers[name]
    rows = world.rows(name, lambda rows: sum(row["Attempts"] for row in rows) >= 3)
    assert all(row["State"] in wire.WAITING for row in rows)
    shown = world.backend.show(world.apps[name].sdkappid)
    assert shown["CallbackPending"] == ROOMS
    assert shown["Endpoint"]["State"] == "open" and shown["Endpoint"]["Failures"] >= 3
    peer.good.set()
    if fault.tls or fault.scheme:  # its certificate does not get better: the app's URL is corrected
        assert peer.requests == [], "nothing may be sent to somebody unverified"
        world.apps[name].config("update_callback", {"Url": world.good.url, "CallbackCommandList": [CREATED]}).ok()
    rows = world.rows(name, all_are("delivered"))
    assert len(rows) == ROOMS
    for row in rows:
        *failed, last = world.backend.attempts(row)
        assert [one["Attempt"] for one in (*failed, last)] == list(range(max(1, row["Attempts"] - 9), row["Attempts"] + 1))
        assert [one["Time"] for one in (*failed, last)] == sorted(one["Time"] for one in (*failed, last))
        for attempt in failed:
            check_attempt(attempt, fault, peer)
        assert (last["Outcome"], last["HttpStatus"], last["Error"]) == ("replied", 200, "")
    if not fault.tls and not fault.scheme:
        assert sorted(sequence_of(request) for request in peer.accepted) == [1, 2, 3], "each accepted once"
        ids = {row["Sequence"]: row["WebhookId"] for row in rows}
        for request in peer.requests:
            assert request["headers"]["webhook-id"] == ids[sequence_of(request)]
    endpoint = world.backend.show(world.apps[name].sdkappid)["Endpoint"]
    assert (endpoint["State"], endpoint["Failures"]) == ("ok", 0)


# ---- replies that nobody asked for ----


def broken_app(make_backend, peer, *arguments):
    backend = make_backend(*LIMITS, *arguments)
    return backend, backend.app(callback=peer.url, commands=[CREATED])


def test_second_reply_in_one_is_no_answer_to_the_next(make_backend, make_peer):
    peer = make_peer(lambda connection, request: OK + OK if sequence_of(request) == 1 else status(500))
    backend, app = broken_app(make_backend, peer)
    app.create("r1").ok()
    backend.wait_deliveries(all_are("delivered"))
    app.create("r2").ok()
    rows = backend.wait_deliveries(lambda rows: rows[1]["Attempts"] >= 2)
    assert [one["HttpStatus"] for one in backend.attempts(rows[1])][:2] == [500, 500]
    peer.good.set()
    backend.wait_deliveries(all_are("delivered"))


@pytest.mark.smoke
def test_reply_on_an_idle_connection_is_no_answer_to_the_next(make_backend, make_peer):
    idle = []

    def behave(connection, request):
        idle.append(connection)
        return OK if sequence_of(request) == 1 else status(500)

    peer = make_peer(behave)
    backend, app = broken_app(make_backend, peer)
    app.create("r1").ok()
    backend.wait_deliveries(all_are("delivered"))
    idle[0].send(OK)
    app.create("r2").ok()
    rows = backend.wait_deliveries(lambda rows: rows[1]["Attempts"] >= 2)
    assert [one["HttpStatus"] for one in backend.attempts(rows[1])][:2] == [500, 500]


# ---- receivers that ask for time ----


def gap(requests, first, second):
    return requests[second]["mono"] - requests[first]["mono"]


def asking(code, *headers):
    """Answers so the first request only."""
    return lambda connection, request: status(code, *headers) if connection.number == 1 else OK


def http_date(seconds):
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize("code", [429, 503])
def test_retry_after_holds_the_whole_endpoint(make_backend, make_peer, code):
    peer = make_peer(asking(code, "Retry-After: 1", "Connection: close"))
    backend, app = broken_app(make_backend, peer, "--callback-retry-longest", "20s")
    app.create("r1").ok()
    peer.wait_for(1)
    backend.wait_deliveries(lambda rows: rows[0]["Attempts"] == 1)
    app.fill(2, 6)
    requests = peer.wait_for(6)
    assert gap(requests, 0, 1) >= 0.95, "no callback of the app may go out before"
    assert gap(requests, 0, 5) < 10
    rows = backend.wait_deliveries(all_are("delivered"))
    assert [row["Attempts"] for row in rows] == [2, 1, 1, 1, 1, 1]
    assert backend.attempts(rows[0])[0]["HttpStatus"] == code


def test_retry_after_may_be_a_date(make_backend, make_peer):
    peer = make_peer(lambda c, r: status(429, f"Retry-After: {http_date(2)}", "Connection: close") if c.number == 1 else OK)
    backend, app = broken_app(make_backend, peer, "--callback-retry-longest", "20s")
    app.fill(1, 2)
    requests = peer.wait_for(3)
    assert 0.9 <= gap(requests, 0, 1) < 10  # the date has whole seconds


@pytest.mark.parametrize("value", ["86400", "99999999999999999999", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_retry_after_is_followed_no_longer_than_the_longest_wait(make_backend, make_peer, value):
    peer = make_peer(asking(503, f"Retry-After: {value}", "Connection: close"))
    backend, app = broken_app(make_backend, peer, "--callback-retry-longest", "400ms")
    app.fill(1, 2)
    requests = peer.wait_for(3)
    assert 0.38 <= gap(requests, 0, 1) < 5


@pytest.mark.parametrize("value", [None, "soon", "-5", "Sat, 01 Jan 2000 00:00:00 GMT"])
def test_slow_down_without_a_time_holds_as_long_as_between_probes(make_backend, make_peer, value):
    peer = make_peer(asking(429, *([f"Retry-After: {value}"] if value else []), "Connection: close"))
    waits = "--callback-retry-first 300ms --callback-retry-longest 300ms --callback-probe-longest 300ms"
    backend, app = broken_app(make_backend, peer, *waits.split())
    app.create("r1").ok()
    backend.wait_deliveries(lambda rows: rows[0]["Attempts"] >= 1)
    app.fill(2, 4)
    requests = peer.wait_for(5)
    assert 0.14 <= gap(requests, 0, 1) < 5


def test_retry_after_of_another_status_holds_only_its_callback(make_backend, make_peer):
    peer = make_peer(lambda c, r: status(500, "Retry-After: 1") if r["headers"]["highwater-attempt"] == "1"
                     and sequence_of(r) == 1 else OK)  # fmt: skip
    backend, app = broken_app(make_backend, peer, "--callback-retry-longest", "20s")
    app.create("r1").ok()
    backend.wait_deliveries(lambda rows: rows[0]["Attempts"] == 1)
    app.fill(2, 4)
    requests = peer.wait_for(5)
    assert [sequence_of(request) for request in requests] == [1, 2, 3, 4, 1]
    assert gap(requests, 0, 4) >= 0.95


# ---- gone ----


@pytest.mark.parametrize("how", ["resume", "update_callback", "delete and set"])
def test_gone_pauses_the_app_and_loses_nothing(make_backend, make_peer, make_receiver, how):
    peer = make_peer(lambda connection, request: status(410, body=b"moved away"))
    backend, app = broken_app(make_backend, peer)
    other_receiver = make_receiver()
    other = backend.app(GOOD, callback=other_receiver.url, commands=[CREATED])
    app.create("r1").ok()
    endpoint = wire.wait(lambda: (one := backend.show()["Endpoint"])["State"] == "paused" and one, what="the pause")
    assert endpoint["PauseReason"] == "gone" and abs(endpoint["PauseTime"] / 1000 - time.time()) < 30
    wire.wait(lambda: "callbacks_paused" in backend.log(), what="the line in the log")
    app.fill(2, 4)
    other.fill(1, 3)
    backend.wait_deliveries(all_are("delivered"), GOOD)
    app = backend.restart(app, kill=True)
    after(0.3)  # more than the longest wait between two attempts
    assert backend.show()["Endpoint"] == endpoint, "it survives a restart"
    rows = backend.deliveries()
    assert [row["State"] for row in rows] == ["parked"] * 4 and len(peer.requests) == 1
    (attempt,) = backend.attempts(rows[0])
    assert (attempt["Outcome"], attempt["HttpStatus"], attempt["Reply"]) == ("replied", 410, "moved away")
    assert "gone" in attempt["Error"]
    backend.manage("callback_test", {"SdkAppid": app.sdkappid}).refused(100002, "410")
    peer.good.set()
    wanted = {"Url": peer.url, "CallbackCommandList": [CREATED]}
    if how == "resume":
        backend.manage("callback_resume", {"SdkAppid": app.sdkappid}).ok()
    elif how == "update_callback":
        app.config("update_callback", wanted).ok()
    else:
        app.config("delete_callback", {}).ok()
        app.config("set_callback", wanted).ok()
    rows = backend.wait_deliveries(all_are("delivered"))
    assert len(rows) == 4
    endpoint = backend.show()["Endpoint"]
    assert (endpoint["State"], endpoint["PauseReason"], endpoint["PauseTime"]) == ("ok", "", 0)


def test_pause_of_the_operator_stands_when_the_receiver_says_gone(make_backend, make_peer, make_receiver):
    """Setting a URL takes back what the receiver said, not what the operator said."""
    peer = make_peer(lambda connection, request: status(410))
    backend, app = broken_app(make_backend, peer)
    app.create("r1").ok()
    wire.wait(lambda: backend.show()["Endpoint"]["PauseReason"] == "gone", what="the pause")
    backend.manage("callback_pause", {"SdkAppid": app.sdkappid}).ok()
    assert backend.show()["Endpoint"]["PauseReason"] == "operator"
    good = make_receiver()
    app.config("update_callback", {"Url": good.url, "CallbackCommandList": [CREATED]}).ok()
    other = backend.app(GOOD, callback=good.url, commands=[CREATED])
    other.create("r").ok()
    backend.wait_deliveries(all_are("delivered"), GOOD)
    assert backend.show()["Endpoint"]["State"] == "paused"
    assert all_are("parked")(backend.deliveries())
    backend.manage("callback_resume", {"SdkAppid": app.sdkappid}).ok()
    backend.wait_deliveries(all_are("delivered"))
