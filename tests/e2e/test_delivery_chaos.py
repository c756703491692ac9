"""Everything that can happen to callbacks, in random order, with kills between: in the end each has arrived, or a newer alert has
in its place.

HIGHWATER_CHAOS_ROUNDS sets how many kills (10), HIGHWATER_CHAOS_SEED which order."""

import os
import random
import threading
import time

import wire
from receivers import CREATED, FINAL, SDKAPPID, create_many, sequence_of

ROUNDS = int(os.environ.get("HIGHWATER_CHAOS_ROUNDS", "10"))
SEED = int(os.environ.get("HIGHWATER_CHAOS_SEED", "20261125"))
APPS = (SDKAPPID, SDKAPPID + 1, SDKAPPID + 2)
OK = (200, {}, wire.OK_REPLY)
MOODS = (
    OK, OK, OK, (500, {}, b"no"), (404, {}, b""), (429, {"Retry-After": "0"}, b""), (503, {}, b""), (200, {}, b"what?"), None,
    b"220 mail.example.com ESMTP\r\n", "hang", (410, {}, b""),
)  # fmt: skip


class Moody:
    """For wire.Receiver: a mood per app, which the test changes; `None` closes the connection."""

    def __init__(self):
        self.moods = dict.fromkeys(APPS, OK)
        self.accepted = set()
        self.lock = threading.Lock()

    def __call__(self, number, request):
        mood = self.moods[int(request["params"]["SdkAppid"])]
        if mood == "hang":
            time.sleep(0.3)  # over callback.total_timeout
            return OK
        if mood == OK:
            with self.lock:
                self.accepted.add(request["headers"]["webhook-id"])
        return mood


class Chaos:
    def __init__(self, backend, apps, moody, receiver, dice):
        self.backend, self.apps, self.moody, self.receiver, self.dice = backend, apps, moody, receiver, dice
        self.created = dict.fromkeys(APPS, 0)

    def create(self, sdkappid):
        count = self.dice.randint(1, 40)
        first = self.created[sdkappid]
        create_many(self.apps[sdkappid], self.backend.port, (f"r{first + number}" for number in range(count)), lanes=2)
        self.created[sdkappid] += count

    def mood(self, sdkappid):
        self.moody.moods[sdkappid] = self.dice.choice(MOODS)

    def manage(self, command, sdkappid, **fields):
        return self.backend.manage(command, {"SdkAppid": sdkappid, **fields}).ok()

    def pause(self, sdkappid):
        self.manage("callback_pause", sdkappid)

    def resume(self, sdkappid):
        self.manage("callback_resume", sdkappid)

    def replay(self, sdkappid):
        first = self.dice.randint(1, max(1, self.created[sdkappid]))
        state = self.dice.choice(("superseded", "delivered", "final"))
        self.manage("callback_replay", sdkappid, FromSequence=first, ToSequence=first + 10, State=state)

    def test(self, sdkappid):
        self.backend.manage("callback_test", {"SdkAppid": sdkappid})  # refused while it is paused

    def rotate(self, sdkappid):
        self.backend.secrets.add(self.manage("app_secret_rotate", sdkappid, Kind="v1", Overlap=0).response["Secret"])

    def url(self, sdkappid):
        words = {"Url": f"{self.receiver.url}/{self.dice.randrange(1000)}", "CallbackCommandList": [wire.ALERT, CREATED]}
        self.apps[sdkappid].config("update_callback", words).ok()

    def step(self):
        actions = (self.create,) * 4 + (self.mood,) * 4 + (self.resume,) * 2
        actions += (self.pause, self.replay, self.test, self.rotate, self.url)
        self.dice.choice(actions)(self.dice.choice(APPS))

    def restart(self, kill):
        for app in self.apps.values():
            app.client.close()
        if kill:
            self.backend.kill()
        else:
            assert self.backend.stop() == 0
        self.backend.start()
        self.apps = {sdkappid: app.over(self.backend.client()) for sdkappid, app in self.apps.items()}


def check_counter(backend, sdkappid):
    """While nothing moves: the counter is what the list has."""
    backend.manage("callback_pause", {"SdkAppid": sdkappid}).ok()
    wire.wait(lambda: not backend.callbacks(SdkAppid=sdkappid, State="in_flight"), what="what is under way to end")
    waiting = backend.callbacks(SdkAppid=sdkappid, State="waiting")
    assert backend.show(sdkappid)["CallbackPending"] == len(waiting)
    assert all(row["State"] == "parked" for row in waiting)


def check_rows(rows, accepted):
    """Each callback has ended, and as it may."""
    assert [row["Sequence"] for row in rows] == list(range(1, len(rows) + 1))
    newest = {row["Threshold"]: row["Sequence"] for row in rows if row["CallbackCommand"] == wire.ALERT}
    for row in rows:
        if row["State"] == "superseded":
            assert row["CallbackCommand"] == wire.ALERT and row["Threshold"] > 0, row
            assert row["Sequence"] < newest[row["Threshold"]], "nothing newer took its place"
        else:
            assert row["State"] == "delivered", row
            assert row["WebhookId"] in accepted, "said to be delivered, but nobody accepted it"


def check_requests(requests, rows):
    """One event is one id and one packet, whatever happened; attempts count on."""
    by_id = {row["WebhookId"]: row for row in rows}
    last = {}
    for request in requests:
        row = by_id[request["headers"]["webhook-id"]]
        assert (sequence_of(request), request["body"]) == (row["Sequence"], row["Body"])
        number, replays = int(request["headers"]["highwater-attempt"]), int(request["headers"].get("highwater-replay", "0"))
        lost = row["State"] == "superseded"  # it may have been on its way in a kill, so that its attempt was not noted
        assert number <= row["Attempts"] + lost and replays <= row["Replays"]
        assert (replays, number) >= last.get(row["WebhookId"], (0, 1)), "an attempt came again after a later one"
        last[row["WebhookId"]] = replays, number


def test_whatever_happens_each_callback_arrives_or_a_newer_alert_does(make_backend, make_receiver):
    moody = Moody()
    receiver = make_receiver(moody)
    backend = make_backend(
        *"--callback-total-timeout 200ms --callback-connect-timeout 200ms --callback-retry-first 10ms".split(),
        *"--callback-retry-longest 50ms --callback-probe-longest 20ms --callback-give-up 1h".split(), supersede=True,
    )  # fmt: skip
    apps = {
        sdkappid: backend.app(sdkappid, MaxRoomCount=5000, Thresholds=[1, 2], callback=receiver.url, commands=[wire.ALERT, CREATED])
        for sdkappid in APPS
    }
    chaos = Chaos(backend, apps, moody, receiver, random.Random(SEED))
    for number in range(ROUNDS):
        for _ in range(12):
            chaos.step()
        check_counter(backend, chaos.dice.choice(APPS))
        chaos.restart(kill=number % 3 != 2)
    for sdkappid in APPS:
        moody.moods[sdkappid] = OK
        chaos.resume(sdkappid)
    for sdkappid in APPS:
        wire.wait(lambda sdkappid=sdkappid: backend.show(sdkappid)["CallbackPending"] == 0, 60, "all to end")
        rows = backend.deliveries(sdkappid)
        assert all(row["State"] in FINAL for row in rows)
        check_rows(rows, moody.accepted)
        check_requests([one for one in list(receiver.requests) if one["params"]["SdkAppid"] == str(sdkappid)], rows)
    assert sum(chaos.created.values()) > 20 * ROUNDS, "the test did too little"
