"""The whole of it, as an operator does it: from signing in to a callback that is sent again, with nothing loaded twice."""

import json
import pathlib
import shutil
import subprocess

import pytest

import wire

SDKAPPID = 1400000001
TOKEN = "2c8d1f7ab0"
ROOT = pathlib.Path(__file__).resolve().parents[2]
ALERT_WORD = "AfterCreateRoomReachingThreshold"
ALERT = "Creating room reaches the threshold"

# Rooms are made by the client module, as an app's users do; each line on standard input is a RoomId.
CLIENT = """
import { HighwaterClient } from %s;
import { createInterface } from "node:readline";
const client = new HighwaterClient(JSON.parse(process.argv[1]));
for await (const roomId of createInterface({ input: process.stdin })) {
	await client.createRoom({ RoomId: roomId });
	console.log(roomId);
}
"""


class Users:
    """Someone who makes rooms with web/client/highwater-client.js."""

    def __init__(self, port, key):
        module = json.dumps((ROOT / "web" / "client" / "highwater-client.js").as_uri())
        facts = {
            "url": f"http://127.0.0.1:{port}",
            "sdkAppId": SDKAPPID,
            "userId": "alice",
            "userSig": wire.usersig(SDKAPPID, "alice", key),
        }
        self.child = subprocess.Popen(
            [shutil.which("node"), "--input-type=module", "--eval", CLIENT % module, json.dumps(facts)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def make(self, room_id):
        self.child.stdin.write(f"{room_id}\n")
        self.child.stdin.flush()
        said = self.child.stdout.readline().strip()
        assert said == room_id, self.child.stderr.read()

    def close(self):
        self.child.stdin.close()
        assert self.child.wait(20) == 0, self.child.stderr.read()


@pytest.fixture
def users():
    made = []

    def make(*arguments):
        made.append(Users(*arguments))
        return made[-1]

    yield make
    for one in made:
        one.close()


def level(console):
    """What the gauge of the page shows: its kind and its number."""
    gauge = console.one(".gauge")
    return gauge.get_attribute("data-level"), int(gauge.get_attribute("aria-valuenow"))


def create_app(console):
    console.press("New app")
    console.fill("SDKAppID", str(SDKAPPID))
    console.fill("Maximum of rooms", "10")
    console.press("Create app")
    console.see(f"App {SDKAPPID} is made")
    key = console.one("dialog .secret").text
    console.press("Done")
    console.see(f"App {SDKAPPID}", "h1")
    return key


def configure(console, port):
    console.tab("Callback")
    console.fill("URL", f"http://127.0.0.1:{port}/callback")
    console.fill("Token", TOKEN)
    console.tick("Sign callbacks with the token")
    console.tick(ALERT)
    console.press("Save callback")
    console.see("The callback is saved")
    console.press("Send test")
    console.see("The endpoint has taken it.", ".test-box")


def states(console):
    """The state of each callback that is listed, the newest first."""
    return console.script("return [...document.querySelectorAll('td[data-label=State]')].map((one) => one.innerText.trim())")


def test_story(console, make_app_backend, users):
    receive = make_app_backend(token=TOKEN)
    console.sign_in()
    console.script("window.sameDocument = true")
    console.see("No apps yet")
    key = create_app(console)
    console.backend.secrets |= {key, TOKEN}
    console.see("Live", "#live")
    configure(console, receive.port)
    assert [one.get("Test") for one in receive.events()] == [True]

    # up to the threshold: the gauge follows, and turns
    console.tab("Usage")
    console.wait(lambda: level(console) == ("normal", 0), "an empty gauge")
    alice = users(console.backend.port, key)
    for number in range(1, 7):
        alice.make(f"room-{number}")
    console.wait(lambda: level(console) == ("normal", 6), "six rooms")
    alice.make("room-7")
    console.wait(lambda: level(console) == ("near", 7), "the gauge at the threshold")
    console.see("70 %", ".level-card")
    console.tab("Deliveries")
    console.wait(lambda: states(console) == ["Delivered", "Delivered"], "the alert, delivered")
    alert = receive.events()[-1]
    assert (alert["Threshold"], alert["Signed"], alert["Body"]["CurRoomCount"]) == (70, True, 7)

    # the receiver is gone: the next alert waits
    assert receive.stop() == 0
    alice.make("room-8")
    console.wait(lambda: states(console)[0] in ("Retrying", "Parked", "In flight"), "an alert that waits")
    console.go("#/apps")
    console.wait(lambda: "1" in console.text("td[data-label=Undelivered]"), "one that is undelivered")
    console.wait(lambda: console.text("td[data-label=Endpoint]").strip() in ("Failing", "Down"), "an endpoint that fails")

    # it is repaired, and takes what has waited, without anybody doing anything here
    receive.arguments += ["--http-listen", f"127.0.0.1:{receive.port}"]
    receive.start()
    console.wait(lambda: console.text("td[data-label=Endpoint]").strip() == "OK", "an endpoint that is well")
    console.go(f"#/app/{SDKAPPID}/deliveries")
    console.wait(lambda: states(console)[:1] == ["Delivered"], "the alert that waited, delivered")
    assert receive.events()[-1]["Body"]["CurRoomCount"] == 8

    # and once more, because somebody asks for it
    before = receive.events()[-1]["Times"]
    console.press("Details of callback 3 of app 1400000001")
    console.see("Attempt 2", "dialog")
    query = f"SdkAppid={SDKAPPID}&CallbackCommand=Live.Callback{ALERT_WORD}&contenttype=json"
    console.see(f"POST http://127.0.0.1:{receive.port}/callback?{query}", "dialog pre")
    console.see('"CurRoomCount": 8', "dialog pre")
    console.press("Replay")
    wire.wait(lambda: receive.events()[-1]["Times"] == before + 1, what="the replay at the receiver")
    console.see("replayed once", "dialog")
    console.press("Close")
    assert len(receive.events()) == 3
    assert console.script("return window.sameDocument") is True
