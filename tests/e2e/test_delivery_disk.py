"""The disk is full while callbacks wait, while they are sent, and while rooms are created: what cannot be stored is said and
nothing else happens; when there is space again all goes on by itself.

The disk is one of two: files that may not grow (a limit set on the running process, which works everywhere), and a small
file system in memory where this machine lets one be mounted."""

import collections
import resource
import shutil
import subprocess

import pytest

import wire
from receivers import CREATED, SDKAPPID, all_are, create_many, holding, sequence_of, sequences


class LimitedFiles:
    """No file of the backend may be written behind its present end."""

    def __init__(self, backend):
        self.backend = backend
        self.before = resource.prlimit(backend.child.pid, resource.RLIMIT_FSIZE)

    def fill(self):
        size = (self.backend.data / "highwater.db-wal").stat().st_size
        log_room = self.backend.log_path.stat().st_size + 65536  # its log is a file too
        assert size > log_room, "the log of the database is too short for this"
        resource.prlimit(self.backend.child.pid, resource.RLIMIT_FSIZE, (size, self.before[1]))

    def free(self):
        resource.prlimit(self.backend.child.pid, resource.RLIMIT_FSIZE, self.before)


class SmallDisk:
    """The data folder is a file system of a few megabytes, which a file of ours fills."""

    def __init__(self, backend):
        self.ballast = backend.data / "ballast"

    def fill(self):
        with open(self.ballast, "wb", buffering=0) as file:
            for size in (65536, 4096, 512):
                try:
                    while file.write(b"x" * size) == size:
                        pass
                except OSError:
                    pass

    def free(self):
        self.ballast.unlink()


@pytest.fixture(params=["files", "disk"])
def make_full(request, make_backend, tmp_path):
    """Starts a backend; gives it, and what fills and frees its disk."""
    mounted = []

    def make(*arguments):
        if request.param == "files":
            backend = make_backend(*arguments)
            return backend, LimitedFiles(backend)
        folder = tmp_path / "backend" / "data"
        folder.mkdir(parents=True)
        words = ["mount", "-t", "tmpfs", "-o", "size=32m,mode=700", "none", str(folder)]
        if not shutil.which("mount") or subprocess.run(words, capture_output=True, timeout=60, check=False).returncode:
            pytest.skip("no file system can be mounted here")
        mounted.append(folder)
        backend = make_backend(*arguments)
        return backend, SmallDisk(backend)

    yield make
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, timeout=60, check=False)


def resume(backend):
    return backend.manage("callback_resume", {"SdkAppid": SDKAPPID})


def refused_for_the_disk(reply):
    """100001, and the reason."""
    reply.refused(100001, "nothing was stored", "disk is full")


def batches_failed(backend):
    return backend.log().count("batch_failed class=full")


def wait_stored_in_vain(backend):
    """Waits until what could not be stored was tried again: the line comes at most once a second."""
    failed = batches_failed(backend)
    wire.wait(lambda: batches_failed(backend) >= failed + 1, what="outcomes to be stored in vain")


def times_sent(requests):
    """sequence -> how often it was sent."""
    return collections.Counter(sequence_of(request) for request in requests)


@pytest.fixture
def waiting(make_full, make_receiver, holding):
    """Starts a backend with so many callbacks, of which the receiver holds the first until the disk is full. They are
    few enough for the database's log not to begin anew: what is over in it would be space."""
    receiver = make_receiver(holding)

    def make(count, answer=None):
        backend, disk = make_full(
            *"--callback-retry-first 300ms --callback-retry-longest 300ms --callback-probe-longest 300ms".split(),
            "--callback-total-timeout", "60s",
        )  # fmt: skip
        holding.answer = answer or holding.answer
        app = backend.app(MaxRoomCount=100000)
        app.config("set_callback", {"Url": receiver.url, "CallbackCommandList": [CREATED]}).ok()
        backend.manage("callback_pause", {"SdkAppid": SDKAPPID}).ok()
        create_many(app, backend.port, (f"r{number}" for number in range(count)))
        resume(backend).ok()
        holding.wait_held(1)
        disk.fill()
        return backend, disk, app, receiver

    return make


def test_creations_are_refused_with_the_reason_and_go_on_later(make_full):
    backend, disk = make_full()
    app = backend.app(MaxRoomCount=100000)
    create_many(app, backend.port, (f"r{number}" for number in range(100)))
    disk.fill()
    for number in range(10):
        refused_for_the_disk(app.create(f"late{number}"))
    assert app.info("r7")["RoomId"] == "r7", "what is there can be read"
    assert backend.show()["RoomCount"] == 100 and backend.child.poll() is None
    assert batches_failed(backend) > 0
    disk.free()
    wire.wait(lambda: app.create("after").code == 0, what="a creation to be stored")
    assert backend.show()["RoomCount"] == 101
    app = backend.restart(app, kill=True)
    assert backend.show()["RoomCount"] == 101 and len(app.room_ids()) == 101


@pytest.mark.smoke
def test_what_is_stored_is_sent_once_while_its_outcome_cannot_be_stored(waiting, holding):
    backend, disk, app, receiver = waiting(20)
    holding.let_all_go()
    receiver.wait_for(20)
    wait_stored_in_vain(backend)
    refused_for_the_disk(app.create("late"))
    refused_for_the_disk(backend.manage("callback_pause", {"SdkAppid": SDKAPPID}))
    assert all_are("in_flight")(backend.deliveries()), "none is noted"
    assert times_sent(receiver.requests) == dict.fromkeys(range(1, 21), 1)
    disk.free()
    rows = backend.wait_deliveries(all_are("delivered"))
    assert [row["Attempts"] for row in rows] == [1] * 20
    assert len(receiver.requests) == 20, "no callback was sent twice"
    app.create("after").ok()
    backend.wait_deliveries(lambda rows: len(rows) == 21 and all_are("delivered")(rows))
    assert len(receiver.requests) == 21 and backend.show()["CallbackPending"] == 0


def test_failures_that_cannot_be_stored_are_not_tried_again(waiting, holding):
    backend, disk, app, receiver = waiting(20, (500, {}, b"out of order"))
    holding.let_all_go()
    receiver.wait_for(3)
    wait_stored_in_vain(backend)
    assert max(times_sent(receiver.requests).values()) == 1
    holding.answer = (200, {}, wire.OK_REPLY)
    disk.free()
    rows = backend.wait_deliveries(all_are("delivered"))
    assert sequences(rows) == list(range(1, 21))
    assert times_sent(receiver.requests) == {row["Sequence"]: row["Attempts"] for row in rows}
    assert {row["Attempts"] for row in rows} >= {1, 2}


def test_outcomes_that_cannot_be_stored_are_bounded(waiting, holding):
    """Eight for each request that may be under way; then delivery stops, and goes on when there is space."""
    backend, disk, app, receiver = waiting(200)
    holding.let_all_go()
    receiver.wait_for(64)
    wait_stored_in_vain(backend)
    assert len(receiver.requests) == 64
    assert app.info("r199")["RoomId"] == "r199"
    disk.free()
    backend.wait_deliveries(all_are("delivered"))
    assert times_sent(receiver.requests) == dict.fromkeys(range(1, 201), 1)


def test_kill_on_a_full_disk_sends_again_what_was_not_noted(waiting, holding):
    """At least once: with the same webhook-id."""
    backend, disk, app, receiver = waiting(20)
    holding.let_all_go()
    receiver.wait_for(20)
    acknowledged = set(app.room_ids())
    backend.kill()
    if isinstance(disk, SmallDisk):  # the limit ends with the process
        disk.free()
    app.client.close()
    backend.start()
    app = app.over(backend.client())
    rows = backend.wait_deliveries(all_are("delivered"))
    assert set(app.room_ids()) == acknowledged
    assert times_sent(receiver.requests) == dict.fromkeys(range(1, 21), 2)
    ids = {row["Sequence"]: row["WebhookId"] for row in rows}
    assert all(one["headers"]["webhook-id"] == ids[sequence_of(one)] for one in receiver.requests)


def test_start_after_a_kill_on_a_full_disk_loses_nothing(waiting, holding):
    """Whether it starts while the disk is full or says why not: afterwards everything is there."""
    backend, disk, app, receiver = waiting(20)
    backend.kill()
    app.client.close()
    try:
        backend.start(5)
    except AssertionError:
        assert isinstance(disk, SmallDisk) and backend.child.returncode == 3, backend.log()
        assert "full" in backend.log()
    else:
        backend.kill()
    if isinstance(disk, SmallDisk):
        disk.free()
    backend.start()
    assert backend.show()["RoomCount"] == 20
    holding.let_all_go()
    assert sequences(backend.wait_deliveries(all_are("delivered"))) == list(range(1, 21))
