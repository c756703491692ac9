"""What callbacks are signed with by Standard Webhooks: secrets and private keys of an app, seen by a receiver."""

import base64
import hashlib
import hmac
import json
import re
import subprocess
import time

import pytest

import wire
from conftest import run

SDKAPPID = 1400000001
CREATED = "Live.CallbackAfterCreateRoom"
BYTES = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(BYTES).decode()
ED25519_DER = bytes.fromhex("302a300506032b6570032100")  # what stands before a public key's 32 bytes


@pytest.fixture
def app(backend, receiver):
    return backend.app(MaxRoomCount=100, callback=receiver.url, commands=[CREATED])


def rotate(backend, kind="v1", **fields):
    made = backend.manage("app_secret_rotate", {"SdkAppid": SDKAPPID, "Kind": kind, **fields}).ok().response
    backend.secrets |= {made["Secret"]} if "Secret" in made else set()
    return made


def revoke(backend, secret_id, kind="v1"):
    return backend.manage("app_secret_revoke", {"SdkAppid": SDKAPPID, "Kind": kind, "SecretId": secret_id})


def revealed(backend):
    return backend.manage("app_show", {"SdkAppid": SDKAPPID, "RevealKey": True}).ok().response["Secrets"]


def ids(backend, kind="v1"):
    return [one["SecretId"] for one in backend.show()["Secrets"] if one["Kind"] == kind]


def next_request(app, receiver):
    """The callback of a new room."""
    count = len(receiver.requests)
    app.create(f"r{count}").ok()
    return receiver.wait_for(count + 1)[count]


def signatures(request):
    """By version, in their order."""
    found = {"v1": [], "v1a": []}
    for one in request["headers"].get("webhook-signature", "").split():
        version, _, value = one.partition(",")
        found[version].append(base64.b64decode(value, validate=True))
    return found


def signed_bytes(request):
    headers = request["headers"]
    return f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request["raw"]


def v1(secret, request):
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    return hmac.new(key, signed_bytes(request), hashlib.sha256).digest()


def v1a_fits(tmp_path, public_key, request, signature):
    """As the openssl tool sees it."""
    (tmp_path / "public").write_bytes(ED25519_DER + base64.b64decode(public_key.removeprefix("whpk_"), validate=True))
    (tmp_path / "message").write_bytes(signed_bytes(request))
    (tmp_path / "signature").write_bytes(signature)
    words = "pkeyutl -verify -pubin -keyform DER -inkey public -rawin -in message -sigfile signature"
    done = subprocess.run(["openssl", *words.split()], cwd=tmp_path, capture_output=True, timeout=60, check=False)
    return done.returncode == 0


# ---- v1 ----


@pytest.mark.smoke
def test_new_app_has_one_secret_and_its_callbacks_are_signed(backend, receiver):
    made = backend.manage("app_create", {"SdkAppid": SDKAPPID}).ok().response
    (secret,) = made["Secrets"]
    assert (secret["Kind"], secret["SecretId"], secret["ExpireTime"]) == ("v1", 1, 0)
    assert secret["CreateTime"] == made["CreateTime"]
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret["Secret"])
    backend.secrets |= {secret["Secret"], made["Key"]}
    app = wire.App(backend.client(), SDKAPPID, made["Key"])
    app.config("set_callback", {"Url": receiver.url, "CallbackCommandList": [CREATED]}).ok()
    request = next_request(app, receiver)
    assert signatures(request) == {"v1": [v1(secret["Secret"], request)], "v1a": []}
    assert abs(int(request["headers"]["webhook-timestamp"]) - request["time"]) < 5
    other = backend.manage("app_create", {"SdkAppid": 2}).ok().response
    assert other["Secrets"][0]["Secret"] != secret["Secret"]


def test_secrets_are_shown_only_when_asked_for(backend, app):
    (revealed_one,) = revealed(backend)
    shown = backend.manage("app_show", {"SdkAppid": SDKAPPID}).ok()
    listed = backend.manage("app_list", {}).ok()
    bare = {name: value for name, value in revealed_one.items() if name != "Secret"}
    assert shown.response["Secrets"] == listed.response["AppList"][0]["Secrets"] == [bare]
    assert b"whsec_" not in shown.raw + listed.raw


def test_both_sign_until_the_overlap_is_over(backend, app, receiver):
    (first,) = revealed(backend)
    made = rotate(backend, Overlap=2)
    assert made["SecretId"] == 2 and re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", made["Secret"])
    newest, old = backend.show()["Secrets"]
    assert (newest["SecretId"], newest["ExpireTime"], old["SecretId"]) == (2, 0, 1)
    end = old["ExpireTime"]
    assert end == newest["CreateTime"] + 2000
    request = next_request(app, receiver)
    wanted = [v1(made["Secret"], request), v1(first["Secret"], request)]
    assert signatures(request)["v1"] == wanted or time.time() * 1000 > end
    wire.wait(lambda: time.time() * 1000 > end + 1, what="the end of the old secret")
    request = next_request(app, receiver)
    assert signatures(request)["v1"] == [v1(made["Secret"], request)]
    assert ids(backend) == [2, 1]  # people see that it ended


def test_each_attempt_is_signed_anew(make_backend, make_receiver):
    receiver = make_receiver(lambda number, request: (200, {}, wire.OK_REPLY) if number > 1 else (500, {}, b"no"))
    backend = make_backend("--callback-retry-first", "2s", "--callback-retry-longest", "2s", "--callback-probe-longest", "2s")
    app = backend.app(MaxRoomCount=100, callback=receiver.url, commands=[CREATED])
    app.create("r").ok()
    backend.wait_deliveries(lambda rows: rows[0]["Attempts"] == 1)
    made = rotate(backend, Overlap=0)  # acts on what waits
    second = receiver.wait_for(2)[1]
    assert signatures(second)["v1"] == [v1(made["Secret"], second)]


def test_secret_of_ones_own(backend, app, receiver):
    backend.secrets.add(SECRET)
    assert rotate(backend, Secret=SECRET, Overlap=0) == {"SecretId": 2, "Secret": SECRET}
    request = next_request(app, receiver)
    assert signatures(request)["v1"] == [v1(SECRET, request)]
    again = backend.manage("app_secret_rotate", {"SdkAppid": SDKAPPID, "Kind": "v1", "Secret": SECRET})
    again.refused(100002, "already")
    assert SECRET.encode() not in again.raw
    for size in (24, 64):
        rotate(backend, Secret="whsec_" + base64.b64encode(bytes(size)).decode())
    assert len(signatures(next_request(app, receiver))["v1"]) == 3


def test_fifth_takes_the_place_of_the_oldest(backend, app, receiver):
    secrets = [revealed(backend)[0]["Secret"], *(rotate(backend)["Secret"] for _ in range(4))]
    assert ids(backend) == [5, 4, 3, 2]
    request = next_request(app, receiver)
    assert signatures(request)["v1"] == [v1(secret, request) for secret in secrets[:0:-1]]


def test_revoked_secret_signs_no_more(backend, app, receiver):
    (first,) = revealed(backend)
    made = rotate(backend)
    revoke(backend, made["SecretId"]).bare()
    request = next_request(app, receiver)
    assert signatures(request)["v1"] == [v1(first["Secret"], request)]
    revoke(backend, made["SecretId"]).refused(100002, "SecretId")
    revoke(backend, first["SecretId"]).ok()
    assert "webhook-signature" not in next_request(app, receiver)["headers"]
    assert backend.show()["Secrets"] == [] == revealed(backend)
    assert rotate(backend)["SecretId"] == 3  # no id is used twice


# ---- v1a ----


def test_private_key_signs_and_only_its_public_key_is_shown(backend, app, receiver, tmp_path):
    made = rotate(backend, "v1a")
    assert set(made) == {"SecretId", "PublicKey"} and made["SecretId"] == 1
    assert re.fullmatch(r"whpk_[A-Za-z0-9+/]{43}=", made["PublicKey"])
    request = next_request(app, receiver)
    (signature,) = signatures(request)["v1a"]
    assert v1a_fits(tmp_path, made["PublicKey"], request, signature)
    assert not v1a_fits(tmp_path, made["PublicKey"], {**request, "raw": request["raw"] + b" "}, signature)
    assert len(signatures(request)["v1"]) == 1
    for reveal in (False, True):
        shown = backend.manage("app_show", {"SdkAppid": SDKAPPID, "RevealKey": reveal}).ok()
        assert shown.response["Secrets"][1]["PublicKey"] == made["PublicKey"]
        assert b"whsk_" not in shown.raw


@pytest.mark.parametrize("with_public", [False, True])
def test_private_key_of_ones_own(backend, app, receiver, tmp_path, with_public):
    pem = subprocess.run("openssl genpkey -algorithm ed25519 -outform DER".split(), capture_output=True, check=True, timeout=60)
    seed = pem.stdout[-32:]
    (tmp_path / "der").write_bytes(pem.stdout)
    words = "openssl pkey -inform DER -in der -pubout -outform DER"
    public = subprocess.run(words.split(), cwd=tmp_path, capture_output=True, check=True, timeout=60).stdout[-32:]
    text = "whsk_" + base64.b64encode(seed + (public if with_public else b"")).decode()
    backend.secrets.add(text)
    made = rotate(backend, "v1a", Secret=text)
    assert made == {"SecretId": 1, "PublicKey": "whpk_" + base64.b64encode(public).decode()}
    request = next_request(app, receiver)
    assert v1a_fits(tmp_path, made["PublicKey"], request, signatures(request)["v1a"][0])
    both = "whsk_" + base64.b64encode(seed + public).decode()
    again = backend.manage("app_secret_rotate", {"SdkAppid": SDKAPPID, "Kind": "v1a", "Secret": both})
    again.refused(100002, "already")  # whichever way it is written


def test_kinds_are_rotated_and_revoked_apart(backend, app, receiver):
    rotate(backend, "v1a")
    rotate(backend, "v1a", Overlap=0)
    assert (ids(backend, "v1"), ids(backend, "v1a")) == ([1], [2])
    revoke(backend, 2).refused(100002, "SecretId")
    revoke(backend, 1, "v1a").refused(100002, "SecretId")
    revoke(backend, 1).ok()
    request = next_request(app, receiver)
    assert [len(found) for found in signatures(request).values()] == [0, 1]


@pytest.mark.parametrize("kill", [False, True])
def test_secrets_survive_a_restart(backend, app, receiver, tmp_path, kill):
    made = rotate(backend, Overlap=3600)
    key = rotate(backend, "v1a")
    before = revealed(backend)
    app = backend.restart(app, kill=kill)
    assert revealed(backend) == before
    request = next_request(app, receiver)
    found = signatures(request)
    assert found["v1"][0] == v1(made["Secret"], request) and len(found["v1"]) == 2
    assert v1a_fits(tmp_path, key["PublicKey"], request, found["v1a"][0])


# ---- what is wrong ----

APP = {"SdkAppid": SDKAPPID}
WRONG = [
    ("app_secret_rotate", {"Kind": "v1"}, "SdkAppid"),
    ("app_secret_rotate", APP, "Kind"),
    ("app_secret_rotate", {**APP, "Kind": ""}, "Kind"),
    ("app_secret_rotate", {**APP, "Kind": "V1"}, "Kind"),
    ("app_secret_rotate", {**APP, "Kind": "v2"}, "Kind"),
    ("app_secret_rotate", {**APP, "Kind": 1}, "Kind"),
    ("app_secret_rotate", {**APP, "Kind": "v1", "Overlap": -1}, "Overlap"),
    ("app_secret_rotate", {**APP, "Kind": "v1", "Overlap": 31536001}, "Overlap"),
    ("app_secret_rotate", {**APP, "Kind": "v1", "Overlap": "1d"}, "Overlap"),
    ("app_secret_rotate", {**APP, "Kind": "v1", "Secret": 1}, "Secret"),
    ("app_secret_rotate", {**APP, "Kind": "v1", "Secret": ""}, "Secret"),
    ("app_secret_rotate", {**APP, "Kind": "v1", "Secret": SECRET[6:]}, "Secret"),
    ("app_secret_rotate", {**APP, "Kind": "v1", "Secret": SECRET[:-1]}, "Secret"),
    ("app_secret_rotate", {**APP, "Kind": "v1", "Secret": SECRET + "\n"}, "Secret"),
    ("app_secret_rotate", {**APP, "Kind": "v1", "Secret": "whsec_" + "A" * 28}, "Secret"),
    ("app_secret_rotate", {**APP, "Kind": "v1", "Secret": "whsec_" + "A" * 96}, "Secret"),
    ("app_secret_rotate", {**APP, "Kind": "v1", "Secret": SECRET.replace("whsec_", "whsk_")}, "whsec_"),
    ("app_secret_rotate", {**APP, "Kind": "v1", "Secret": SECRET.replace("whsec_", "whpk_")}, "Secret"),
    ("app_secret_rotate", {**APP, "Kind": "v1a", "Secret": SECRET}, "whsk_"),
    ("app_secret_rotate", {**APP, "Kind": "v1a", "Secret": "whsk_" + base64.b64encode(bytes(64)).decode()}, "Secret"),
    ("app_secret_revoke", {"Kind": "v1", "SecretId": 1}, "SdkAppid"),
    ("app_secret_revoke", {**APP, "SecretId": 1}, "Kind"),
    ("app_secret_revoke", {**APP, "Kind": "v1"}, "SecretId"),
    ("app_secret_revoke", {**APP, "Kind": "v1", "SecretId": 0}, "SecretId"),
    ("app_secret_revoke", {**APP, "Kind": "v1", "SecretId": 2}, "SecretId"),
    ("app_secret_revoke", {**APP, "Kind": "v1", "SecretId": "1"}, "SecretId"),
    ("app_secret_revoke", {**APP, "Kind": "v1", "SecretId": 2**32 + 1}, "SecretId"),
    ("app_secret_revoke", {**APP, "Kind": "v1a", "SecretId": 1}, "SecretId"),
]  # fmt: skip


def test_wrong_calls_are_refused_and_repeat_nothing(make_backend):
    backend = make_backend("--log-level", "debug")
    backend.app()
    before = revealed(backend)
    for command, body, named in WRONG:
        reply = backend.manage(command, body).refused(100002, named)
        given = str(body.get("Secret", ""))
        assert len(given) < 20 or given[6:30].encode() not in reply.raw, reply.raw
        backend.secrets |= {given[6:]} if len(given) > 20 else set()
    assert revealed(backend) == before


def test_unknown_app_is_70020(backend):
    backend.manage("app_secret_rotate", {"SdkAppid": 77, "Kind": "v1"}).refused(70020)
    backend.manage("app_secret_revoke", {"SdkAppid": 77, "Kind": "v1", "SecretId": 1}).refused(70020)


# ---- the command line ----


@pytest.fixture
def cli(backend):
    def call(*arguments, exit=0, stdin=None):
        environment = {
            "HIGHWATER_SERVER": f"http://127.0.0.1:{backend.port}",
            "HIGHWATER_ADMIN_TOKEN_FILE": str(backend.data / "admin-token"),
        }
        ended = run(*arguments, env=environment, stdin=stdin)
        assert ended.returncode == exit, (arguments, ended.stdout, ended.stderr)
        assert not re.search(r"whs(ec|k)_\w", ended.stderr) and "whsk_" not in ended.stdout
        return ended

    return call


def test_cli_rotates_shows_and_revokes(backend, app, cli, receiver):
    said = cli("app", "rotate-secret", str(SDKAPPID), "--kind", "v1").stdout
    (secret,) = re.findall(r"^  secret +(whsec_\S+)$", said, re.M)
    backend.secrets.add(secret)
    assert "added v1 secret 2 " in said and "86400 s" in said and secret in [one["Secret"] for one in revealed(backend)]
    said = cli("app", "rotate-secret", "--app", str(SDKAPPID), "--kind", "v1a", "--overlap", "0s").stdout
    (public,) = re.findall(r"^  public key +(whpk_\S+)$", said, re.M)
    assert "removed" in said
    shown = cli("app", "show", str(SDKAPPID)).stdout
    assert "whsec_" not in shown and public in shown and re.search(r"v1 2, made \S+\n +v1 1, made \S+, expires ", shown)
    shown = cli("app", "show", str(SDKAPPID), "--reveal-key").stdout
    assert re.findall(r"^  secret +(\S+)$", shown, re.M) == [secret] and shown.count("whsec_") == 2
    assert "revoked v1 secret 1 " in cli("app", "revoke-secret", str(SDKAPPID), "--kind", "v1", "--id", "1").stdout
    request = next_request(app, receiver)
    assert signatures(request)["v1"] == [v1(secret, request)] and len(signatures(request)["v1a"]) == 1
    cli("app", "revoke-secret", str(SDKAPPID), "--kind", "v1", "--id", "2")
    cli("app", "revoke-secret", str(SDKAPPID), "--kind", "v1a", "--id", "1")
    assert "none" in re.search("secrets .*", cli("app", "show", str(SDKAPPID)).stdout)[0]


def test_cli_takes_a_secret_from_a_file(backend, app, cli, tmp_path):
    backend.secrets.add(SECRET)
    (tmp_path / "secret").write_text(SECRET + "\n")
    words = ("app", "rotate-secret", str(SDKAPPID), "--kind", "v1", "--secret-file")
    assert json.loads(cli(*words, str(tmp_path / "secret"), "--json").stdout) == {"SecretId": 2, "Secret": SECRET}
    cli(*words, "-", "--overlap", "0s", stdin="whsec_" + base64.b64encode(bytes(24)).decode())
    assert ids(backend) == [3]


@pytest.mark.parametrize("words, code, named", [
    (["rotate-secret"], 2, "--kind"),
    (["rotate-secret", "--kind", "v1"], 2, "which app"),
    (["rotate-secret", "x", "--kind", "v1"], 2, "SDKAppID"),
    (["rotate-secret", "1400000001", "--kind", "v2"], 2, "--kind"),
    (["rotate-secret", "1400000001", "--kind", ""], 2, "--kind"),
    (["rotate-secret", "1400000001", "--kind", "v1", "--overlap", "1500ms"], 2, "whole seconds"),
    (["rotate-secret", "1400000001", "--kind", "v1", "--overlap", "366d"], 2, "--overlap"),
    (["rotate-secret", "1400000001", "--kind", "v1", "--secret-file", "/nonexistent"], 3, "--secret-file"),
    (["rotate-secret", "1400000001", "--kind", "v1", "--secret-file", "-"], 1, "100002"),
    (["rotate-secret", "77", "--kind", "v1"], 1, "70020"),
    (["revoke-secret", "1400000001", "--kind", "v1"], 2, "--id"),
    (["revoke-secret", "1400000001", "--id", "1"], 2, "--kind"),
    (["revoke-secret", "1400000001", "--kind", "v3", "--id", "1"], 2, "--kind"),
    (["revoke-secret", "1400000001", "--kind", "v1", "--id", "0"], 2, "--id"),
    (["revoke-secret", "1400000001", "--kind", "v1", "--id", "first"], 2, "--id"),
    (["revoke-secret", "1400000001", "--kind", "v1", "--id", "9"], 1, "100002"),
    (["revoke-secret", "1400000001", "--kind", "v1a", "--id", "1"], 1, "100002"),
    (["revoke-secret", "77", "--kind", "v1", "--id", "1"], 1, "70020"),
])  # fmt: skip
def test_cli_wrong_arguments_change_nothing(backend, app, cli, words, code, named):
    before = revealed(backend)
    ended = cli("app", *words, exit=code, stdin="short")
    assert named in ended.stderr and ended.stdout == ""
    assert revealed(backend) == before
