"""Events of the management API: what is told, how soon, how often, to whom, and how streams end."""

import ssl
import threading
import time

import pytest

import wire
from eventstream import EventStream
from test_session import Browser

SDKAPPID = 1400000001
STREAMS_MAX = 64


@pytest.fixture
def open_stream(backend):
    made = []

    def make(other=None, **keywords):
        made.append(EventStream(other or backend, **keywords))
        return made[-1]

    yield make
    for stream in made:
        stream.close()


@pytest.fixture
def make_stream():
    """For backends of the test's own."""
    made = []

    def make(backend, **keywords):
        made.append(EventStream(backend, **keywords))
        return made[-1]

    yield make
    for stream in made:
        stream.close()


# ---- what is told ----


def test_a_stream_begins_with_hello(open_stream):
    before = time.time() * 1000
    stream = open_stream()
    assert stream.answer.status == 200 and stream.headers["content-type"] == "text/event-stream"
    assert stream.headers["cache-control"] == "no-store" and stream.headers["x-accel-buffering"] == "no"
    assert stream.headers["transfer-encoding"] == "chunked"
    hello = stream.wait_for("hello")
    assert stream.events[0] is hello and set(hello.data) == {"Now"}
    assert before - 1 <= hello.data["Now"] <= time.time() * 1000


def test_a_creation_is_told_within_a_second(backend, open_stream):
    app = backend.app(MaxRoomCount=10, Thresholds=[50], callback="http://127.0.0.1:9/")
    stream = open_stream()
    stream.wait_for("hello")
    for count in range(1, 7):
        created = time.monotonic()
        app.create(f"r{count}").ok()
        told = stream.wait_for("app", RoomCount=count)
        assert told.time - created < 1, count
        assert told.data["SdkAppid"] == SDKAPPID and told.data["MaxRoomCount"] == 10
        assert set(told.data) == {"SdkAppid", "RoomCount", "MaxRoomCount", "AlertLevel", "CallbackPending", "EndpointState"}
    app.destroy("r1").ok()
    stream.wait_for("app", RoomCount=5)
    assert stream.of("config") == []


def test_changes_of_configuration_are_told(backend, open_stream):
    stream = open_stream()
    stream.wait_for("hello")
    app = backend.app(MaxRoomCount=10)
    stream.wait_for("config", SdkAppid=SDKAPPID)
    stream.wait_for("app", SdkAppid=SDKAPPID, RoomCount=0, MaxRoomCount=10, EndpointState="ok")
    steps = [
        lambda: backend.manage("app_set", {"SdkAppid": SDKAPPID, "MaxRoomCount": 20}),
        lambda: app.config("set_callback", {"Url": "http://127.0.0.1:9/", "CallbackCommandList": [wire.ALERT]}),
        lambda: backend.manage("app_key_rotate", {"SdkAppid": SDKAPPID}),
        lambda: backend.manage("callback_pause", {"SdkAppid": SDKAPPID}),
        lambda: backend.manage("app_delete", {"SdkAppid": SDKAPPID, "Force": True}),
    ]
    for step in steps:
        count = len(stream.of("config"))
        step().ok()
        wire.wait(lambda: len(stream.of("config")) == count + 1, what="an event")
    assert stream.of("app")[-1].data["EndpointState"] == "paused"
    assert stream.of("app")[-1].data["MaxRoomCount"] == 20


def test_callbacks_on_their_way_are_told(backend, open_stream, make_receiver):
    answer = {"now": (500, {}, b"")}
    receiver = make_receiver(lambda number, request: answer["now"])
    app = backend.app(MaxRoomCount=1, callback=receiver.url)
    stream = open_stream()
    stream.wait_for("hello")
    app.create("a").ok()
    stream.wait_for("callbacks", SdkAppid=SDKAPPID)
    stream.wait_for("app", CallbackPending=1, RoomCount=1)
    stream.wait_for("app", EndpointState="open")  # after three failures
    level = stream.wait_for("app", CallbackPending=1).data["AlertLevel"]
    assert level == backend.show()["AlertLevel"]
    answer["now"] = (200, {}, wire.OK_REPLY)
    stream.wait_for("app", CallbackPending=0, EndpointState="ok")
    count = len(stream.of("callbacks"))
    assert count >= 2
    backend.manage("callback_test", {"SdkAppid": SDKAPPID}).ok()
    wire.wait(lambda: len(stream.of("callbacks")) > count, what="an event")


def test_a_refused_change_is_not_told(backend, open_stream):
    app = backend.app(MaxRoomCount=1)
    app.create("a").ok()
    stream = open_stream()
    stream.wait_for("hello")
    app.create("b").refused(100013)
    backend.manage("app_set", {"SdkAppid": SDKAPPID, "MaxRoomCount": -1}).refused(100002)
    other = backend.app(1400000002)
    stream.wait_for("config", SdkAppid=other.sdkappid)
    assert stream.of("app", SDKAPPID) == stream.of("config", SDKAPPID) == []


def test_many_changes_are_few_events_and_the_last_one_is_right(backend, open_stream):
    app = backend.app(MaxRoomCount=100000)
    streams = [open_stream() for _ in range(3)]
    for stream in streams:
        stream.wait_for("hello")
    begun = time.monotonic()
    count = 0
    while time.monotonic() - begun < 2:
        count += 1
        app.create(f"r{count}").ok()
    for stream in streams:
        last = stream.wait_for("app", RoomCount=count)
        told = stream.of("app")
        assert count > 100, "too few creations to tell"
        assert len(told) <= 4 * (last.time - begun) + 2, (len(told), last.time - begun)
        assert len(told) >= 4
        counts = [one.data["RoomCount"] for one in told]
        assert counts == sorted(counts)
        assert last.time - begun < 3.5


# ---- to whom ----


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer 0123456789abcdef0123456789abcdef"}, {"Cookie": "highwater_session=" + "0" * 64}],
)
def test_who_is_not_let_in_is_told_so(open_stream, headers):
    stream = open_stream(headers=headers)
    assert not stream.is_stream and stream.answer.status == 200 and stream.body()["ErrorCode"] == 60010


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "DELETE"])
def test_another_method_is_refused(open_stream, method):
    stream = open_stream(method=method)
    assert not stream.is_stream and stream.body()["ErrorCode"] == 60002


def test_a_browser_needs_its_cookie_only_and_the_stream_ends_with_the_session(backend, open_stream):
    browser, other = Browser(backend), Browser(backend)
    browser.sign_in().ok()
    other.sign_in().ok()
    mine = open_stream(headers={"Cookie": browser.cookie})
    others = [open_stream(headers={"Cookie": other.cookie}), open_stream()]
    for stream in (mine, *others):
        stream.wait_for("hello")
    backend.app(MaxRoomCount=10)
    mine.wait_for("config", SdkAppid=SDKAPPID)
    browser.call("session_close").ok()
    closed = time.monotonic()
    assert mine.ended.wait(5) and mine.clean
    assert time.monotonic() - closed < 2
    assert not any(stream.ended.is_set() for stream in others)
    assert open_stream(headers={"Cookie": browser.cookie}).body()["ErrorCode"] == 60010


def test_one_stream_too_many_is_refused(backend, open_stream):
    streams = [open_stream() for _ in range(STREAMS_MAX)]
    assert all(stream.is_stream for stream in streams)
    refused = open_stream()
    assert not refused.is_stream
    answer = refused.body()
    assert answer["ErrorCode"] == 60007 and str(STREAMS_MAX) in answer["ErrorInfo"]
    backend.app(MaxRoomCount=10)  # all else goes on
    for stream in streams:
        stream.wait_for("config", SdkAppid=SDKAPPID)
    for stream in streams[:3]:
        stream.close()

    def is_let_in():
        return open_stream().is_stream

    for _ in range(3):
        wire.wait(is_let_in, seconds=5, what="a place")
    assert not is_let_in()


def test_events_over_tls(make_backend, make_stream, certificates):
    files = ("--http-cert-file", str(certificates / "leaf.pem"), "--http-key-file", str(certificates / "leaf.key"))
    backend = make_backend(*files)
    backend.tls = ssl.create_default_context(cafile=certificates / "ca.pem")
    stream = make_stream(backend, tls=backend.tls)
    stream.wait_for("hello")
    backend.app(MaxRoomCount=10)
    stream.wait_for("config", SdkAppid=SDKAPPID)
    make_stream(backend, tls=backend.tls).close()
    assert backend.stop() == 0
    assert stream.ended.wait(5) and stream.clean


# ---- time, and the end ----


def test_a_silent_stream_stays_and_gets_a_comment(make_backend, make_stream):
    backend = make_backend("--http-idle-timeout", "1s", "--http-request-timeout", "1s")
    stream = make_stream(backend)
    stream.wait_for("hello")
    wire.wait(lambda: stream.comments == 1, seconds=25, what="a comment")
    assert not stream.ended.is_set()
    backend.app(MaxRoomCount=10)
    stream.wait_for("config", SdkAppid=SDKAPPID)


def test_a_client_that_does_not_read_is_dropped_and_others_miss_nothing(make_backend, make_stream):
    backend = make_backend("--http-idle-timeout", "2s")
    numbers = range(1, 201)
    manage = backend.client()
    headers = {"Authorization": f"Bearer {backend.token}"}

    def send(command, body):
        manage.post(f"/manage/v1/{command}", body, headers).ok()

    for number in numbers:
        send("app_create", {"SdkAppid": number, "MaxRoomCount": 1})
    deaf = make_stream(backend, receive_bytes=4096, read=False)
    stream = make_stream(backend)
    stream.wait_for("hello")
    deadline = time.monotonic() + 60
    value = 1

    def is_dropped():
        try:
            deaf.sock.send(b"x")  # fails only when the server has ended the connection
        except OSError:
            return True
        return False

    while not is_dropped():
        assert time.monotonic() < deadline, "still open"
        value += 1
        for number in numbers:
            send("app_set", {"SdkAppid": number, "MaxRoomCount": value})
    for number in numbers:
        stream.wait_for("app", SdkAppid=number, MaxRoomCount=value)
    assert stream.of("lost") == [] and not stream.ended.is_set()
    manage.close()


def test_a_client_that_has_missed_something_is_told(make_backend, make_stream):
    backend = make_backend()
    slow = make_stream(backend, receive_bytes=4096, read=False)

    def create(numbers):
        client = backend.client()
        for number in numbers:
            client.post("/manage/v1/app_create", {"SdkAppid": number}, {"Authorization": f"Bearer {backend.token}"}).ok()
        client.close()

    threads = [threading.Thread(target=create, args=(range(first, 7001, 4),)) for first in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    slow.read()
    slow.wait_for("lost")
    assert slow.wait_for("lost").data == {} and len(slow.of("config")) < 7000
    backend.manage("app_set", {"SdkAppid": 1, "MaxRoomCount": 7}).ok()
    slow.wait_for("app", SdkAppid=1, MaxRoomCount=7)
    assert len(slow.of("lost")) == 1


def test_streams_do_not_hold_up_the_end(make_backend, make_stream):
    backend = make_backend()
    app = backend.app(MaxRoomCount=10)
    streams = [make_stream(backend) for _ in range(20)]
    deaf = make_stream(backend, receive_bytes=4096, read=False)
    for stream in streams:
        stream.wait_for("hello")
    app.create("a").ok()
    app.client.close()
    begun = time.monotonic()
    assert backend.stop() == 0
    assert time.monotonic() - begun < 1
    for stream in streams:
        assert stream.ended.wait(5) and stream.clean
    deaf.close()
