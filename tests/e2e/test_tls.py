"""TLS on both sides: receivers are verified, the backend and the App backend serve HTTPS."""

import socket
import ssl

import pytest

import conftest
import wire

TOKEN = "a callback token"


def trusting(certificates, name="ca.pem"):
    return ssl.create_default_context(cafile=certificates / name)


@pytest.fixture
def https_backend(make_backend, certificates):
    backend = make_backend(
        "--http-cert-file", str(certificates / "leaf.pem"), "--http-key-file", str(certificates / "leaf.key"), start=False
    )
    backend.tls = trusting(certificates)
    return backend.start()


@pytest.mark.smoke
def test_receiver_with_a_private_ca_is_accepted(make_backend, make_receiver, certificates, server_tls):
    backend = make_backend("--callback-ca-file", str(certificates / "ca.pem"))
    receiver = make_receiver(tls=server_tls)
    app = backend.app(MaxRoomCount=1, callback=receiver.url)
    app.create("r").ok()
    rows = backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered", seconds=60)
    assert rows[0]["Attempts"] == 1
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("leaf, ca", [("leaf", "other.pem"), ("leaf", None), ("wrong-name", "ca.pem"), ("expired", "ca.pem")])
def test_receiver_that_cannot_be_verified_is_a_visible_tls_error(make_backend, make_receiver, certificates, leaf, ca):
    backend = make_backend(*(("--callback-ca-file", str(certificates / ca)) if ca else ()))
    receiver = make_receiver(tls=conftest.tls_of(certificates, leaf))
    app = backend.app(MaxRoomCount=1, callback=receiver.url)
    app.create("r").ok()
    rows = backend.wait_deliveries(lambda rows: rows[0]["Attempts"] >= 2)
    assert rows[0]["State"] in wire.WAITING
    assert rows[0]["Error"].startswith("tls:")
    assert rows[0]["HttpStatus"] == 0
    assert receiver.requests == [], "nothing may be sent to somebody unverified"


def test_receiver_with_a_new_certificate_gets_what_waits(make_backend, make_receiver, certificates):
    backend = make_backend("--callback-ca-file", str(certificates / "ca.pem"))
    receiver = make_receiver(tls=conftest.tls_of(certificates, "expired"))
    app = backend.app(MaxRoomCount=1, callback=receiver.url)
    app.create("r").ok()
    backend.wait_deliveries(lambda rows: rows[0]["Error"].startswith("tls:"))
    receiver.down()
    receiver.tls = conftest.tls_of(certificates, "leaf")
    receiver.up()
    backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")


def test_localhost_name_is_verified_too(make_backend, make_receiver, certificates, server_tls):
    backend = make_backend("--callback-ca-file", str(certificates / "ca.pem"))
    receiver = make_receiver(tls=server_tls)
    app = backend.app(MaxRoomCount=1, callback=f"https://localhost:{receiver.port}/")
    app.create("r").ok()
    backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")


def test_https_url_to_a_plain_receiver_is_a_tls_error(make_backend, receiver, certificates):
    backend = make_backend("--callback-ca-file", str(certificates / "ca.pem"))
    app = backend.app(MaxRoomCount=1, callback=f"https://127.0.0.1:{receiver.port}/")
    app.create("r").ok()
    rows = backend.wait_deliveries(lambda rows: rows[0]["Attempts"] >= 1)
    assert rows[0]["Error"].startswith("tls:")


def old_server_tls(certificates):
    context = conftest.tls_of(certificates, "leaf")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_receiver_that_speaks_only_tls_1_1_is_refused(make_backend, make_receiver, certificates):
    backend = make_backend("--callback-ca-file", str(certificates / "ca.pem"))
    receiver = make_receiver(tls=old_server_tls(certificates))
    app = backend.app(MaxRoomCount=1, callback=receiver.url)
    app.create("r").ok()
    rows = backend.wait_deliveries(lambda rows: rows[0]["Attempts"] >= 1)
    assert rows[0]["Error"].startswith("tls:")


# ---- the backend ----


def test_backend_serves_https(https_backend, receiver):
    app = https_backend.app(MaxRoomCount=1, callback=receiver.url)
    app.create("r").ok()
    assert app.room_ids() == ["r"]
    receiver.wait_for(1)


def test_backend_over_https_refuses_plain_http(https_backend):
    with wire.Raw(https_backend.port) as raw:
        raw.send(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b'"ErrorCode":0' not in raw.rest()


def handshake(port, certificates, lowest, highest):
    context = trusting(certificates)
    context.minimum_version = lowest
    context.maximum_version = highest
    if highest < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", port), 20) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as encrypted:
            return encrypted.version()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused_and_new_is_spoken(https_backend, certificates):
    versions = ssl.TLSVersion
    with pytest.raises(OSError) as caught:
        handshake(https_backend.port, certificates, versions.TLSv1, versions.TLSv1_1)
    assert "NO_" not in str(caught.value), "the server must refuse it, not this client"
    for version, word in ((versions.TLSv1_2, "TLSv1.2"), (versions.TLSv1_3, "TLSv1.3")):
        assert handshake(https_backend.port, certificates, version, version) == word


def test_handshake_that_stalls_is_closed_and_others_are_served(make_backend, certificates):
    backend = make_backend(
        "--http-cert-file", str(certificates / "leaf.pem"), "--http-key-file", str(certificates / "leaf.key"),
        "--http-request-timeout", "500ms", start=False,
    )  # fmt: skip
    backend.tls = trusting(certificates)
    backend.start()
    with wire.Raw(backend.port) as raw:
        raw.send(bytes.fromhex("1603010041010000"))
        app = backend.app(MaxRoomCount=1)
        app.create("r").ok()
        raw.rest()  # ends


def test_certificate_and_key_must_belong_together(tmp_path, certificates):
    def serve(cert, key):
        return conftest.run(
            "serve", "--http-listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"),
            "--http-cert-file", str(certificates / cert), "--http-key-file", str(certificates / key),
        )  # fmt: skip

    for cert, key in (("leaf.pem", "other.key"), ("leaf.key", "leaf.key"), ("leaf.pem", "leaf.pem")):
        ended = serve(cert, key)
        assert ended.returncode == 2, ended.stderr
        assert "file" in ended.stderr


# ---- the App backend ----


def test_app_backend_over_https_with_token(make_backend, make_app_backend, certificates):
    receive = make_app_backend(
        "--http-cert-file", str(certificates / "leaf.pem"), "--http-key-file", str(certificates / "leaf.key"), token=TOKEN
    )
    backend = make_backend("--callback-ca-file", str(certificates / "ca.pem"))
    app = backend.app(MaxRoomCount=2, callback=f"https://127.0.0.1:{receive.port}/callback", token=TOKEN)
    app.create_as("r1", "alice", "Web").ok()
    app.create("r2").ok()
    backend.wait_deliveries(lambda rows: len(rows) == 1 and rows[0]["State"] == "delivered")
    lines = receive.events()
    assert [(line["Signed"], line["Body"]["CurRoomCount"], line["OptPlatform"]) for line in lines] == [(True, 2, "RESTAPI")]


def test_command_line_over_https(https_backend, certificates, tmp_path):
    common = ("--server", f"https://127.0.0.1:{https_backend.port}", "--admin-token-file",
              str(https_backend.data / "admin-token"))  # fmt: skip
    trusted = conftest.run("app", "create", "5", *common, "--ca-file", str(certificates / "ca.pem"))
    assert trusted.returncode == 0, trusted.stderr
    untrusted = conftest.run("app", "list", *common)
    assert untrusted.returncode == 3
    assert "--ca-file" in untrusted.stderr
