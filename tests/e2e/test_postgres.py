"""Everything in PostgreSQL: a real server, private and on a socket, that is also stopped and killed under load."""

import pathlib
import random
import socket
import subprocess
import threading
import time
import urllib.parse

import pytest

import wire
from conftest import STATUS, Backend, postgres_schema, run, sql
from test_systemd import Manager

SDKAPPID = 1400000001
SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "private-postgres"


class Server:
    """A PostgreSQL server of this test."""

    def __init__(self, folder):
        self.note = folder / "url"
        subprocess.run([SCRIPT, "start", self.note], check=True, timeout=120)
        self.url = self.note.read_text().strip()

    def control(self, *arguments):
        subprocess.run([SCRIPT, "control", self.note, *arguments], check=True, timeout=60, capture_output=True)

    def kill(self):
        """As a power cut of that machine: no shutdown, the next start recovers."""
        self.control("stop", "--mode=immediate")

    def start(self):
        self.control("start", "--wait")

    def end(self):
        subprocess.run([SCRIPT, "stop", self.note], check=True, timeout=60)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("postgres"))
    yield server
    server.end()


@pytest.fixture
def make_node(server, tmp_path):
    """A backend in a schema of its own, or in that of another one."""
    nodes = []

    def make(url=None, *arguments, name="node", start=True):
        node = Backend(tmp_path / name, *arguments)
        node.environment["HIGHWATER_STORE_URL"] = url or postgres_schema(server.url)
        nodes.append(node)
        return node.start() if start else node

    yield make
    for node in nodes:
        if node.child and node.child.poll() is None:
            node.stop()
        node.check_log()


def database(node):
    return node.environment["HIGHWATER_STORE_URL"]


@pytest.mark.smoke
def test_an_alert_and_all_else_is_there_after_kill_and_restart(make_node, receiver):
    node = make_node()
    app = node.app(SDKAPPID, callback=receiver.url, token="a token", MaxRoomCount=10)
    for number in range(10):
        app.create_as(f"r{number}", "alice", "iOS").ok()
    app.create("one-more").refused(100013)
    assert sorted(call["body"]["CurRoomCount"] for call in receiver.wait_for(4)) == [7, 8, 9, 10]  # several at a time
    node.wait_deliveries(lambda rows: [row["State"] for row in rows] == ["delivered"] * 4)
    app = node.restart(app, kill=True)
    assert node.show(SDKAPPID)["RoomCount"] == 10 and app.info("r3")["RoomId"] == "r3"
    app.create("one-more").refused(100013)
    app.destroy("r0").ok()
    app.create("one-more").ok()
    assert receiver.wait_for(5)[4]["body"]["CurRoomCount"] == 10
    assert not list(node.data.glob("highwater.db*"))


def test_the_quota_is_exact_however_many_come_at_once(make_node):
    node = make_node()
    app = node.app(SDKAPPID, MaxRoomCount=50)
    answers = []

    def create(worker):
        client = node.client()
        mine = app.over(client)
        answers.extend(mine.create(f"w{worker}-{number}").code for number in range(10))
        client.close()

    workers = [threading.Thread(target=create, args=(worker,)) for worker in range(12)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(set(answers)) == [0, 100013] and answers.count(0) == 50
    assert sql(database(node), "SELECT count(*) FROM rooms") == "50"


def test_a_second_process_is_refused_and_comes_in_when_the_first_has_gone(make_node):
    first = make_node()
    second = make_node(database(first), name="second", start=False)
    result = run("serve", "--data-dir", str(second.data), "--http-listen", "127.0.0.1:0", env=second.environment)
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.strip() == "highwater serve: store: another highwater process uses this database"
    first.app(SDKAPPID)
    first.kill()
    deadline = time.monotonic() + 10
    while sql(database(first), "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") != "0":
        assert time.monotonic() < deadline
    second.start()
    assert second.show(SDKAPPID)["SdkAppid"] == SDKAPPID


def test_a_process_that_lost_the_database_to_another_one_ends_when_it_gets_it_back(make_node):
    first = make_node()
    app = first.app(SDKAPPID)
    app.create("before").ok()
    second = make_node(database(first), name="second", start=False)
    sql(database(first), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'highwater'")
    second.start()
    app.create("during").refused(100001)
    assert "another highwater process uses this database" in first.log() and first.child.poll() is None
    second.manage("room_destroy", {"SdkAppid": SDKAPPID, "RoomIdList": ["before"]}).ok()
    second.manage("app_delete", {"SdkAppid": SDKAPPID}).ok()
    second.stop()
    assert first.child.wait(10) == 74, "what it has in memory is not what is stored"
    assert 'event=store_lost error="another highwater process has used this database meanwhile"' in first.log()


def test_while_the_database_is_down_changes_are_refused_and_then_it_goes_on(make_node, server):
    node = make_node()
    app = node.app(SDKAPPID, MaxRoomCount=100)
    app.create("before").ok()
    server.kill()
    began = time.monotonic()
    answer = app.create("during")
    answer.refused(100001)
    assert time.monotonic() - began < 5
    app.rest("get_room_info", {"RoomId": "before"}).refused(100001)
    assert node.child.poll() is None
    server.start()
    deadline = time.monotonic() + 10
    while app.create("after").code != 0:
        assert time.monotonic() < deadline
    assert app.info("before")["RoomId"] == "before"
    assert node.show(SDKAPPID)["RoomCount"] == int(sql(database(node), "SELECT count(*) FROM rooms")) == 2
    assert "batch_failed class=io" in node.log()


class Load:
    """Creates rooms from several connections until it ends, and notes what each was answered."""

    def __init__(self, node, app, workers=6):
        self.over = threading.Event()
        self.acknowledged, self.answers, self.lock = set(), {}, threading.Lock()
        self.threads = [threading.Thread(target=self.create, args=(node, app, worker)) for worker in range(workers)]
        for thread in self.threads:
            thread.start()

    def create(self, node, app, worker):
        client = node.client()
        mine = app.over(client)
        number = 0
        while not self.over.is_set():
            number += 1
            code = mine.create(f"w{worker}-{number}").code
            with self.lock:
                self.answers[code] = self.answers.get(code, 0) + 1
                if code == 0:
                    self.acknowledged.add(f"w{worker}-{number}")
            if code:
                time.sleep(0.01)
        client.close()

    def wait_for(self, more):
        wanted = len(self.acknowledged) + more
        deadline = time.monotonic() + 30
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < deadline, self.answers
            time.sleep(0.01)

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def check(self, node):
        assert set(self.answers) <= {0, 100001} and node.child.poll() is None
        rooms = set(sql(database(node), "SELECT room_id FROM rooms").splitlines())
        assert self.acknowledged <= rooms, f"lost {sorted(self.acknowledged - rooms)[:3]}"
        assert rooms == self.acknowledged, f"refused, and there: {sorted(rooms - self.acknowledged)[:3]}"
        assert node.show(SDKAPPID)["RoomCount"] == len(rooms)


def test_a_database_killed_under_load_loses_nothing_that_was_acknowledged(make_node, server):
    node = make_node()
    load = Load(node, node.app(SDKAPPID, MaxRoomCount=1000000))
    for _ in range(4):
        load.wait_for(100)
        server.kill()
        server.start()
    load.end()
    load.check(node)


def test_a_database_that_was_started_anew_between_two_batches_costs_nobody_an_error(make_node, server):
    node = make_node()
    app = node.app(SDKAPPID)
    for number in range(3):
        server.control("restart", "--mode=fast", "--wait")
        app.create(f"r{number}").ok()
        assert app.info(f"r{number}")["RoomId"] == f"r{number}"
    assert "batch_failed" not in node.log()


def test_sessions_ended_at_any_moment_lose_nothing_that_was_acknowledged(make_node):
    node = make_node()
    load = Load(node, node.app(SDKAPPID, MaxRoomCount=1000000))
    chance = random.Random(1)
    for _ in range(60):
        load.wait_for(5)
        time.sleep(chance.random() / 100)
        sql(database(node), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'highwater'")
    load.end()
    load.check(node)


def test_a_database_that_hangs_costs_one_time_limit(make_node, server):
    node = make_node(None, "--store-timeout", "2s")
    app = node.app(SDKAPPID, MaxRoomCount=10)
    app.create("before").ok()
    blocker = subprocess.Popen(
        ["psql", "--no-psqlrc", "--quiet", database(node)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    blocker.stdin.write("BEGIN; SELECT * FROM app_state FOR UPDATE; SELECT 1;\n")
    blocker.stdin.flush()
    deadline = time.monotonic() + 10
    while sql(database(node), "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'") == "0":
        assert time.monotonic() < deadline
    began = time.monotonic()
    app.create("during").refused(100001)
    assert 1 < time.monotonic() - began < 6
    blocker.stdin.close()
    blocker.wait(10)
    app.create("after").ok()
    assert node.show(SDKAPPID)["RoomCount"] == 2


class Path:
    """A way to the server over TCP, which can be lost without either end being told."""

    def __init__(self, server):
        self.socket = urllib.parse.parse_qs(urllib.parse.urlsplit(server.url).query)["host"][0] + "/.s.PGSQL.5432"
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"postgresql://highwater@127.0.0.1:{self.listener.getsockname()[1]}/postgres?connect_timeout=2"
        self.pairs = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.socket)
            lost = threading.Event()
            self.pairs.append((near, far, lost))
            for source, to in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(source, to, lost), daemon=True).start()

    @staticmethod
    def pump(source, to, lost):
        try:
            while data := source.recv(65536):
                if lost.is_set():
                    return
                to.sendall(data)
            if not lost.is_set():
                to.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def lose(self):
        """What is open stays open at both ends and carries nothing any more; new connections do."""
        for _, _, lost in self.pairs:
            lost.set()

    def end(self):
        self.listener.close()
        for near, far, _ in self.pairs:
            near.close()
            far.close()


def test_a_connection_lost_on_the_way_is_not_taken_for_another_process(make_node, server):
    path = Path(server)
    node = make_node(postgres_schema(path.url), "--store-timeout", "2s")
    app = node.app(SDKAPPID, MaxRoomCount=100)
    app.create("before").ok()
    path.lose()
    app.create("during").refused(100001)
    deadline = time.monotonic() + 15
    while app.create("after").code != 0:
        assert time.monotonic() < deadline, node.log()
        time.sleep(0.1)
    assert sql(database(node), "SELECT string_agg(room_id, ' ' ORDER BY id) FROM rooms") == "before after"
    node.stop()
    path.end()


def test_commits_are_durable_whatever_the_server_defaults_to(make_node, server):
    name = f"lazy{time.monotonic_ns()}"
    sql(server.url, f"CREATE DATABASE {name}")
    sql(server.url, f"ALTER DATABASE {name} SET synchronous_commit = off")
    url = server.url.replace("/postgres?", f"/{name}?")
    node = make_node(url)
    node.app(SDKAPPID).create("r").ok()
    before = sql(url, "SELECT pg_current_wal_insert_lsn() <= pg_current_wal_flush_lsn()")
    assert before == "t", "a commit was answered that is not on disk"


def test_readyz_tells_without_a_request_that_the_database_went_away_and_healthz_stays_up(make_node, server):
    node = make_node(None, "--store-timeout", "2s", *STATUS)
    assert node.status("/readyz")[0] == 200
    server.kill()
    try:
        wire.wait(lambda: node.status("/readyz")[0] == 503, what="the database is missed")
        assert "the store cannot be written: PostgreSQL" in node.status("/readyz")[1]
        assert "highwater_store_failing 1\n" in node.status("/metrics")[1]
        assert node.status("/healthz") == (200, "ok\n")
    finally:
        server.start()
    wire.wait(lambda: node.status("/readyz")[0] == 200, what="the database is there again")
    assert node.log().count("event=store_unwritable") == 1 and node.log().count("event=store_writable") == 1


def test_the_watchdog_waits_as_long_as_the_database_may_take(make_node, tmp_path):
    manager = Manager(tmp_path)
    node = make_node(None, "--store-timeout", "2s", start=False)
    node.environment |= {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "1000000"}
    app = node.start().app(SDKAPPID)
    blocker = subprocess.Popen(
        ["psql", "--no-psqlrc", "--quiet", database(node)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    blocker.stdin.write("BEGIN; SELECT * FROM app_state FOR UPDATE; SELECT 1;\n")
    blocker.stdin.flush()
    wire.wait(lambda: sql(database(node), "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'") != "0",
              what="the lock")  # fmt: skip
    app.create("during").refused(100001)
    blocker.stdin.close()
    blocker.wait(10)
    assert "thread_stalls" not in node.log()


def test_a_commit_that_stopped_waiting_for_its_standby_is_not_acknowledged(make_node, server):
    node = make_node(None, "--store-timeout", "2s")
    app = node.app(SDKAPPID)
    app.create("before").ok()
    try:
        sql(server.url, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        sql(server.url, "SELECT pg_reload_conf()")
        answers = []

        def create():
            try:
                answers.append(app.create("during").code)
            except OSError:
                answers.append("none")

        thread = threading.Thread(target=create)
        thread.start()
        deadline = time.monotonic() + 20
        while thread.is_alive():
            assert time.monotonic() < deadline
            sql(server.url, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        assert answers == ["none"]
        assert node.child.wait(10) == 74 and "event=store_lost" in node.log()
    finally:
        sql(server.url, "ALTER SYSTEM RESET synchronous_standby_names")
        sql(server.url, "SELECT pg_reload_conf()")


@pytest.mark.parametrize("url, says, code", [
    ("/latin?", "server_encoding is LATIN1 and must be UTF8", 2),
    ("client_encoding", "client_encoding is LATIN1 and must be UTF8", 2),
    ("role", ("permission denied for schema public", "the role may not make tables in the current schema"), 3),
    ("search_path", ("no schema has been selected", "no schema of its search_path is there"), (3, 2)),
    ("read_only", "session is read-only", 3),
])
def test_what_cannot_work_is_told_by_the_start_and_by_check(server, tmp_path, url, says, code):
    changes = {
        "/latin?": server.url.replace("/postgres?", "/latin?"),
        "client_encoding": server.url + "&client_encoding=LATIN1",
        "role": server.url.replace("user=highwater", "user=weak"),
        "search_path": server.url + "&options=-csearch_path%3Dnothing",
        "read_only": server.url + "&options=-cdefault_transaction_read_only%3Don",
    }
    if url == "/latin?":
        sql(server.url, "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    if url == "role":
        sql(server.url, "CREATE ROLE weak LOGIN")
    for place, arguments in enumerate(((), ("--check",))):
        result = run("serve", *arguments, "--data-dir", str(tmp_path / "data"), "--http-listen", "127.0.0.1:0",
                     env={"HIGHWATER_STORE_URL": changes[url]})
        text = result.stdout + result.stderr
        assert (says if isinstance(says, str) else says[place]) in text
        assert result.returncode == (code if isinstance(code, int) else code[place]), text


def test_a_newer_schema_is_refused(make_node):
    node = make_node()
    node.stop()
    sql(database(node), "UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    for arguments in ((), ("--check",)):
        result = run("serve", *arguments, "--data-dir", str(node.data), "--http-listen", "127.0.0.1:0", env=node.environment)
        assert result.returncode == 2, result.stderr
        assert "its schema version 99 is newer than this program's 1: use a newer highwater" in result.stdout + result.stderr


@pytest.mark.parametrize("url, says, code", [
    ("postgresql://a:hunter2secret@127.0.0.1:1/x", "connecting", 3),
    ("postgresql://hunter2secret@[::1", "the PostgreSQL URL cannot be read", 2),
    ("hunter2secret", "the PostgreSQL URL cannot be read", 2),
    ("postgresql://a:hunter2secret@/x?host=/nowhere", "connecting", 3),
])
def test_a_wrong_url_is_told_without_what_it_holds(tmp_path, url, says, code):
    for arguments in ((), ("--check",)):
        result = run("serve", *arguments, "--data-dir", str(tmp_path / "data"), "--http-listen", "127.0.0.1:0",
                     env={"HIGHWATER_STORE_URL": url})
        text = result.stdout + result.stderr
        assert says in text and "hunter2secret" not in text
        assert result.returncode == code, text


def test_the_url_is_shown_nowhere(make_node, server):
    node = make_node()
    node.app(SDKAPPID)
    shown = node.manage("server_show", {}).ok().response
    assert shown["Store"] == "postgresql"
    assert [row["Value"] for row in shown["Settings"] if row["Name"] == "store.url"] == ["hidden"]
    dump = run("serve", "--dump", env={"HIGHWATER_STORE_URL": "postgresql://a:hunter2secret@b/c"})
    assert dump.returncode == 0 and "hunter2secret" not in dump.stdout and "store.url" in dump.stdout
