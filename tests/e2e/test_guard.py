"""Where callbacks may go: not into the operator's network unless callback.allowed_addresses says so, whatever name or
spelling leads there."""

import os
import socket

import pytest

import wire
from conftest import LOOPBACK, run

SETTING = "callback.allowed_addresses"
FLAG = "--callback-allowed-addresses"
REFUSED = f"not_allowed: 127.0.0.1 (loopback) is not in {SETTING}"


class Trap:
    """A listening socket to which nobody may connect; `check` says whether somebody did."""

    def __init__(self, host, port=0):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.create_server((host, port), family=family)
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]

    def check(self):
        with pytest.raises(BlockingIOError):
            self.socket.accept()


@pytest.fixture
def make_trap():
    made = []

    def make(host="127.0.0.1", port=0):
        made.append(Trap(host, port))
        return made[-1]

    yield make
    for trap in made:
        trap.socket.close()


@pytest.fixture
def guarded(make_backend):
    """A backend that allows nothing inside."""
    return make_backend(loopback=False)


def alert(backend, sdkappid, url):
    """Makes an app whose first room alerts."""
    app = backend.app(sdkappid=sdkappid, MaxRoomCount=1, callback=url)
    app.create("r").ok()
    return app


def refusals(backend, sdkappid=1400000001):
    """The error of the app's only callback, which must have been tried twice and still wait."""
    rows = backend.wait_deliveries(lambda rows: rows[0]["Attempts"] >= 2, sdkappid)
    assert [(row["State"] in wire.WAITING, row["HttpStatus"]) for row in rows] == [(True, 0)]
    return rows[0]["Error"]


@pytest.mark.smoke
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_loopback_is_refused_by_default_and_the_reason_is_shown(guarded, make_trap, scheme):
    trap = make_trap()
    alert(guarded, 1400000001, f"{scheme}://127.0.0.1:{trap.port}/callback")
    assert refusals(guarded) == REFUSED
    assert guarded.show()["CallbackPending"] == 1
    assert REFUSED in guarded.log()
    trap.check()
    environment = {
        "HIGHWATER_SERVER": f"http://127.0.0.1:{guarded.port}",
        "HIGHWATER_ADMIN_TOKEN_FILE": os.fspath(guarded.data / "admin-token"),
    }
    assert REFUSED in run("callback", "list", "--app", "1400000001", env=environment).stdout


SPELLINGS = {
    "127.0.0.1": "127.0.0.1 (loopback)",
    "127.1": "127.0.0.1 (loopback)",
    "0x7f.1": "127.0.0.1 (loopback)",
    "2130706433": "127.0.0.1 (loopback)",
    "017700000001": "127.0.0.1 (loopback)",
    "0": "0.0.0.0 (unspecified)",
    "localhost": "(loopback)",
    "LOCALHOST": "(loopback)",
    "[::1]": "::1 (loopback)",
    "[::]": ":: (unspecified)",
    "[::ffff:127.0.0.1]": "127.0.0.1 (loopback)",
    "[::ffff:7f00:1]": "127.0.0.1 (loopback)",
    "[::127.0.0.1]": "::127.0.0.1 (IPv4-compatible of loopback)",
    "[64:ff9b::7f00:1]": "64:ff9b::7f00:1 (NAT64 of loopback)",
    "[2002:7f00:1::]": "2002:7f00:1:: (6to4 of loopback)",
    "10.0.0.1": "10.0.0.1 (private)",
    "169.254.169.254": "169.254.169.254 (link-local)",
    "[fd00:ec2::254]": "fd00:ec2::254 (private)",
}


def test_every_spelling_is_refused_by_the_address_it_leads_to(guarded, make_trap):
    trap = make_trap()
    apps = dict(enumerate(SPELLINGS, 1400000001))
    for sdkappid, host in apps.items():
        alert(guarded, sdkappid, f"http://{host}:{trap.port}/")
    for sdkappid, host in apps.items():
        error = refusals(guarded, sdkappid)
        assert error.startswith("not_allowed: ") and error.endswith(f"{SPELLINGS[host]} is not in {SETTING}"), host
    trap.check()


def test_exactly_what_is_allowed_gets_through(make_backend, receiver, make_trap):
    trap = make_trap("127.0.0.2", receiver.port)
    backend = make_backend(FLAG, "10.1.0.0/16, 127.0.0.1", loopback=False)
    alert(backend, 1400000001, receiver.url)
    alert(backend, 1400000002, f"http://127.0.0.2:{receiver.port}/")
    alert(backend, 1400000003, f"http://[::ffff:127.0.0.1]:{receiver.port}/")
    for sdkappid in (1400000001, 1400000003):
        backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered", sdkappid)
    assert refusals(backend, 1400000002) == f"not_allowed: 127.0.0.2 (loopback) is not in {SETTING}"
    assert sorted(request["params"]["SdkAppid"] for request in receiver.requests) == ["1400000001", "1400000003"]
    trap.check()


def test_star_allows_all(make_backend, receiver):
    backend = make_backend(FLAG, "*", loopback=False)
    alert(backend, 1400000001, receiver.url)
    backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")


def test_what_waited_is_delivered_after_a_restart_that_allows_it(guarded, receiver):
    app = alert(guarded, 1400000001, receiver.url)
    assert refusals(guarded) == REFUSED
    assert receiver.requests == []
    guarded.arguments += LOOPBACK
    guarded.restart(app)
    rows = guarded.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")
    assert (len(rows), len(receiver.requests)) == (1, 1)
    assert rows[0]["Error"] == ""
    assert receiver.requests[0]["headers"]["webhook-id"] == rows[0]["WebhookId"]


def test_what_waited_is_delivered_to_a_corrected_url(make_backend, receiver):
    backend = make_backend(FLAG, "127.0.0.1", loopback=False)
    app = alert(backend, 1400000001, "http://10.0.0.1/")
    assert refusals(backend) == f"not_allowed: 10.0.0.1 (private) is not in {SETTING}"
    app.config("update_callback", {"Url": receiver.url, "CallbackCommandList": [wire.ALERT]}).ok()
    backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered")
    assert len(receiver.requests) == 1


def test_redirect_does_not_lead_inside(make_backend, make_receiver, make_trap):
    trap = make_trap("127.0.0.2")
    location = {"Location": f"http://127.0.0.2:{trap.port}/"}
    receiver = make_receiver(lambda number, request: (307, location, wire.OK_REPLY))
    backend = make_backend(FLAG, "127.0.0.1", loopback=False)
    alert(backend, 1400000001, receiver.url)
    rows = backend.wait_deliveries(lambda rows: rows[0]["Attempts"] >= 2)
    assert "redirects are not followed" in rows[0]["Error"]
    trap.check()


def test_proxies_of_the_environment_are_no_way_around(make_backend, receiver, make_trap):
    proxy = make_trap()
    backend = make_backend(FLAG, "127.0.0.1", loopback=False, start=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"):
        backend.environment[name] = f"http://127.0.0.1:{proxy.port}"
    backend.start()
    alert(backend, 1400000001, "http://10.0.0.1/")
    alert(backend, 1400000002, receiver.url)
    backend.wait_deliveries(lambda rows: rows[0]["State"] == "delivered", 1400000002)
    assert refusals(backend) == f"not_allowed: 10.0.0.1 (private) is not in {SETTING}"
    proxy.check()


WRONG = {
    "localhost": '"localhost" is no IPv4 or IPv6 address or range',
    "127.0.0.0/8,": "an entry is empty",
    "10.0.0.0/33": '"10.0.0.0/33": after the slash stands a number from 0 to 32',
    "10.1.2.3/8": '"10.1.2.3/8": the address has bits after its first 8',
    "[::1]": '"[::1]" is no IPv4 or IPv6 address or range',
    "*, ::1": "* stands alone",
    ",".join(["::1"] * 65): "has more than 64 entries",
}


@pytest.mark.parametrize("value", WRONG)
def test_wrong_list_is_named_at_the_start(tmp_path, value):
    message = f"{SETTING}: {WRONG[value]}"
    config = tmp_path / "serve.conf"
    config.write_text(f"{SETTING} = {value}\n")
    for ended in (
        run("serve", "--check", FLAG, value),
        run("serve", "--data-dir", str(tmp_path / "data"), "--http-listen", "127.0.0.1:0", FLAG, value),
        run("serve", "--check", env={"HIGHWATER_CALLBACK_ALLOWED_ADDRESSES": value}),
        run("serve", "--check", "--config", str(config)),
    ):
        assert (ended.returncode, ended.stdout) == (2, "")
        assert message in ended.stderr


def test_right_list_passes_the_check():
    assert run("serve", "--check", FLAG, "127.0.0.0/8, ::1, 10.1.2.3").returncode == 0
