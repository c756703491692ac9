"""Fixtures: a real backend process on loopback, on a free port, in a folder of its own."""

import http.client
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import ssl
import subprocess
import time

import pytest

import clock
import wire

BINARY = os.environ.get("HIGHWATER_BIN") or str(
    pathlib.Path(__file__).resolve().parents[2] / "build" / "release" / "bin" / "highwater"
)
PARTIAL = pytest.StashKey()  # bool: some tests were left out


def pytest_configure(config):
    config.addinivalue_line("markers", "smoke: the few tests that also run under the sanitizers")
    config.addinivalue_line("markers", "last: judges what all other tests have seen, and runs after them")
    config.stash[PARTIAL] = "PYTEST_XDIST_WORKER" in os.environ


def pytest_deselected(items):
    for item in items:
        item.config.stash[PARTIAL] = True


def pytest_collection_modifyitems(config, items):
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)
    collected = {item.path.name for item in items}
    wanted = {path.name for path in pathlib.Path(__file__).parent.glob("test_*.py")}
    if collected < wanted or any("::" in argument for argument in config.args):
        config.stash[PARTIAL] = True


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A test that fails shows the end of the logs of what it has started: not every failure comes twice."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for process in Process.started:
            report.sections.append((str(process.log_path), process.log()[-4000:]))
    if report.when == "teardown":
        Process.started.clear()


@pytest.fixture
def whole_session(request):
    """For a test that judges the session: skips it where tests were left out."""
    if request.config.stash[PARTIAL]:
        pytest.skip("only for a session of all tests")


@pytest.fixture(scope="session", autouse=True)
def binary():
    assert os.access(BINARY, os.X_OK), f"{BINARY} is missing: build first, or set HIGHWATER_BIN"
    return BINARY


def run(*arguments, env=None, stdin=None, seconds=60):
    """Runs `highwater ARGUMENTS`; returns the finished process with its text."""
    return subprocess.run(
        [BINARY, *arguments],
        env={**os.environ, **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


class Process:
    """A `highwater serve` or `receive` child: its port, its log, and its end."""

    started = []  # by the test that runs

    def __init__(self, folder, *arguments, name="serve"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.arguments = [name, *arguments]
        self.name = name
        self.port_file = self.folder / f"{name}.port"
        self.status_port_file = self.folder / "status.port"
        self.log_path = self.folder / f"{name}.log"
        self.child = None
        self.port = None
        self.environment = {}
        self.secrets = set()  # must never be in the log
        Process.started.append(self)

    def start(self, seconds=30):
        self.port_file.unlink(missing_ok=True)
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(
                [BINARY, *self.arguments, "--http-port-file", str(self.port_file)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env={**os.environ, **self.environment},
            )
        deadline = time.monotonic() + seconds
        while not self.port_file.exists():
            assert self.child.poll() is None, f"{self.name} ended:\n{self.log()}"
            assert time.monotonic() < deadline, f"{self.name} is not ready:\n{self.log()}"
            time.sleep(0.01)
        self.port = int(self.port_file.read_text())
        return self

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def kill(self):
        """kill -9, at once."""
        self.child.send_signal(signal.SIGKILL)
        self.child.wait(10)

    def stop(self, seconds=30):
        """Asks it to end and returns its exit status."""
        if self.child and self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        return self.child.returncode if self.child else None


    def status(self, path="/metrics", method="GET", seconds=20):
        """Asks what it tells about itself: status and text."""
        port = int(self.status_port_file.read_text())
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def metric(self, name, **labels):
        """The value of one sample; None when there is none."""
        wanted = "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}" if labels else ""
        for line in self.status()[1].splitlines():
            if line.startswith(f"{name}{wanted} "):
                return float(line.split()[-1])
        return None

    def check_log(self):
        """No secret may be in it: no key, no token, no UserSig, which begins with the mark of zlib in base64."""
        log = self.log()
        for secret in self.secrets:
            assert secret not in log, f"a secret is in {self.log_path}"
        assert not re.search(r"eJ[0-9A-Za-z*-]{40}", log), f"a UserSig is in {self.log_path}"


# Tests call faster than the rates allow, and use room ids again at once.
RATES_OFF = tuple(
    "--rate-api 0 --rate-slow 0 --rate-list 0 --rate-client 0 --rate-room-id 0ms --manage-wrong-tokens-max 0".split()
)


# A database that backends use in place of their own files, each in a schema of its own; see scripts/private-postgres.
POSTGRES = os.environ.get("HW_TEST_POSTGRES", "")
schemas = itertools.count(1)


def sql(url, text):
    """Runs SQL, gives what psql prints, a line a row, fields with | between."""
    return subprocess.run(
        ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--command", text, url],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout.strip()


def postgres_schema(server):
    """A new schema, as the URL of a database of its own."""
    name = f"e{os.getpid()}_{next(schemas)}"
    sql(server, f"CREATE SCHEMA {name}")
    return f"{server}&options=-csearch_path%3D{name}"


LOOPBACK = ("--callback-allowed-addresses", "127.0.0.0/8")  # where the receivers of the tests are


class Backend(Process):
    """`highwater serve` with the management API at hand. With `rates` the limits of calls are the defaults; without
    `loopback` callbacks may not go there, as by default; with `supersede` newer alerts take the place of those that
    wait, as by default."""

    def __init__(self, folder, *arguments, port="0", rates=False, loopback=True, supersede=False):
        self.data = pathlib.Path(folder) / "data"
        super().__init__(
            folder,
            "--http-listen",
            f"127.0.0.1:{port}",
            "--data-dir",
            str(self.data),
            "--callback-retry-first",
            "50ms",
            "--callback-retry-longest",
            "200ms",
            "--callback-probe-longest",
            "200ms",
            "--callback-supersede",
            "on" if supersede else "off",
            *(() if rates else RATES_OFF),
            *(LOOPBACK if loopback else ()),
            *arguments,
        )
        self.tls = None
        if POSTGRES:
            self.environment["HIGHWATER_STORE_URL"] = postgres_schema(POSTGRES)

    def client(self, **keywords):
        return wire.Client(self.port, self.tls, **keywords)

    def restart(self, app, kill=False):
        """Ends cleanly, or by kill -9, starts again, and gives the app over a new connection."""
        app.client.close()
        if kill:
            self.kill()
        else:
            assert self.stop() == 0, self.log()
        self.start()
        return app.over(self.client())

    @property
    def token(self):
        return (self.data / "admin-token").read_text().strip()

    def manage(self, command, body):
        client = self.client()
        try:
            return client.post(f"/manage/v1/{command}", body, {"Authorization": f"Bearer {self.token}"})
        finally:
            client.close()

    def app(self, sdkappid=1400000001, callback=None, token=None, commands=(wire.ALERT,), **fields):
        """Creates an app and, given a URL, switches the alert on."""
        made = self.manage("app_create", {"SdkAppid": sdkappid, **fields}).ok().response
        app = wire.App(self.client(), sdkappid, made["Key"])
        self.secrets |= {made["Key"], self.token, *(one["Secret"] for one in made["Secrets"])}
        if token:
            self.secrets.add(token)
            app.config("set_callback_token", {"Token": token, "IsTokenEnable": True}).ok()
        if callback:
            app.config("set_callback", {"Url": callback, "CallbackCommandList": list(commands)}).ok()
        return app

    def show(self, sdkappid=1400000001):
        return self.manage("app_show", {"SdkAppid": sdkappid}).ok().response

    def made(self, sdkappid=1400000001):
        """How many alerts the app has had, sent or not."""
        return self.show(sdkappid)["CallbackSequence"]

    def deliveries(self, sdkappid=1400000001):
        """Every callback of the app, oldest first."""
        return self.callbacks(SdkAppid=sdkappid)[::-1]

    def callbacks(self, **filters):
        """What callback_list gives in all pages, newest first."""
        found, cursor = [], ""
        while True:
            page = self.manage("callback_list", {"Count": 100, **filters, "Next": cursor}).ok().response
            found += page["CallbackList"]
            cursor = page["Next"]
            if not cursor:
                return found

    def attempts(self, row):
        """What is kept of the attempts to deliver it, the oldest first."""
        return self.manage("callback_show", {"WebhookId": row["WebhookId"]}).ok().response["AttemptList"]

    def wait_deliveries(self, condition, sdkappid=1400000001, seconds=20):
        """Waits until condition(list of callbacks) holds."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.deliveries(sdkappid)
            if condition(found):
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.02)


@pytest.fixture
def make_backend(tmp_path):
    """Starts backends; all are stopped at the end, and must end cleanly."""
    made = []

    def make(*arguments, folder="backend", start=True, **keywords):
        backend = Backend(tmp_path / folder, *arguments, **keywords)
        made.append(backend)
        return backend.start() if start else backend

    yield make
    statuses = [backend.stop() for backend in made]
    for backend, status in zip(made, statuses):
        assert status in (0, None, -signal.SIGKILL), f"exit status {status}\n{backend.log()}"
        backend.check_log()


STATUS = ("--status-listen", "127.0.0.1:0", "--status-port-file", "status.port")  # in the folder it runs in


@pytest.fixture
def backend(make_backend):
    return make_backend()


def check_steady(backend, app):
    assert backend.child.poll() is None, backend.log()
    fresh = app.over(backend.client())
    assert fresh.room_ids() == ["c", "b", "a"]
    shown = backend.show(app.sdkappid)
    assert (shown["RoomCount"], shown["CallbackSequence"]) == (3, 0)
    fresh.client.close()


@pytest.fixture
def steady(backend):
    """An app with three rooms, which whatever the test sends must leave as they are."""
    app = backend.app(MaxRoomCount=100)
    for room in "abc":
        app.create(room).ok()
    yield app
    check_steady(backend, app)


class AppBackend(Process):
    """`highwater receive`, with its record."""

    def __init__(self, folder, *arguments, sdkappids="1400000001", token=None, port="0"):
        self.record = pathlib.Path(folder) / "callbacks.db"
        super().__init__(
            folder,
            "--http-listen",
            f"127.0.0.1:{port}",
            "--receive-sdkappids",
            sdkappids,
            "--receive-record",
            str(self.record),
            "--status-listen",
            "127.0.0.1:0",
            "--status-port-file",
            str(pathlib.Path(folder) / "status.port"),
            *arguments,
            name="receive",
        )
        if token:
            self.environment["HIGHWATER_RECEIVE_TOKEN"] = token
            self.secrets.add(token)

    def rows(self):
        """The rows of the record, the oldest first."""
        if not self.record.exists():
            return []
        db = sqlite3.connect(f"file:{self.record}?mode=ro", uri=True, timeout=30)
        db.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in db.execute("SELECT * FROM callbacks ORDER BY id")]
        finally:
            db.close()

    def events(self):
        """The recorded callbacks, as `highwater record export` gives them; without notes of its own."""
        names = {"receive_ms": "ReceivedTime", "sdkappid": "SdkAppid", "command": "CallbackCommand", "client_ip": "ClientIP",
                 "platform": "OptPlatform", "peer": "Peer", "times": "Times", "id": "Id", "last_ms": "LastTime"}  # fmt: skip
        said = {"attempt": "Attempt", "sequence": "Sequence", "threshold": "Threshold", "replay": "Replay"}
        found = []
        for row in self.rows():
            if row["kind"] != 0:
                continue
            event = {name: row[column] for column, name in names.items()}
            event |= {name: row[column] for column, name in said.items() if row[column] is not None}
            event |= {"Kind": "Callback", "Signed": row["signed"] == 1, "Body": json.loads(row["body"]),
                      "Signature": ["", "v1", None, "v1a"][row["webhook_kind"]]}  # fmt: skip
            event |= {"WebhookId": row["webhook_id"]} if row["webhook_id"] else {}
            event |= {"Test": True} if row["test"] else {}
            found.append(event)
        return found

    def printed(self):
        """The lines on standard output, which are in the log too."""
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]


@pytest.fixture
def make_app_backend(tmp_path):
    made = []

    def make(*arguments, folder="receive", start=True, **keywords):
        receive = AppBackend(tmp_path / folder, *arguments, **keywords)
        made.append(receive)
        return receive.start() if start else receive

    yield make
    statuses = [receive.stop() for receive in made]
    for receive, status in zip(made, statuses):
        assert status in (0, None, -signal.SIGKILL), f"exit status {status}\n{receive.log()}"
        receive.check_log()


@pytest.fixture
def make_receiver():
    made = []

    def make(*arguments, **keywords):
        receiver = wire.Receiver(*arguments, **keywords)
        made.append(receiver)
        return receiver

    yield make
    for receiver in made:
        receiver.close()


@pytest.fixture
def receiver(make_receiver):
    return make_receiver()


@pytest.fixture(scope="session")
def clock_shim(tmp_path_factory):
    return clock.build(tmp_path_factory.mktemp("shim")) or pytest.skip("no C compiler")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A private CA and a certificate for 127.0.0.1, made with the openssl tool."""
    folder = tmp_path_factory.mktemp("certificates")
    if not shutil.which("openssl"):
        pytest.fail("the openssl tool is missing: run scripts/install-deps")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for name in ("ca", "other"):
        openssl("req", "-x509", *new_key, "-days", "2", "-subj", f"/CN=test {name}", "-keyout", f"{name}.key",
                "-out", f"{name}.pem")  # fmt: skip

    (folder / "index").touch()
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=it\n[it]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\n"
        "policy=any\nunique_subject=no\n[any]\ncommonName=supplied\n"
    )

    def leaf(name, names, start, end):
        openssl("req", *new_key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (folder / f"{name}.san").write_text(f"subjectAltName={names}\n")
        openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-startdate", start,
                "-enddate", end, "-extfile", f"{name}.san", "-in", f"{name}.csr", "-out", f"{name}.pem")  # fmt: skip

    leaf("leaf", "IP:127.0.0.1,DNS:localhost", "20200101000000Z", "20991231000000Z")
    leaf("wrong-name", "DNS:elsewhere.example", "20200101000000Z", "20991231000000Z")
    leaf("expired", "IP:127.0.0.1", "20200101000000Z", "20200102000000Z")
    return folder


def tls_of(certificates, name):
    """A server's TLS with the certificate of that name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    return context


@pytest.fixture(scope="session")
def server_tls(certificates):
    return tls_of(certificates, "leaf")
