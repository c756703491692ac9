"""A million callbacks that wait, and one app's hanging receiver among a hundred apps: what others notice is little.

HIGHWATER_WAITING sets how many wait (1,000,000)."""

import os
import sqlite3
import time

import pytest

import wire
from receivers import CREATED, SDKAPPID, all_are, create_many, make_peer, memory_kib, sequence_of

WAITING = int(os.environ.get("HIGHWATER_WAITING", "1000000"))
START_S = 2
MEMORY_KIB = 64 * 1024


TRIED = {  # what a callback is that failed twice, each due at its own time within the next hour
    "attempts": "2",
    "due_ms": "CAST(strftime('%s', 'now') AS INTEGER) * 1000 + n.n % 3500000",
    "attempt_ms": "CAST(strftime('%s', 'now') AS INTEGER) * 1000",
    "http_status": "500",
    "error": "'HTTP status 500'",
    "log": """'[{"Attempt":2,"Time":1700000000000,"Outcome":"replied","HttpStatus":500,"Error":"HTTP status 500"}]'""",
}


def put_waiting(backend, count, changes):
    """Makes so many callbacks that wait of the only one in the file of a backend that has stopped: copies of it, with rising
    ids and sequences, and changed so."""
    with sqlite3.connect(backend.data / "highwater.db") as db:
        names = [row[1] for row in db.execute("PRAGMA table_info(callbacks)")]
        values = {name: f"old.{name}" for name in names} | {"id": "old.id + n.n"} | changes
        db.execute("PRAGMA synchronous = OFF")
        db.execute("CREATE TEMP TABLE old AS SELECT * FROM callbacks")
        db.execute("DELETE FROM callbacks")
        db.execute(
            f"WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < ?)"
            f" INSERT INTO callbacks ({', '.join(names)}) SELECT {', '.join(values[name] for name in names)} FROM n, old",
            (count - 1,),
        )
        db.execute("UPDATE app_state SET callback_sequence = ?, callback_pending = ?", (count, count))
        assert db.execute("SELECT count(*) FROM callbacks WHERE state = 0").fetchone() == (count,)
    db.close()


@pytest.fixture
def start_and_measure(make_backend):
    """Starts a backend; gives how long it took until it was ready, and its memory then."""

    def make(backend):
        started = time.monotonic()
        backend.start(60)
        return time.monotonic() - started, memory_kib(backend, "VmHWM")

    return make


@pytest.mark.parametrize("changes", [{}, TRIED], ids=["new", "tried"])
def test_million_that_wait_cost_neither_time_nor_memory(make_backend, receiver, start_and_measure, changes):
    backend = make_backend(*"--callback-total-timeout 20s --callback-retry-longest 1h".split(), start=False)
    backend.start()
    receiver.down()
    app = backend.app(MaxRoomCount=10, callback=receiver.url, commands=[CREATED])
    backend.manage("callback_pause", {"SdkAppid": SDKAPPID}).ok()
    app.create("r").ok()
    app.client.close()
    assert backend.stop() == 0
    _, idle_kib = start_and_measure(backend)
    assert backend.stop() == 0
    put_waiting(backend, WAITING, changes)
    seconds, kib = start_and_measure(backend)
    assert seconds < START_S, f"ready after {seconds:.1f} s"
    assert kib - idle_kib < MEMORY_KIB, f"{kib} KiB, idle {idle_kib}"
    shown = backend.show()
    assert (shown["CallbackPending"], shown["CallbackSequence"]) == (WAITING, WAITING)

    backend.manage("callback_resume", {"SdkAppid": SDKAPPID}).ok()  # to a receiver that is down
    wire.wait(lambda: backend.show()["Endpoint"]["State"] == "open", what="the breaker")
    started = time.monotonic()
    page = backend.manage("callback_list", {"SdkAppid": SDKAPPID, "Count": 100}).ok().response
    assert time.monotonic() - started < 1 and len(page["CallbackList"]) == 100
    receiver.up()
    receiver.wait_for(3000, 60)
    assert memory_kib(backend, "VmHWM") - idle_kib < MEMORY_KIB
    backend.manage("callback_pause", {"SdkAppid": SDKAPPID}).ok()
    wire.wait(lambda: backend.show()["CallbackPending"] == WAITING - len(receiver.requests), what="what is under way to end")
    sent = sorted(sequence_of(one) for one in receiver.requests)
    assert len(set(sent)) == len(sent), "none twice"
    assert changes or sent == list(range(1, len(sent) + 1)), "in their order"

    backend.kill()
    seconds, kib = start_and_measure(backend)
    assert seconds < START_S and kib - idle_kib < MEMORY_KIB
    assert backend.show()["CallbackPending"] == WAITING - len(receiver.requests)


# ---- isolation ----

APPS = 99
ROUNDS = 3
LAPS = 4


class Stopwatch:
    """For wire.Receiver: when each callback came, by app and sequence."""

    def __init__(self):
        self.times = {}

    def __call__(self, number, request):
        self.times[int(request["params"]["SdkAppid"]), sequence_of(request)] = time.monotonic()
        return 200, {}, wire.OK_REPLY


def lap(apps, stopwatch, sequences, receiver):
    """Creates one room in each app, and gives how long each callback took from the call to the receiver."""
    started = {}
    for app in apps:
        sequences[app.sdkappid] += 1
        started[app.sdkappid, sequences[app.sdkappid]] = time.monotonic()
        app.create(f"r{sequences[app.sdkappid]}").ok()
    receiver.wait_for(sum(sequences.values()))
    return [stopwatch.times[key] - start for key, start in started.items()]


def p99(values):
    return sorted(values)[int(len(values) * 0.99)]


def test_hanging_receiver_of_one_app_slows_no_other_app(make_backend, make_receiver, make_peer):
    """Rounds with and without new callbacks for the hanging one, in turn. The bound is loose, for a busy machine;
    bench/callback measures the ratio."""
    stopwatch = Stopwatch()
    receiver = make_receiver(stopwatch)
    hanging = make_peer(lambda connection, request: connection.until_closed())
    backend = make_backend("--callback-total-timeout", "1s")
    client = backend.client()
    ids = range(SDKAPPID + 1, SDKAPPID + 1 + APPS)
    apps = [backend.app(sdkappid, callback=receiver.url, commands=[CREATED]).over(client) for sdkappid in ids]
    sick = backend.app(MaxRoomCount=100000, callback=hanging.url, commands=[CREATED])
    sequences = {app.sdkappid: 0 for app in apps}
    lap(apps, stopwatch, sequences, receiver)  # connections are made
    taken = {False: [], True: []}
    rooms = 0
    for number in range(2 * ROUNDS):
        ill = number % 2 == 1
        backend.manage("callback_resume" if ill else "callback_pause", {"SdkAppid": SDKAPPID}).ok()
        if ill:
            create_many(sick, backend.port, (f"s{rooms + n}" for n in range(200)))
            rooms += 200
            wire.wait(lambda: backend.callbacks(SdkAppid=SDKAPPID, State="in_flight"), what="a request that hangs")
        for _ in range(LAPS):
            taken[ill] += lap(apps, stopwatch, sequences, receiver)
    without, with_it = p99(taken[False]), p99(taken[True])
    assert with_it < 2 * without + 0.05, f"p99 {without * 1000:.1f} ms without, {with_it * 1000:.1f} ms with it"
    assert len(taken[True]) == APPS * LAPS * ROUNDS
    for app in apps[:5]:
        assert all(row["Attempts"] == 1 for row in backend.wait_deliveries(all_are("delivered"), app.sdkappid))
