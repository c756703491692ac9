"""A backend with something to look at: apps in every state, a day of history, callbacks that arrived and that did not."""

import math

import wire

MAIN = 1400000001
FULL = 1400000002
PAUSED = 1400000003
HOSTILE_ROOM = "<img src=x onerror=window.pwned=1>"
HOSTILE_OWNER = "<img/src=x/onerror=pwned=1>"
HOURS = 23
STEP = 1800  # seconds
SMALL = [(4, 120, 37, "edge"), (5, 40, 11, "every"), (6, 500, 160, "edge"), (7, 25, 4, "every"), (8, 60, 27, "step")]


def tide(hour, maximum):
    """How many rooms there are at an hour of the day."""
    return round(maximum * (0.43 + 0.26 * math.sin((hour - 17) / 24 * 2 * math.pi)))


class Filler:
    """Keeps the number of rooms of an app where it shall be."""

    def __init__(self, app, name):
        self.app, self.name, self.rooms, self.made = app, name, [], 0

    def to(self, count):
        while len(self.rooms) < count:
            self.made += 1
            self.rooms.append(f"{self.name}-{self.made}")
            self.app.create(self.rooms[-1], Owner_Account=f"host-{self.made % 7}").ok()
        while len(self.rooms) > count:
            self.app.destroy(self.rooms.pop(0)).ok()


def fill(backend, clock, good, bad):
    """Makes all of it; the clock of the backend begins a day back and ends now."""
    clock.set(-HOURS * 3600)
    tide_app = Filler(backend.app(MAIN, MaxRoomCount=100, Thresholds=[70, 90], callback=good.url, token="2c8d1f"), "live")
    full_app = Filler(backend.app(FULL, MaxRoomCount=12, Thresholds=[50, 80], AlertMode="edge", callback=bad), "show")
    paused_app = Filler(backend.app(PAUSED, MaxRoomCount=30, Thresholds=[60], callback=good.url), "talk")
    others = []
    for number, maximum, count, mode in SMALL:
        app = backend.app(1400000000 + number, MaxRoomCount=maximum, AlertMode=mode, callback=good.url)
        others.append((Filler(app, "room"), count))
    backend.manage("callback_set", {"SdkAppid": MAIN, "CallbackUrl": good.url,
                                    "CallbackCommandList": [wire.ALERT, "Live.CallbackAfterDestroyRoom"]}).ok()  # fmt: skip
    steps = HOURS * 3600 // STEP
    for step in range(steps):
        clock.set(-HOURS * 3600 + step * STEP)
        hour = step * STEP / 3600
        tide_app.to(tide(hour, 100))
        full_app.to(min(12, 3 + step // 5))
        paused_app.to(min(17, step * 2 // 5))
        for filler, count in others:
            filler.to(round(count * (0.6 + 0.4 * math.sin(hour / 3 + count))))
    clock.set(-600)
    backend.manage("callback_pause", {"SdkAppid": PAUSED}).ok()
    tide_app.to(74)
    full_app.to(12)
    paused_app.to(20)
    for filler, count in others:
        filler.to(count)
    clock.set(0)
    tide_app.app.create(HOSTILE_ROOM, Owner_Account=HOSTILE_OWNER).ok()
    tide_app.app.in_room("set_room_metadata", HOSTILE_ROOM, Metadata=[{"Key": "<b>", "Value": HOSTILE_ROOM}]).ok()
    backend.manage("callback_test", {"SdkAppid": MAIN}).ok()
    backend.wait_deliveries(lambda rows: rows and rows[-1]["State"] == "delivered", MAIN)
    backend.wait_deliveries(lambda rows: rows[-1]["Attempts"] > 2, FULL)
