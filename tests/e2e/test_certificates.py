"""Client certificates of apps: an endpoint that wants one, what is refused, and that the key is never shown."""

import json
import ssl
import subprocess

import pytest

import wire
from conftest import run

SDKAPPID = 1400000001
CREATED = "Live.CallbackAfterCreateRoom"


def openssl(folder, words):
    subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="session")
def clients(certificates, tmp_path_factory):
    """A client's certificate of the authority of the receivers, behind one between; and one of another authority."""
    folder = tmp_path_factory.mktemp("clients")
    new = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    (folder / "between.ext").write_text("basicConstraints=critical,CA:TRUE\n")
    (folder / "client.ext").write_text("subjectAltName=DNS:backend.example,email:ops@example.com\nextendedKeyUsage=clientAuth\n")
    openssl(folder, f"req {new} -subj /CN=between -keyout between.key -out between.csr")
    openssl(folder, f"x509 -req -in between.csr -CA {certificates}/ca.pem -CAkey {certificates}/ca.key -CAcreateserial "
                    f"-CAserial ca.srl -days 2 -extfile between.ext -out between.pem")  # fmt: skip
    openssl(folder, f"req {new} -subj /O=Highwater/CN=backend -keyout client.key -out client.csr")
    openssl(folder, "x509 -req -in client.csr -CA between.pem -CAkey between.key -CAcreateserial -days 2 "
                    "-extfile client.ext -out client.pem")  # fmt: skip
    openssl(folder, f"req -x509 {new} -days 2 -subj /CN=stranger -keyout stranger.key -out stranger.pem")
    openssl(folder, "pkey -in client.key -aes128 -passout pass:secret -out encrypted.key")
    (folder / "chain.pem").write_text((folder / "client.pem").read_text() + (folder / "between.pem").read_text())
    return folder


@pytest.fixture
def strict(certificates, make_receiver):
    """A receiver that talks to clients with a certificate of its authority only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "leaf.pem", certificates / "leaf.key")
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return make_receiver(tls=context)


@pytest.fixture
def trusting(make_backend, certificates):
    return make_backend("--callback-ca-file", str(certificates / "ca.pem"), "--log-level", "debug")


def pair(clients, chain="chain.pem", key="client.key"):
    return {"Certificate": (clients / chain).read_text(), "Key": (clients / key).read_text()}


def set_certificate(backend, fields, sdkappid=SDKAPPID):
    if fields.get("Key", "").count("\n") > 2:
        backend.secrets.add(fields["Key"].splitlines()[2])
    return backend.manage("app_certificate_set", {"SdkAppid": sdkappid, **fields})


def delete_certificate(backend):
    return backend.manage("app_certificate_delete", {"SdkAppid": SDKAPPID})


@pytest.mark.smoke
def test_endpoint_that_wants_a_certificate_gets_it(trusting, clients, strict):
    app = trusting.app(callback=strict.url, commands=[CREATED])
    assert trusting.show()["Certificate"] is None
    app.create("r").ok()
    (row,) = trusting.wait_deliveries(lambda rows: rows[0]["Attempts"] >= 1)
    assert row["State"] != "delivered" and strict.requests == []
    set_certificate(trusting, pair(clients)).bare()
    (row,) = trusting.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")
    attempts = trusting.attempts(row)
    assert attempts[0]["Outcome"] != "replied" and attempts[0]["Error"]
    assert attempts[-1]["Tls"].startswith("TLSv1.") and attempts[-1]["TlsTime"] > 0
    shown = trusting.show()["Certificate"]
    assert shown == {
        "Subject": "CN=backend,O=Highwater", "Issuer": "CN=between", "Names": ["backend.example", "ops@example.com"],
        "NotAfter": shown["NotAfter"],
    }  # fmt: skip
    assert 86400 * 1000 < shown["NotAfter"] - row["EventTime"] < 3 * 86400 * 1000
    assert trusting.manage("app_list", {}).ok().response["AppList"][0]["Certificate"] == shown


def test_certificate_survives_a_restart_and_goes_when_deleted(trusting, clients, strict):
    app = trusting.app(callback=strict.url, commands=[CREATED])
    set_certificate(trusting, pair(clients)).ok()
    before = trusting.show()["Certificate"]
    app = trusting.restart(app, kill=True)
    assert trusting.show()["Certificate"] == before
    app.create("r1").ok()
    trusting.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")
    delete_certificate(trusting).bare()
    delete_certificate(trusting).bare()
    assert trusting.show()["Certificate"] is None
    app.create("r2").ok()
    rows = trusting.wait_deliveries(lambda rows: rows[1]["Attempts"] >= 1)
    assert rows[1]["State"] != "delivered" and len(strict.requests) == 1


def test_certificate_of_a_deleted_app_is_not_inherited(trusting, clients, strict):
    trusting.app(callback=strict.url, commands=[CREATED])
    set_certificate(trusting, pair(clients)).ok()
    trusting.manage("app_delete", {"SdkAppid": SDKAPPID}).ok()
    app = trusting.app(callback=strict.url, commands=[CREATED])
    assert trusting.show()["Certificate"] is None
    app.create("r").ok()
    trusting.wait_deliveries(lambda rows: rows[0]["Attempts"] >= 1)
    assert strict.requests == []


def test_one_takes_the_place_of_another(trusting, clients, strict):
    app = trusting.app(callback=strict.url, commands=[CREATED])
    set_certificate(trusting, pair(clients, "stranger.pem", "stranger.key")).ok()
    app.create("r").ok()
    trusting.wait_deliveries(lambda rows: rows[0]["Attempts"] >= 1)
    assert strict.requests == [] and trusting.show()["Certificate"]["Subject"] == "CN=stranger"
    set_certificate(trusting, pair(clients)).ok()
    trusting.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")


def test_each_app_shows_its_own(trusting, clients, strict):
    set_for_one = trusting.app(callback=strict.url, commands=[CREATED])
    other = trusting.app(1400000002, callback=strict.url, commands=[CREATED])
    set_certificate(trusting, pair(clients)).ok()
    other.create("r").ok()
    trusting.wait_deliveries(lambda rows: rows[0]["Attempts"] >= 1, 1400000002)
    set_for_one.create("r").ok()
    trusting.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")
    other.create("r2").ok()  # no connection of the first app is used for it
    trusting.wait_deliveries(lambda rows: sum(row["Attempts"] for row in rows) >= 4, 1400000002)
    assert {request["params"]["SdkAppid"] for request in strict.requests} == {str(SDKAPPID)}
    assert all(row["State"] != "delivered" for row in trusting.deliveries(1400000002))


# ---- what is wrong ----


def wrong_pairs(clients, certificates):
    good = pair(clients)
    half = good["Certificate"][: len(good["Certificate"]) // 4]
    return [
        ({"Key": good["Key"]}, "Certificate"),
        ({"Certificate": good["Certificate"]}, "Key"),
        ({**good, "Certificate": 1}, "Certificate"),
        ({**good, "Certificate": ""}, "Certificate"),
        ({**good, "Certificate": "x" * 16385}, "Certificate"),
        ({**good, "Certificate": "no PEM"}, "Certificate"),
        ({**good, "Certificate": half}, "Certificate"),
        ({**good, "Certificate": good["Certificate"].replace("M", "!", 1)}, "Certificate"),
        ({**good, "Certificate": good["Certificate"] + good["Key"]}, "nothing else"),
        ({**good, "Certificate": good["Key"]}, "Certificate"),
        ({**good, "Key": ["x"]}, "Key"),
        ({**good, "Key": ""}, "Key"),
        ({**good, "Key": "x" * 16385}, "Key"),
        ({**good, "Key": "no PEM"}, "Key"),
        ({**good, "Key": good["Key"][: len(good["Key"]) // 2]}, "Key"),
        ({**good, "Key": good["Certificate"]}, "Key"),
        (pair(clients, key="encrypted.key"), "passphrase"),
        (pair(clients, key="between.key"), "does not belong"),
        (pair(clients, "between.pem"), "does not belong"),
        (pair(certificates, "expired.pem", "expired.key"), "expired"),
    ]


def test_wrong_pairs_are_refused_and_what_was_there_stays(trusting, clients, certificates):
    trusting.app()
    set_certificate(trusting, pair(clients)).ok()
    before = trusting.show()
    for fields, named in wrong_pairs(clients, certificates):
        reply = set_certificate(trusting, fields).refused(100002, named)
        assert b"BEGIN" not in reply.raw and b"MI" not in reply.raw, reply.raw
        assert trusting.show() == before


def test_calls_of_no_app(trusting, clients):
    for body in ({}, {"SdkAppid": "1"}, {"SdkAppid": 0}):
        trusting.manage("app_certificate_set", {**body, **pair(clients)}).refused(100002, "SdkAppid")
        trusting.manage("app_certificate_delete", body).refused(100002, "SdkAppid")
    set_certificate(trusting, pair(clients), 77).refused(70020)
    trusting.manage("app_certificate_delete", {"SdkAppid": 77}).refused(70020)


def test_key_is_nowhere_but_in_the_database(trusting, clients):
    trusting.app()
    key_line = pair(clients)["Key"].splitlines()[2]
    set_certificate(trusting, pair(clients)).ok()
    for command, body in (("app_show", {"SdkAppid": SDKAPPID, "RevealKey": True}), ("app_list", {})):
        reply = trusting.manage(command, body).ok()
        assert key_line.encode() not in reply.raw and b"PRIVATE" not in reply.raw
    for file in trusting.folder.rglob("*"):
        if file.is_file() and key_line.encode() in file.read_bytes():
            assert file.parent == trusting.data and file.stat().st_mode & 0o077 == 0


# ---- the command line ----


@pytest.fixture
def cli(trusting):
    def call(*arguments, exit=0, stdin=None):
        environment = {
            "HIGHWATER_SERVER": f"http://127.0.0.1:{trusting.port}",
            "HIGHWATER_ADMIN_TOKEN_FILE": str(trusting.data / "admin-token"),
        }
        ended = run(*arguments, env=environment, stdin=stdin)
        assert ended.returncode == exit, (arguments, ended.stdout, ended.stderr)
        assert "BEGIN" not in ended.stdout + ended.stderr
        return ended

    return call


def test_cli_sets_shows_and_deletes(trusting, clients, strict, cli):
    app = trusting.app(callback=strict.url, commands=[CREATED])
    files = ("--cert-file", str(clients / "chain.pem"), "--key-file", str(clients / "client.key"))
    assert "certificate   none" in cli("app", "show", str(SDKAPPID)).stdout
    assert str(SDKAPPID) in cli("app", "set-certificate", str(SDKAPPID), *files).stdout
    app.create("r").ok()
    trusting.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")
    assert "CN=backend,O=Highwater, by CN=between, expires " in cli("app", "show", str(SDKAPPID)).stdout
    assert json.loads(cli("app", "delete-certificate", "--app", str(SDKAPPID), "--json").stdout) == {}
    assert trusting.show()["Certificate"] is None
    key = (clients / "client.key").read_text()
    cli("app", "set-certificate", "--app", str(SDKAPPID), *files[:2], "--key-file", "-", stdin=key)
    assert trusting.show()["Certificate"]["Subject"] == "CN=backend,O=Highwater"


def test_cli_tells_what_is_wrong(trusting, clients, certificates, cli, tmp_path):
    trusting.app()
    chain, key = str(clients / "chain.pem"), str(clients / "client.key")
    (tmp_path / "large").write_text("x" * 16385)
    (tmp_path / "empty").write_text("")
    for words, code, named in [
        (["1400000001"], 2, "--key-file"),
        (["1400000001", "--cert-file", chain], 2, "--key-file"),
        (["1400000001", "--key-file", key], 2, "--cert-file"),
        (["--cert-file", chain, "--key-file", key], 2, "which app"),
        (["1400000001", "--cert-file", "/nonexistent", "--key-file", key], 3, "--cert-file"),
        (["1400000001", "--cert-file", chain, "--key-file", "/nonexistent"], 3, "--key-file"),
        (["1400000001", "--cert-file", str(tmp_path / "large"), "--key-file", key], 3, "more than 16384"),
        (["1400000001", "--cert-file", str(tmp_path / "empty"), "--key-file", key], 3, "is empty"),
        (["1400000001", "--cert-file", key, "--key-file", key], 1, "Certificate must be"),
        (["1400000001", "--cert-file", chain, "--key-file", str(clients / "between.key")], 1, "does not belong"),
        (["1400000001", "--cert-file", str(certificates / "expired.pem"), "--key-file", str(certificates / "expired.key")],
         1, "expired"),
        (["77", "--cert-file", chain, "--key-file", key], 1, "70020"),
    ]:  # fmt: skip
        ended = cli("app", "set-certificate", *words, exit=code)
        assert named in ended.stderr and ended.stdout == "", words
    assert "which app" in cli("app", "delete-certificate", exit=2).stderr
    assert "70020" in cli("app", "delete-certificate", "77", exit=1).stderr
    assert trusting.show()["Certificate"] is None
