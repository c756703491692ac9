"""SIGHUP: settings, certificates and keys are taken while the program runs; what is wrong changes nothing; no connection ends."""

import concurrent.futures
import contextlib
import shutil
import signal
import socket
import ssl
import time

import pytest

import conftest
import wire
from test_receive import SAMPLE, TOKEN, Sender


class Reloading:
    """A settings file of a running program, and what its log says after a SIGHUP."""

    def __init__(self, process, **settings):
        self.process = process
        self.path = process.folder / "settings.conf"
        self.write(**settings)
        process.arguments += ["--config", str(self.path)]

    def write(self, **settings):
        self.path.write_text("".join(f"{name.replace('__', '.')} = {value}\n" for name, value in settings.items()))

    def hup(self, event="reloaded"):
        """Sends SIGHUP and waits for the event; returns the lines of the log since."""
        before = len(self.process.log())
        self.process.child.send_signal(signal.SIGHUP)
        wire.wait(lambda: f"event={event} " in self.process.log()[before:], what=event)
        return self.process.log()[before:]


@pytest.fixture
def make_reloading(make_backend):
    def make(*arguments, rates=False, **settings):
        backend = make_backend(*arguments, start=False, rates=rates)
        reloading = Reloading(backend, **settings)
        backend.start()
        return backend, reloading

    return make


def presented(port, certificates):
    """The server's certificate, as a new connection is shown it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(certificates / "ca.pem")
    with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(plain) as secure:
        return dict(one[0] for one in secure.getpeercert()["subject"])["commonName"]


def lay(folder, certificates, name):
    """Makes the certificate of that name the one that the program was told of."""
    for end in ("pem", "key"):
        shutil.copy(certificates / f"{name}.{end}", folder / f"mine.{end}")


@pytest.fixture
def https(make_backend, certificates, tmp_path):
    lay(tmp_path, certificates, "leaf")
    backend = make_backend("--http-cert-file", str(tmp_path / "mine.pem"), "--http-key-file", str(tmp_path / "mine.key"),
                           "--http-idle-timeout", "60s", start=False)  # fmt: skip
    backend.tls = ssl.create_default_context(cafile=certificates / "ca.pem")
    reloading = Reloading(backend)
    backend.start()
    return backend, reloading


# ---- certificates ----


@pytest.mark.smoke
def test_a_new_certificate_is_shown_to_new_connections_only(https, certificates, tmp_path):
    backend, reloading = https
    app = backend.app()
    kept = app.client
    app.create("a").ok()
    assert presented(backend.port, certificates) == "leaf"
    lay(tmp_path, certificates, "wrong-name")
    reloading.hup()
    wire.wait(lambda: presented(backend.port, certificates) == "wrong-name", what="the new certificate")
    app.create("b").ok()
    assert app.client is kept, "the connection of before goes on"
    lay(tmp_path, certificates, "leaf")
    reloading.hup()
    wire.wait(lambda: presented(backend.port, certificates) == "leaf", what="the old certificate again")
    app.create("c").ok()


@pytest.mark.parametrize("broken", ["rubbish", "other key", "missing"])
def test_a_broken_certificate_changes_nothing(https, certificates, tmp_path, broken):
    backend, reloading = https
    app = backend.app()
    if broken == "rubbish":
        (tmp_path / "mine.pem").write_text("no certificate\n")
    elif broken == "other key":
        shutil.copy(certificates / "expired.key", tmp_path / "mine.key")
    else:
        (tmp_path / "mine.key").unlink()
    log = reloading.hup("reload_failed")
    assert "mine." in log and "nothing was changed" in log
    assert presented(backend.port, certificates) == "leaf"
    app.create("a").ok()


def test_no_request_is_lost_while_certificates_change(https, certificates, tmp_path):
    backend, reloading = https
    app = backend.app(MaxRoomCount=100000)
    stop = time.monotonic() + 4

    def work(number):
        made = 0
        mine = app.over(backend.client())
        while time.monotonic() < stop:
            mine.create(f"r{number}-{made}").ok()
            made += 1
        mine.client.close()
        return made

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        working = [pool.submit(work, number) for number in range(4)]
        reloads = 0
        while time.monotonic() < stop - 0.2:
            lay(tmp_path, certificates, "leaf")
            reloading.hup()
            reloads += 1
        made = sum(one.result() for one in working)
    assert reloads >= 3 and made > 50
    assert backend.show()["RoomCount"] == made


def test_receivers_are_checked_against_the_new_authorities(make_backend, make_receiver, certificates, server_tls, tmp_path):
    mine = tmp_path / "authorities.pem"
    shutil.copy(certificates / "other.pem", mine)
    backend = make_backend("--callback-ca-file", str(mine), start=False)
    reloading = Reloading(backend)
    backend.start()
    receiver = make_receiver(tls=server_tls)
    app = backend.app(MaxRoomCount=1, callback=receiver.url)
    app.create("r").ok()
    backend.wait_deliveries(lambda rows: rows[0]["Error"].startswith("tls:"))
    mine.write_text("no certificate\n")
    assert "callback.ca_file" in reloading.hup("reload_failed")
    shutil.copy(certificates / "ca.pem", mine)
    reloading.hup()
    backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered", seconds=30)


# ---- settings ----


def test_log_level_and_rates_change(make_reloading):
    backend, reloading = make_reloading(rates=True, rate__api=1000, log__level="info")
    app = backend.app(MaxRoomCount=1000)
    for number in range(20):
        app.create(f"a{number}").ok()
    reloading.write(rate__api=2, log__level="debug")
    log = reloading.hup()
    assert "setting=rate.api value=2" in log and "setting=log.level value=debug" in log
    codes = [app.create(f"b{number}").code for number in range(20)]
    assert codes.count(60007) >= 10, codes
    wire.wait(lambda: "level=debug" in backend.log(), what="a line of level debug")
    reloading.write(rate__api=0)
    log = reloading.hup()
    assert "settings_changed=2" in log
    for number in range(40):
        app.create(f"c{number}").ok()


def test_the_management_api_shows_what_is_in_effect(make_reloading):
    """Also while it changes: a reload and a look at the settings do not hinder each other."""
    backend, reloading = make_reloading(audit__keep="10d", engine__queue_max=500)

    def shown(name):
        rows = backend.manage("server_show", {}).ok().response["Settings"]
        return next((one["Value"], one["Source"]) for one in rows if one["Name"] == name)

    assert shown("audit.keep") == ("10d", "file")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        looking = [pool.submit(shown, "audit.keep") for _ in range(40)]
        for days in range(11, 21):
            reloading.write(audit__keep=f"{days}d", engine__queue_max=600)
            reloading.hup()
        assert all(one.result()[1] == "file" for one in looking)
    assert shown("audit.keep") == ("20d", "file")
    assert shown("engine.queue_max") == ("500", "file"), "which needs a restart"
    reloading.write()
    reloading.hup()
    assert shown("audit.keep") == ("365d", "default")


def test_timeouts_of_http_change(make_reloading):
    backend, reloading = make_reloading(http__idle_timeout="60s")
    reloading.write(http__idle_timeout="200ms")
    with socket.create_connection(("127.0.0.1", backend.port)) as one:
        one.sendall(b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        assert b"200 OK" in one.recv(4096)
        reloading.hup()
        one.settimeout(10)
        assert one.recv(4096) == b"", "the connection of before has the new limit"


def test_delivery_takes_its_new_settings(make_reloading, make_receiver):
    backend, reloading = make_reloading(callback__allowed_addresses="")
    backend.arguments = [word for word in backend.arguments if word not in conftest.LOOPBACK]
    backend.stop()
    backend.start()
    receiver = make_receiver()
    app = backend.app(MaxRoomCount=1, callback=receiver.url)
    app.create("r").ok()
    backend.wait_deliveries(lambda rows: "callback.allowed_addresses" in rows[0]["Error"])
    assert receiver.requests == []
    reloading.write(callback__allowed_addresses="127.0.0.0/8, ::1")
    reloading.hup()
    backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")


def test_a_setting_that_needs_a_restart_says_so_and_stays(make_reloading):
    backend, reloading = make_reloading(engine__queue_max=500)
    reloading.write(engine__queue_max=600, http__threads=3, callback__give_up="1d")
    log = reloading.hup()
    assert "event=setting_needs_restart setting=engine.queue_max value=600" in log
    assert "event=setting_needs_restart setting=http.threads value=3" in log
    assert "event=setting_changed setting=callback.give_up value=1d" in log
    backend.app().create("a").ok()


@pytest.mark.parametrize("text, said", [
    ("audit.keep = many\n", "audit.keep"),
    ("no_such.setting = 1\n", "no_such.setting"),
    ("http.key_file = /nowhere\n", "http.key_file"),
    ("nonsense\n", "settings.conf:1"),
])  # fmt: skip
def test_a_broken_file_changes_nothing(make_reloading, text, said):
    backend, reloading = make_reloading(log__level="info")
    reloading.path.write_text("log.level = error\n" + text if "nonsense" not in text else text)
    log = reloading.hup("reload_failed")
    assert said in log and "nothing was changed" in log
    backend.app().create("a").ok()
    reloading.write(log__level="info")
    assert "settings_changed=0" in reloading.hup(), "and log.level was not taken"


def test_from_http_to_https_needs_a_restart(make_reloading, certificates):
    backend, reloading = make_reloading()
    reloading.write(http__cert_file=certificates / "leaf.pem", http__key_file=certificates / "leaf.key")
    assert "needs a restart" in reloading.hup("reload_failed")
    backend.app().create("a").ok()


def test_the_line_of_the_start_is_stronger_than_the_file(make_reloading):
    backend, reloading = make_reloading("--log-level", "info")
    reloading.write(log__level="off")
    assert "settings_changed=0" in reloading.hup()
    assert backend.child.poll() is None


# ---- receive ----


def test_receiver_takes_a_new_token(make_app_backend, tmp_path):
    token = tmp_path / "token"
    token.write_text(TOKEN)
    receive = make_app_backend("--receive-token-file", str(token), start=False)
    receive.secrets |= {TOKEN, "another callback token"}
    reloading = Reloading(receive)
    receive.start()
    with contextlib.closing(Sender(receive.port, TOKEN)) as old, contextlib.closing(
        Sender(receive.port, "another callback token")
    ) as new:
        old.send().ok()
        new.send().refused(60025)
        token.write_text("another callback token")
        reloading.hup()
        new.send({**SAMPLE, "CurRoomCount": 401}).ok()
        old.send({**SAMPLE, "CurRoomCount": 402}).refused(60025)
        token.unlink()
        assert "receive.token_file" in reloading.hup("reload_failed")
        new.send({**SAMPLE, "CurRoomCount": 403}).ok()
    assert len(receive.events()) == 3


def test_receiver_takes_no_other_apps(make_app_backend):
    receive = make_app_backend(start=False)
    at = receive.arguments.index("--receive-sdkappids")
    del receive.arguments[at : at + 2]
    reloading = Reloading(receive, receive__sdkappids="1400000001")
    receive.start()
    reloading.write(receive__sdkappids="1400000001,1400000002")
    assert "need a restart" in reloading.hup("reload_failed")


def test_receiver_reloads_under_load(make_app_backend, certificates, tmp_path):
    receive = make_app_backend(start=False)
    reloading = Reloading(receive)
    receive.start()
    stop = time.monotonic() + 2

    def send(number):
        count = 0
        with contextlib.closing(Sender(receive.port)) as sender:
            while time.monotonic() < stop:
                sender.send({**SAMPLE, "CurRoomCount": number * 100000 + count}).ok()
                count += 1
        return count

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        sending = [pool.submit(send, number) for number in range(3)]
        while time.monotonic() < stop - 0.1:
            reloading.hup()
        sent = sum(one.result() for one in sending)
    assert len(receive.events()) == sent > 20
