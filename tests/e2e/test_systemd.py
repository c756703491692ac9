"""What the programs say to a service manager and take from it, with a manager that is a few lines of Python: a notify socket,
a watchdog that listens, and sockets that are passed."""

import concurrent.futures
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

import conftest
import wire
from test_receive import Sender


class Manager:
    """Listens at a notify socket of its own."""

    def __init__(self, folder):
        self.path = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.seen = []

    def read(self, seconds=0.0):
        """All messages that are there, each as a dict."""
        self.socket.settimeout(seconds or 0.001)
        with contextlib.suppress(TimeoutError):
            while True:
                text = self.socket.recv(65536).decode()
                self.seen.append(dict(line.split("=", 1) for line in text.splitlines()))
        return self.seen

    def wait(self, name, value="1", seconds=20):
        def has():
            return [one for one in self.read() if one.get(name) == value]

        return wire.wait(has, seconds, f"{name}={value}")

    def forget(self):
        self.read()
        self.seen.clear()


@pytest.fixture
def manager(tmp_path):
    made = Manager(tmp_path)
    yield made
    made.socket.close()


def managed(process, manager, **environment):
    process.environment |= {"NOTIFY_SOCKET": manager.path, **environment}
    return process


# ---- notify ----


@pytest.mark.parametrize("name", ["serve", "receive"])
def test_ready_reloading_stopping(make_backend, make_app_backend, manager, name):
    process = managed((make_backend if name == "serve" else make_app_backend)(start=False), manager)
    process.start()
    ready = manager.wait("READY")[0]
    assert ready["STATUS"] == f"Serving at http://127.0.0.1:{process.port}"
    manager.forget()
    process.child.send_signal(signal.SIGHUP)
    reloading = manager.wait("RELOADING")[0]
    assert int(reloading["MONOTONIC_USEC"]) > 0
    manager.wait("READY")
    assert [set(one) & {"RELOADING", "READY"} for one in manager.seen] == [{"RELOADING"}, {"READY"}]
    manager.forget()
    assert process.stop() == 0
    manager.wait("STOPPING")
    assert not any("WATCHDOG" in one for one in manager.seen), "nobody asked for it"


def test_a_reload_that_fails_is_ready_again_and_says_so(make_backend, manager, tmp_path):
    backend = managed(make_backend(start=False), manager)
    settings = tmp_path / "settings.conf"
    settings.write_text("")
    backend.arguments += ["--config", str(settings)]
    backend.start()
    settings.write_text("rubbish\n")
    backend.child.send_signal(signal.SIGHUP)
    wire.wait(lambda: [one for one in manager.read() if "failed" in one.get("STATUS", "") and one.get("READY") == "1"],
              what="the status")  # fmt: skip


def test_a_start_that_fails_is_never_ready(make_backend, manager):
    backend = managed(make_backend("--status-listen", "198.51.100.1:1", start=False), manager)
    ended = conftest.run(*backend.arguments, env=backend.environment)
    assert ended.returncode == 3
    assert not any("READY" in one for one in manager.read(0.1))


def test_a_manager_that_is_gone_is_no_harm(make_backend, tmp_path):
    backend = make_backend(start=False)
    backend.environment["NOTIFY_SOCKET"] = str(tmp_path / "nobody")
    backend.start()
    backend.app().create("a").ok()


# ---- watchdog ----


@pytest.mark.parametrize("name", ["serve", "receive"])
def test_watchdog_is_fed_while_idle(make_backend, make_app_backend, manager, name):
    process = managed((make_backend if name == "serve" else make_app_backend)(start=False), manager, WATCHDOG_USEC="2000000")
    process.start()
    manager.wait("READY")
    manager.forget()
    time.sleep(3)
    fed = [one for one in manager.read() if one.get("WATCHDOG") == "1"]
    assert len(fed) >= 3, "twice in each two seconds at least"


def test_watchdog_of_another_process_is_not_fed(make_backend, manager):
    backend = managed(make_backend(start=False), manager, WATCHDOG_USEC="400000", WATCHDOG_PID="1")
    backend.start()
    time.sleep(1)
    assert not any("WATCHDOG" in one for one in manager.read())


def other_threads(pid):
    """Ids of the threads, the main one left out."""
    return [int(one) for one in os.listdir(f"/proc/{pid}/task") if int(one) != pid]


def stop_thread(tid):
    """Stops one thread of another process, as a debugger does; gives a function that lets it go on."""
    tracer = subprocess.Popen([sys.executable, "-c", TRACER, str(tid)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert tracer.stdout.readline() == "stopped\n"

    def go_on():
        tracer.stdin.close()
        assert tracer.wait(10) == 0
        tracer.stdout.close()

    return go_on


TRACER = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
tid = int(sys.argv[1])
SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000
assert libc.ptrace(SEIZE, tid, None, None) == 0, ctypes.get_errno()
assert libc.ptrace(INTERRUPT, tid, None, None) == 0, ctypes.get_errno()
os.waitpid(tid, WALL)
print("stopped", flush=True)
sys.stdin.read()
assert libc.ptrace(DETACH, tid, None, None) == 0
"""


@pytest.mark.parametrize("name", ["serve", "receive"])
def test_watchdog_is_not_fed_while_any_thread_that_matters_stands_still(make_backend, make_app_backend, manager, name):
    """Each thread in turn is stopped. Those that nothing would go on without make the watchdog starve; what is said again is
    said when the thread goes on."""
    process = managed((make_backend if name == "serve" else make_app_backend)("--http-threads", "1", start=False), manager,
                      WATCHDOG_USEC="1600000")  # fmt: skip
    process.start()
    manager.wait("READY")
    starving = 0
    for tid in other_threads(process.child.pid):
        go_on = stop_thread(tid)
        try:
            time.sleep(3)
            manager.forget()
            time.sleep(1.2)
            starving += not any("WATCHDOG" in one for one in manager.read())
        finally:
            go_on()
        manager.forget()
        manager.wait("WATCHDOG")
    assert starving == (4 if name == "serve" else 2), "serve: loop, writer, reader, delivery; receive: loop, record"
    assert "thread_stalls" in process.log()


# ---- sockets that are passed ----


LAUNCHER = """
import os, sys
fds = [int(fd) for fd in sys.argv[1].split(",")]
for number, fd in enumerate(fds):
    os.dup2(fd, 3 + number, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])
"""


@contextlib.contextmanager
def passing(process, *names, sockets=None, seconds=20):
    """Starts it as a service manager does that has these sockets."""
    own = sockets or [listener() for _ in names]
    fds = [fcntl.fcntl(one.fileno(), fcntl.F_DUPFD, 100) for one in own]  # above those that the launcher moves them to
    process.port_file.unlink(missing_ok=True)
    with open(process.log_path, "ab") as log:
        process.child = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, ",".join(map(str, fds)), ":".join(names), conftest.BINARY, *process.arguments,
             "--http-port-file", str(process.port_file)],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=process.folder, pass_fds=fds,
            env={**os.environ, **process.environment})  # fmt: skip
    for fd in fds:
        os.close(fd)
    try:
        wire.wait(lambda: process.port_file.exists() or process.child.poll() is not None, seconds, "the start")
        yield own
    finally:
        process.stop()
        if not sockets:
            for one in own:
                one.close()


def listener():
    one = socket.create_server(("127.0.0.1", 0))
    return one


def listening_at(process, **addresses):
    for name, value in addresses.items():
        word = f"--{name.replace('_', '-')}"
        if word in process.arguments:
            process.arguments[process.arguments.index(word) + 1] = value
        else:
            process.arguments += [word, value]
    return process


def test_serve_takes_the_socket_that_is_passed(make_backend):
    backend = listening_at(make_backend(start=False), http_listen="systemd")
    with passing(backend, "anything") as sockets:
        backend.port = sockets[0].getsockname()[1]
        assert int(backend.port_file.read_text()) == backend.port
        backend.app().create("a").ok()
        assert f"address=http://127.0.0.1:{backend.port}" in backend.log()


def test_serve_takes_sockets_by_name(make_backend):
    backend = listening_at(make_backend(*conftest.STATUS, start=False), http_listen="systemd", status_listen="systemd")
    with passing(backend, "status", "http") as sockets:
        backend.port = sockets[1].getsockname()[1]
        backend.app().create("a").ok()
        assert int(backend.status_port_file.read_text()) == sockets[0].getsockname()[1]
        assert backend.status("/readyz") == (200, "ok\n")
        assert backend.metric("highwater_rooms") == 1


def test_receive_takes_a_socket_with_a_name_of_ours(make_app_backend):
    receive = listening_at(make_app_backend(start=False), http_listen="systemd:callbacks")
    with passing(receive, "other", "callbacks") as sockets:
        with contextlib.closing(Sender(sockets[1].getsockname()[1])) as sender:
            sender.send().ok()
    assert len(receive.events()) == 1


def test_no_connection_is_refused_between_two_instances(make_backend):
    """The socket outlives the program: who connects while nobody runs waits, and is served by the next."""
    backend = listening_at(make_backend(start=False), http_listen="systemd")
    with listener() as kept:
        with passing(backend, "http", sockets=[kept]):
            backend.port = kept.getsockname()[1]
            app = backend.app(MaxRoomCount=100)
            app.create("a").ok()
            app.client.close()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(lambda: app.over(backend.client()).create("b"))
            time.sleep(0.3)
            with passing(backend, "http", sockets=[kept]):
                waiting.result(20).ok()
                assert backend.show()["RoomCount"] == 2


@pytest.mark.parametrize("listen, names, said", [
    ("systemd", ["a", "b"], 'none of the sockets passed (2) is named "http"'),
    ("systemd:mine", ["http"], 'none of the sockets passed (1) is named "mine"'),
])  # fmt: skip
def test_a_socket_that_was_not_passed_stops_the_start(make_backend, listen, names, said):
    backend = listening_at(make_backend(start=False), http_listen=listen)
    with passing(backend, *names):
        assert backend.child.wait(20) == 2
    assert said in backend.log() and "http.listen" in backend.log()
    backend.child = None


def test_nothing_passed_at_all_stops_the_start(make_backend):
    backend = listening_at(make_backend(start=False), http_listen="systemd")
    ended = conftest.run(*backend.arguments)
    assert ended.returncode == 2 and "no socket was passed" in ended.stderr, ended.stderr


def test_a_socket_that_does_not_listen_stops_the_start(make_backend):
    backend = listening_at(make_backend(start=False), http_listen="systemd")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        with passing(backend, "http", sockets=[one]):
            assert backend.child.wait(20) == 2
    assert "no listening stream socket" in backend.log()
    backend.child = None


def test_passed_sockets_that_nobody_uses_are_told(make_backend):
    backend = make_backend(start=False)
    with passing(backend, "http"):
        wire.wait(lambda: "sockets_not_used" in backend.log(), what="the warning")
