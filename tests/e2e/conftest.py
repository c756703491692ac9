"""Fixtures: a real backend process on loopback, on a free port, in a folder of its own."""

import os
import pathlib
import shutil
import signal
import ssl
import subprocess
import time

import pytest

import wire

BINARY = os.environ.get("HIGHWATER_BIN") or str(
    pathlib.Path(__file__).resolve().parents[2] / "build" / "release" / "bin" / "highwater"
)


def pytest_configure(config):
    config.addinivalue_line("markers", "smoke: the few tests that also run under the sanitizers")


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

    def __init__(self, folder, *arguments, name="serve"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.arguments = [name, *arguments]
        self.name = name
        self.port_file = self.folder / f"{name}.port"
        self.log_path = self.folder / f"{name}.log"
        self.child = None
        self.port = None

    def start(self, seconds=30):
        self.port_file.unlink(missing_ok=True)
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(
                [BINARY, *self.arguments, "--http-port-file", str(self.port_file)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
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


class Backend(Process):
    """`highwater serve` with the management API at hand."""

    def __init__(self, folder, *arguments, port="0"):
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
            *arguments,
        )
        self.tls = None

    def client(self):
        return wire.Client(self.port, self.tls)

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
        if token:
            app.config("set_callback_token", {"Token": token, "IsTokenEnable": True}).ok()
        if callback:
            app.config("set_callback", {"Url": callback, "CallbackCommandList": list(commands)}).ok()
        return app

    def show(self, sdkappid=1400000001):
        return self.manage("app_show", {"SdkAppid": sdkappid}).ok().response

    def deliveries(self, sdkappid=1400000001):
        """Every callback of the app, oldest first."""
        found, cursor = [], 0
        while True:
            page = self.manage("callback_list", {"SdkAppid": sdkappid, "Next": cursor, "Count": 100}).ok().response
            found += page["CallbackList"]
            cursor = page["Next"]
            if not cursor:
                return found[::-1]

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

    def make(*arguments, folder="backend", port="0", start=True):
        backend = Backend(tmp_path / folder, *arguments, port=port)
        made.append(backend)
        return backend.start() if start else backend

    yield make
    statuses = [backend.stop() for backend in made]
    for backend, status in zip(made, statuses):
        assert status in (0, None, -signal.SIGKILL), f"exit status {status}\n{backend.log()}"


@pytest.fixture
def backend(make_backend):
    return make_backend()


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
    openssl("req", *new_key, "-subj", "/CN=localhost", "-keyout", "leaf.key", "-out", "leaf.csr")
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "san", "-out", "leaf.pem")  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def server_tls(certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "leaf.pem", certificates / "leaf.key")
    return context
