"""Signatures of callbacks as a receiver of another make verifies them: over the exact bytes, at each attempt, after rotations
and restarts, beside the vendor's Sign; and `highwater receive`, which verifies them too."""

import base64
import hashlib
import hmac
import re
import subprocess
import time

import pytest

import wire
from receivers import CREATED, SDKAPPID, Switch, all_are

SET = "Live.CallbackAfterSetMetadata"
DER = bytes.fromhex("302a300506032b6570032100")  # what stands before the 32 bytes of an Ed25519 public key
TOKEN = "a callback token"


class Ring:
    """The keys a receiver holds. Verifies as the Standard Webhooks specification says: any signature of any key will do."""

    def __init__(self, folder, *keys):
        self.folder = folder
        self.keys = list(keys)

    def signed(self, request):
        headers = request["headers"]
        return f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request["raw"]

    def fits(self, key, kind, signature, message):
        if kind == "v1" and key.startswith("whsec_"):
            secret = base64.b64decode(key.removeprefix("whsec_"), validate=True)
            return hmac.compare_digest(hmac.new(secret, message, hashlib.sha256).digest(), signature)
        return kind == "v1a" and key.startswith("whpk_") and self.openssl(key, signature, message)

    def openssl(self, key, signature, message):
        for name, data in (("public", DER + base64.b64decode(key.removeprefix("whpk_"), validate=True)), ("message", message),
                           ("signature", signature)):  # fmt: skip
            (self.folder / name).write_bytes(data)
        words = "openssl pkeyutl -verify -pubin -keyform DER -inkey public -rawin -in message -sigfile signature"
        return subprocess.run(words.split(), cwd=self.folder, capture_output=True, timeout=60, check=False).returncode == 0

    def who_signed(self, request):
        """Which of the keys each signature is of, in the header's order; each must be of one."""
        assert abs(int(request["headers"]["webhook-timestamp"]) - request["time"]) < 5
        found = []
        for one in request["headers"].get("webhook-signature", "").split(" "):
            kind, _, value = one.partition(",")
            raw = base64.b64decode(value, validate=True)
            fitting = [key for key in self.keys if self.fits(key, kind, raw, self.signed(request))]
            assert len(fitting) == 1, (one, fitting)
            found += fitting
        return found


def rotate(backend, kind="v1", **fields):
    made = backend.manage("app_secret_rotate", {"SdkAppid": SDKAPPID, "Kind": kind, **fields}).ok().response
    backend.secrets |= {made["Secret"]} if "Secret" in made else set()
    return made


def first_secret(backend):
    (one,) = backend.manage("app_show", {"SdkAppid": SDKAPPID, "RevealKey": True}).ok().response["Secrets"]
    return one["Secret"]


def next_request(app, receiver):
    count = len(receiver.requests)
    app.create(f"r{count}").ok()
    return receiver.wait_for(count + 1)[count]


@pytest.mark.smoke
def test_every_byte_of_any_packet_is_signed(backend, receiver, tmp_path):
    """Text of every kind, up to the longest packet there is."""
    app = backend.app(callback=receiver.url, commands=[CREATED, SET], token=TOKEN)
    public = rotate(backend, "v1a")["PublicKey"]
    ring = Ring(tmp_path, first := first_secret_of_two(backend), public)
    app.create("room", RoomName="Größe 大きい \U0001f680 \" \\ / <&>").ok()
    app.set_metadata("room", {"empty": "", "controls": "\x01\x1f\t\n", "wide": "\U0001f680" * 500}).ok()
    app.set_metadata("room", {f"{number:050}": "\x01" * 2048 for number in range(5)}).ok()
    requests = receiver.wait_for(3)
    assert max(len(request["raw"]) for request in requests) > 60000
    for request in requests:
        assert sorted(ring.who_signed(request)) == sorted([first, public])
        assert request["params"]["Sign"] == wire.sign(TOKEN, request["params"]["RequestTime"])
        assert request["params"]["RequestTime"] == request["headers"]["webhook-timestamp"]
        for changed in (request["raw"] + b" ", request["raw"][:-1], request["raw"].replace(b"room", b"mood", 1)):
            if changed == request["raw"]:
                continue
            kind, _, value = request["headers"]["webhook-signature"].split(" ")[0].partition(",")
            assert not ring.fits(first, kind, base64.b64decode(value), ring.signed({**request, "raw": changed}))


def first_secret_of_two(backend):
    secrets = backend.manage("app_show", {"SdkAppid": SDKAPPID, "RevealKey": True}).ok().response["Secrets"]
    return next(one["Secret"] for one in secrets if one["Kind"] == "v1")


def test_every_attempt_has_a_time_and_signatures_of_its_own(make_backend, make_receiver, tmp_path):
    """Also when a restart lies between; the id and the packet are what they were."""
    switch = Switch()
    receiver = make_receiver(switch)
    waits = "--callback-retry-first 400ms --callback-retry-longest 400ms --callback-probe-longest 400ms"
    backend = make_backend(*waits.split())
    app = backend.app(callback=receiver.url, commands=[CREATED])
    ring = Ring(tmp_path, first_secret(backend))
    app.create("r").ok()
    receiver.wait_for(2)
    app = backend.restart(app, kill=True)
    wire.wait(lambda: len({one["headers"]["webhook-timestamp"] for one in receiver.requests}) >= 2, what="another second")
    switch.good.set()
    backend.wait_deliveries(all_are("delivered"))
    requests = list(receiver.requests)
    for request in requests:
        assert ring.who_signed(request) == ring.keys
    assert len({request["headers"]["webhook-signature"] for request in requests}) >= 2
    assert len({(request["headers"]["webhook-id"], request["raw"]) for request in requests}) == 1


def test_rotation_with_overlap_lets_receivers_of_both_keys_in(backend, receiver, tmp_path):
    """While it lasts both verify, then only the new one; a revoked one ends at once; others go on."""
    app = backend.app(callback=receiver.url, commands=[CREATED])
    old = first_secret(backend)
    public = rotate(backend, "v1a")["PublicKey"]
    new = rotate(backend, Overlap=3600)["Secret"]
    ring = Ring(tmp_path, old, new, public)
    assert sorted(ring.who_signed(next_request(app, receiver))) == sorted([old, new, public])
    newest = rotate(backend, Overlap=1)
    ring.keys.append(newest["Secret"])
    end_ms = max(one["ExpireTime"] for one in backend.show()["Secrets"] if one["Kind"] == "v1")
    request = next_request(app, receiver)
    assert set(ring.who_signed(request)) >= {newest["Secret"], public}
    wire.wait(lambda: time.time() * 1000 > end_ms + 5, what="the end of the overlap")
    assert sorted(ring.who_signed(next_request(app, receiver))) == sorted([newest["Secret"], public])
    backend.manage("app_secret_revoke", {"SdkAppid": SDKAPPID, "Kind": "v1", "SecretId": newest["SecretId"]}).ok()
    assert ring.who_signed(next_request(app, receiver)) == [public]
    app = backend.restart(app, kill=True)
    assert ring.who_signed(next_request(app, receiver)) == [public]


def test_four_of_each_kind_all_sign(backend, receiver, tmp_path):
    app = backend.app(callback=receiver.url, commands=[CREATED])
    keys = [first_secret(backend), *(rotate(backend)["Secret"] for _ in range(3)),
            *(rotate(backend, "v1a")["PublicKey"] for _ in range(4))]  # fmt: skip
    ring = Ring(tmp_path, *keys)
    request = next_request(app, receiver)
    assert sorted(ring.who_signed(request)) == sorted(keys)
    assert re.fullmatch(r"(v1a?,[A-Za-z0-9+/=]+ ){7}v1a?,[A-Za-z0-9+/=]+", request["headers"]["webhook-signature"])


@pytest.mark.parametrize("kind", ["v1", "v1a", "both"])
def test_own_receiver_accepts_what_is_signed_and_nothing_else(make_backend, make_app_backend, tmp_path, kind):
    backend = make_backend()
    app = backend.app(commands=[CREATED], token=TOKEN)
    secret = first_secret(backend)
    public = rotate(backend, "v1a")["PublicKey"]
    keys = tmp_path / "keys"
    keys.write_text("\n".join({"v1": [secret], "v1a": [public], "both": [public, secret]}[kind]) + "\n")
    keys.chmod(0o600)
    receive = make_app_backend("--receive-secret-file", str(keys), token=TOKEN)
    receive.secrets.add(secret)
    app.config("set_callback", {"Url": f"http://127.0.0.1:{receive.port}/", "CallbackCommandList": [CREATED]}).ok()
    app.create("r1", RoomName="大きい").ok()
    (row,) = backend.wait_deliveries(all_are("delivered"))
    assert row["Attempts"] == 1 and [line["Body"]["RoomInfo"]["RoomName"] for line in receive.events()] == ["大きい"]
    for each in ("v1", "v1a"):  # all keys change without an overlap: the receiver knows none of the new ones
        rotate(backend, each, Overlap=0)
    app.create("r2").ok()
    rows = backend.wait_deliveries(lambda rows: rows[1]["Attempts"] >= 2)
    assert rows[1]["HttpStatus"] == 401 and len(receive.events()) == 1
    receive.stop()
    keys.write_text(first_secret_of_two(backend) + "\n")
    receive.arguments += ["--http-listen", f"127.0.0.1:{receive.port}"]
    receive.start()
    backend.wait_deliveries(all_are("delivered"))
    assert len(receive.events()) == 2
