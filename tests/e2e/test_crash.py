"""kill -9, again and again, while rooms are created and destroyed and the receiver is down half of the time.

Two apps. In the first, rooms are only created, by users and over REST: the k-th room that exists is the k-th that was
committed, so the alert of each is known exactly, its count and its operator included. In the second, rooms are also
destroyed and the quota is full again and again; every creation alerts, and each is made by a user of its own, so that
the alert of each acknowledged creation can be found.

HIGHWATER_CRASH_ROUNDS sets how many kills (50).
"""

import collections
import http.client
import os
import random
import threading

import wire

ROUNDS = int(os.environ.get("HIGHWATER_CRASH_ROUNDS", "50"))
GROWING, CHURNING = 1400000001, 1400000002
GROWING_MAX, GROWING_LINE = 20000, 200  # alerts from 1 % on
CHURNING_MAX = 20
TOKENS = {GROWING: "growing token", CHURNING: "churning token"}
GONE = (OSError, http.client.HTTPException)


class Guarded:
    """An iterator for several threads."""

    def __init__(self, iterator):
        self.iterator = iterator
        self.lock = threading.Lock()

    def __next__(self):
        with self.lock:
            return next(self.iterator)


class Ledger:
    """What the callers know: rooms acknowledged, and those whose answer was lost in a kill."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acks = 0
        self.enough = threading.Event()
        self.target = 0
        self.present = {}  # room -> operator, acknowledged and not destroyed
        self.unknown = {}  # room -> operator, created or destroyed with the answer lost
        self.operators = {}  # room -> operator, all that were ever asked for
        self.acknowledged = set()  # operators of all creations that were acknowledged
        self.refused = collections.Counter()

    def aim(self, count):
        with self.lock:
            self.target = self.acks + count
            self.enough.clear()
            if count == 0:
                self.enough.set()

    def acknowledge(self):
        self.acks += 1
        if self.acks >= self.target:
            self.enough.set()

    def asked(self, room, operator):
        with self.lock:
            self.operators[room] = operator
            self.unknown[room] = operator

    def created(self, room, code):
        with self.lock:
            operator = self.unknown.pop(room)
            if code == 0:
                self.present[room] = operator
                self.acknowledged.add(operator)
                self.acknowledge()
            else:
                self.refused[code] += 1

    def destroying(self, room):
        with self.lock:
            self.unknown[room] = self.present.pop(room)

    def destroyed(self, room):
        with self.lock:
            del self.unknown[room]
            self.acknowledge()


def body(room):
    return {"RoomInfo": {"RoomId": room, "RoomType": "Live"}}


def grow(app, ledger, worker, names, stop):
    """Creates rooms by turns as a user of the client and as an admin over REST, until the backend is gone."""
    while not stop.is_set():
        room = f"g{next(names)}"
        by_client = worker % 2 == 0
        operator = f"u-{room}" if by_client else "administrator"
        ledger.asked(room, operator)
        call = app.user("create_room", body(room), operator, "Web") if by_client else app.rest("create_room", body(room))
        ledger.created(room, call.ok().code)


def churn(app, ledger, worker, names, stop):
    """Creates until the quota is full, then destroys rooms of its own."""
    mine = []
    while not stop.is_set():
        room = f"c{next(names)}"
        operator = f"u-{room}"
        ledger.asked(room, operator)
        call = app.user("create_room", body(room), operator, "iOS")
        assert call.code in (0, 100013), call.raw
        ledger.created(room, call.code)
        if call.code == 0:
            mine.append(room)
        if call.code == 100013 and mine:
            gone = mine.pop(0)
            ledger.destroying(gone)
            app.destroy(gone).ok()
            ledger.destroyed(gone)


def run_until_killed(work, app, ledger, worker, names, stop, failures):
    try:
        work(app, ledger, worker, names, stop)
    except GONE:
        pass  # the kill; what was asked for stays in `unknown`
    except BaseException as failure:
        failures.append(failure)
        ledger.enough.set()
    finally:
        app.client.close()


def everyone(admin):
    """room -> owner of all rooms of the app, oldest first."""
    found, cursor = [], ""
    while True:
        page = admin.rest("get_room_list", {"Next": cursor, "Count": 20}).ok().response
        found += [(room["RoomId"], room["Owner_Account"]) for room in page["RoomList"]]
        cursor = page["Next"]
        if not cursor:
            return dict(found[::-1])


def check_rooms(backend, app, ledger):
    """After a restart: all that was acknowledged is there, and nothing that was not asked for."""
    admin = app.over(backend.client())
    rooms = everyone(admin)
    admin.client.close()
    shown = backend.show(app.sdkappid)
    assert shown["RoomCount"] == len(rooms) <= shown["MaxRoomCount"]
    lost = set(ledger.present) - set(rooms)
    assert not lost, f"acknowledged and not there: {sorted(lost)}"
    surplus = set(rooms) - set(ledger.present) - set(ledger.unknown)
    assert not surplus, f"there, but never asked for or acknowledged as destroyed: {sorted(surplus)}"
    for room, owner in rooms.items():
        assert owner == ledger.operators[room]
    return rooms, shown


def settle(ledger, rooms):
    """What was unknown is known now: the answer was lost, the outcome is not."""
    for room in list(ledger.unknown):
        operator = ledger.unknown.pop(room)
        if room in rooms:
            ledger.present[room] = operator


def empty(backend, app, ledger, rooms):
    """Destroys the rooms that no worker of the next round knows."""
    admin = app.over(backend.client())
    for room in rooms:
        admin.destroy(room).ok()
        ledger.present.pop(room)
    admin.client.close()


def one_round(backend, apps, ledgers, names, acks):
    stop, failures, threads = threading.Event(), [], []
    for ledger in ledgers.values():
        ledger.aim(acks)
    for sdkappid, work, workers in ((GROWING, grow, 4), (CHURNING, churn, 3)):
        for worker in range(workers):
            client = backend.client(once=True)
            thread = threading.Thread(
                target=run_until_killed,
                args=(work, apps[sdkappid].over(client), ledgers[sdkappid], worker, names, stop, failures),
            )
            threads.append(thread)
            thread.start()
    for ledger in ledgers.values():
        assert failures or ledger.enough.wait(60), "the backend does not answer"
    backend.kill()
    stop.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not failures, failures


def check_alerts(requests, sdkappid, made):
    """Each event of the app arrived, signed, always the same, and nothing else. Returns the bodies by sequence."""
    by_sequence, ids = {}, {}
    for request in requests:
        if request["params"]["SdkAppid"] != str(sdkappid):
            continue
        assert request["params"]["Sign"] == wire.sign(TOKENS[sdkappid], request["params"]["RequestTime"])
        sequence = int(request["headers"]["highwater-sequence"])
        event = request["headers"]["webhook-id"]
        assert by_sequence.setdefault(sequence, request["raw"]) == request["raw"], "an event changed"
        assert ids.setdefault(event, sequence) == sequence, "one id, two events"
    assert sorted(by_sequence) == list(range(1, made + 1)), "an alert is missing, or there is one too many"
    assert len(ids) == made, "one event, two ids"
    bodies = {request["raw"]: request["body"] for request in requests}
    return [bodies[by_sequence[sequence]] for sequence in range(1, made + 1)]


def test_kills_lose_nothing_that_was_acknowledged(make_backend, receiver):
    dice = random.Random(20250219)
    backend = make_backend()
    apps = {
        sdkappid: backend.app(sdkappid, MaxRoomCount=maximum, Thresholds=[1], callback=receiver.url, token=TOKENS[sdkappid])
        for sdkappid, maximum in ((GROWING, GROWING_MAX), (CHURNING, CHURNING_MAX))
    }
    ledgers = {sdkappid: Ledger() for sdkappid in apps}
    names = Guarded(iter(range(10**9)))
    for number in range(ROUNDS):
        if number % 2 == 0 or number == ROUNDS - 1:  # after the last kill much must be waiting
            receiver.down()
        elif receiver.server is None:
            receiver.up()
        one_round(backend, apps, ledgers, names, dice.choice((0, 1, 10, 40, 100, 200)))
        backend.start(60)
        for sdkappid, app in apps.items():
            rooms, _ = check_rooms(backend, app, ledgers[sdkappid])
            settle(ledgers[sdkappid], rooms)
            if sdkappid == CHURNING:
                empty(backend, app, ledgers[sdkappid], rooms)
    if receiver.server is None:
        receiver.up()
    wire.wait(lambda: all(backend.show(n)["CallbackPending"] == 0 for n in apps), 60, "all alerts to be delivered")
    requests = list(receiver.requests)

    rooms, shown = check_rooms(backend, apps[GROWING], ledgers[GROWING])
    bodies = check_alerts(requests, GROWING, shown["CallbackSequence"])
    assert [alert["CurRoomCount"] for alert in bodies] == list(range(GROWING_LINE, len(rooms) + 1))
    assert [alert["Operator_Account"] for alert in bodies] == list(rooms.values())[GROWING_LINE - 1 :]
    assert not bodies or {alert["MaxRoomCount"] for alert in bodies} == {GROWING_MAX}

    ledger = ledgers[CHURNING]
    _, shown = check_rooms(backend, apps[CHURNING], ledger)
    bodies = check_alerts(requests, CHURNING, shown["CallbackSequence"])
    assert all(1 <= alert["CurRoomCount"] <= CHURNING_MAX for alert in bodies)
    told = collections.Counter(alert["Operator_Account"] for alert in bodies)
    assert not told or max(told.values()) == 1, "one creation, two alerts"
    assert ledger.acknowledged <= set(told) <= set(ledger.operators.values())
    states = {row["State"] for sdkappid in apps for row in backend.deliveries(sdkappid)}
    assert states <= {"delivered"}
    if ROUNDS >= 20:
        assert len(rooms) > GROWING_LINE + 50 and ledger.refused[100013] > 0, "the test did too little"
