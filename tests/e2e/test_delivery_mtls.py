"""Client certificates on the wire: the receiver looks at the certificate of the connection that each request came over."""

import ssl
import subprocess

import pytest

import wire
from receivers import CREATED, SDKAPPID, all_are, create_many, make_peer

OTHER = SDKAPPID + 1
NAMES = ("first", "second", "third")


def openssl(folder, words):
    subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="session")
def client_pairs(certificates, tmp_path_factory):
    """name -> the fields of app_certificate_set: three of the receivers' authority, one of another."""
    folder = tmp_path_factory.mktemp("clients")
    new = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    for name in NAMES:
        openssl(folder, f"req {new} -subj /CN={name} -keyout {name}.key -out {name}.csr")
        openssl(folder, f"x509 -req -days 2 -in {name}.csr -out {name}.pem -CA {certificates}/ca.pem "
                        f"-CAkey {certificates}/ca.key -CAserial ca.srl -CAcreateserial")  # fmt: skip
    openssl(folder, f"req -x509 {new} -days 2 -subj /CN=stranger -keyout stranger.key -out stranger.pem")
    return {
        name: {"Certificate": (folder / f"{name}.pem").read_text(), "Key": (folder / f"{name}.key").read_text()}
        for name in (*NAMES, "stranger")
    }


def context(certificates, need, version=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificates / "leaf.pem", certificates / "leaf.key")
    made.load_verify_locations(certificates / "ca.pem")
    made.verify_mode = ssl.CERT_REQUIRED if need else ssl.CERT_OPTIONAL
    if version:
        made.minimum_version = made.maximum_version = version
    return made


@pytest.fixture
def trusting(make_backend, certificates):
    return make_backend("--callback-ca-file", str(certificates / "ca.pem"))


def certify(backend, pair, sdkappid=SDKAPPID):
    backend.secrets.add(pair["Key"].splitlines()[2])
    backend.manage("app_certificate_set", {"SdkAppid": sdkappid, **pair}).ok()


def every_room(backend, peer, sdkappid=SDKAPPID):
    return backend.app(sdkappid, MaxRoomCount=10000, callback=peer.url, commands=[CREATED])


VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])


@VERSIONS
def test_receiver_that_requires_a_certificate_serves_only_who_has_it(trusting, make_peer, certificates, client_pairs, version):
    peer = make_peer(tls=context(certificates, True, version))
    apps = {}
    for number, name in enumerate(("first", None, "stranger")):
        app = apps[name] = every_room(trusting, peer, SDKAPPID + number)
        if name:
            certify(trusting, client_pairs[name], app.sdkappid)
        app.fill(1, 2)
    rows = trusting.wait_deliveries(all_are("delivered"), apps["first"].sdkappid)
    assert [row["Attempts"] for row in rows] == [1, 1]
    for name, app in apps.items():
        if name == "first":
            continue
        rows = trusting.wait_deliveries(lambda rows: sum(row["Attempts"] for row in rows) >= 3, app.sdkappid)
        assert all(row["State"] in wire.WAITING for row in rows)
        for row in rows:
            for attempt in trusting.attempts(row):
                assert (attempt["Outcome"], attempt["HttpStatus"]) == ("tls", 0), attempt
                assert "certificate" in attempt["Error"], attempt
    assert {(request["params"]["SdkAppid"], request["peer"]) for request in peer.requests} == {(str(SDKAPPID), "first")}
    for name, app in apps.items():  # all have a right one now: nothing was lost
        if name != "first":
            certify(trusting, client_pairs["second"], app.sdkappid)
            trusting.wait_deliveries(all_are("delivered"), app.sdkappid)


@pytest.mark.smoke
@VERSIONS
def test_apps_never_share_a_connection_of_another_certificate(make_backend, make_peer, certificates, client_pairs, version):
    """Four apps at one receiver, two certificates, one more and none: requests of all of them, mixed, over kept connections and
    resumed sessions."""
    backend = make_backend("--callback-ca-file", str(certificates / "ca.pem"))
    peer = make_peer(tls=context(certificates, False, version))
    wanted = {SDKAPPID: "first", SDKAPPID + 1: "second", SDKAPPID + 2: None, SDKAPPID + 3: "third"}
    apps = {}
    for sdkappid, name in wanted.items():
        apps[sdkappid] = every_room(backend, peer, sdkappid)
        if name:
            certify(backend, client_pairs[name], sdkappid)
    for lap in range(8):
        for app in apps.values():
            create_many(app, backend.port, (f"r{lap}-{number}" for number in range(10)), lanes=1)
    for sdkappid in apps:
        backend.wait_deliveries(all_are("delivered"), sdkappid)
    assert len(peer.requests) == 4 * 80
    owner = {}
    for request in peer.requests:
        sdkappid = int(request["params"]["SdkAppid"])
        assert request["peer"] == wanted[sdkappid]
        assert owner.setdefault(request["connection"], request["peer"]) == request["peer"]
    assert peer.connections < 150, "connections are kept"


def test_changed_certificate_is_used_at_once(trusting, make_peer, certificates, client_pairs):
    """No kept connection of the one before is used; without one no certificate is shown any more."""
    peer = make_peer(tls=context(certificates, False))
    app = every_room(trusting, peer)
    shown = []
    for number, name in enumerate(("first", "second", None, "third", "first")):
        if name:
            certify(trusting, client_pairs[name])
        else:
            trusting.manage("app_certificate_delete", {"SdkAppid": SDKAPPID}).ok()
        for room in range(3):
            app.create(f"r{number}-{room}").ok()
            trusting.wait_deliveries(all_are("delivered"))
        shown += [name] * 3
    assert [request["peer"] for request in peer.requests] == shown


def test_certificate_is_the_apps_own_after_a_kill(trusting, make_peer, certificates, client_pairs):
    peer = make_peer(tls=context(certificates, True))
    app, other = every_room(trusting, peer), every_room(trusting, peer, OTHER)
    certify(trusting, client_pairs["first"])
    certify(trusting, client_pairs["second"], OTHER)
    app = trusting.restart(app, kill=True)
    other = other.over(trusting.client())
    for one in (app, other):
        one.fill(1, 3)
    for sdkappid in (SDKAPPID, OTHER):
        trusting.wait_deliveries(all_are("delivered"), sdkappid)
    assert {(request["params"]["SdkAppid"], request["peer"]) for request in peer.requests} == {
        (str(SDKAPPID), "first"), (str(OTHER), "second"),
    }  # fmt: skip
