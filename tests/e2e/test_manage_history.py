"""What the management API tells of the past: the history of a room count, and the audit log."""

import json
import sqlite3
import time

from clock import Clock
from conftest import run

SDKAPPID = 1400000001


def audits(backend, **fields):
    return backend.manage("audit_list", fields).ok().response["AuditList"]


def history(backend, **fields):
    return backend.manage("app_history", {"SdkAppid": SDKAPPID, **fields}).ok().response


def test_each_change_has_its_row(backend, receiver):
    before = time.time() * 1000 - 1
    app = backend.app(SDKAPPID, MaxRoomCount=10, callback=receiver.url + "?secret=hidden-in-query", token="a-token-here")
    backend.manage("app_set", {"SdkAppid": SDKAPPID, "MaxRoomCount": 20}).ok()
    backend.manage("callback_pause", {"SdkAppid": SDKAPPID}).ok()
    rows = audits(backend)
    assert [row["Action"] for row in rows] == ["callback_pause", "app_set", "callback_set", "token_set", "app_create"]
    assert [row["Actor"] for row in rows] == ["token", "token", "admin:administrator", "admin:administrator", "token"]
    assert rows[1]["Detail"] == "maximum 10 -> 20"
    assert rows[2]["Detail"].startswith("URL ") and "?..." in rows[2]["Detail"]
    assert all(row["ClientIp"] == "127.0.0.1" and row["SdkAppid"] == SDKAPPID for row in rows)
    assert all(before <= row["Time"] <= time.time() * 1000 for row in rows)
    ids = [row["AuditId"] for row in rows]
    assert ids == sorted(set(ids), reverse=True)
    text = str(rows)
    assert "hidden-in-query" not in text and "a-token-here" not in text and app.key not in text


def test_refusals_and_daily_work_have_no_row(backend):
    app = backend.app(SDKAPPID, MaxRoomCount=10)
    rows = audits(backend)
    assert backend.manage("app_set", {"SdkAppid": SDKAPPID, "MaxRoomCount": -1}).code == 100002
    assert backend.manage("app_key_revoke", {"SdkAppid": SDKAPPID, "KeyId": 99}).code == 100002
    app.create("r1").ok()
    assert audits(backend) == rows


def test_pages_filters_and_a_restart(make_backend):
    backend = make_backend()
    for sdkappid in (1, 2):
        backend.manage("app_create", {"SdkAppid": sdkappid}).ok()
    for maximum in range(1, 6):
        backend.manage("app_set", {"SdkAppid": 1, "MaxRoomCount": maximum}).ok()
    backend.manage("app_delete", {"SdkAppid": 1}).ok()
    backend.stop()
    backend.start()
    every = audits(backend)
    assert len(every) == 8 and every[0]["Action"] == "app_delete"
    assert audits(backend, SdkAppid=1) == [row for row in every if row["SdkAppid"] == 1]
    assert audits(backend, SdkAppid=3) == []
    paged, cursor = [], 0
    while True:
        page = backend.manage("audit_list", {"Count": 3, "Next": cursor}).ok().response
        paged += page["AuditList"]
        cursor = page["Next"]
        if not cursor:
            break
    assert paged == every


def test_an_endpoint_that_has_gone_is_the_systems_doing(backend, make_receiver):
    receiver = make_receiver(lambda number, request: (410, {}, b"gone"))
    app = backend.app(SDKAPPID, MaxRoomCount=1, callback=receiver.url)
    app.create("r1").ok()
    deadline = time.monotonic() + 20
    while (row := audits(backend)[0])["Action"] != "callback_pause":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert row["Actor"] == "system" and row["ClientIp"] == ""
    assert row["Detail"].startswith("the endpoint answered 410: http")


def test_history_of_a_count(backend):
    app = backend.app(SDKAPPID, MaxRoomCount=10)
    for name in "abc":
        app.create(name).ok()
    app.destroy("a").ok()
    found = history(backend)
    assert (found["RoomCount"], found["MaxRoomCount"]) == (2, 10)
    last = found["PointList"][-1]  # nothing is known of the time before
    assert (last["RoomCount"], last["HighestRoomCount"], last["MaxRoomCount"]) == (2, 3, 10)
    assert abs(last["Time"] - time.time() * 1000) < 60000
    assert len(found["PointList"]) <= 2
    few = history(backend, Since=0, Points=1)["PointList"]
    assert [point["HighestRoomCount"] for point in few] == [3]


def test_history_over_minutes(make_backend, clock_shim, tmp_path):
    """A clock that is moved on makes minutes of what takes a moment."""
    clock = Clock(tmp_path / "shift")
    backend = make_backend(start=False)
    backend.environment |= clock.environment(clock_shim)
    backend.start()
    app = backend.app(SDKAPPID, MaxRoomCount=100)
    began = int(time.time() * 1000)
    counts = []
    for run in range(5):
        clock.set(run * 600)
        for room in range(run + 1):
            app.create(f"r{run}-{room}").ok()
        app.destroy(f"r{run}-0").ok()
        counts.append(sum(range(run + 1)))
    backend.manage("app_set", {"SdkAppid": SDKAPPID, "MaxRoomCount": 50}).ok()
    clock.set(5 * 600)
    points = history(backend, Since=began - 3600_000, Points=110)["PointList"]
    assert points[0]["Time"] >= began - 60_000, "nothing is known of the time before"
    for run, count in enumerate(counts):  # ten minutes each, its first and last are left out
        times = range(began + run * 600_000 + 90_000, began + (run + 1) * 600_000 - 60_000)
        found = [point for point in points if point["Time"] in times]
        assert len(found) > 4
        assert {point["RoomCount"] for point in found} == {count}
        assert {point["MaxRoomCount"] for point in found} == {50 if run == 4 else 100}
    peaks = [point["HighestRoomCount"] for point in points if point["HighestRoomCount"] > point["RoomCount"]]
    assert sorted(peaks) == [count + 1 for count in counts], "the highest count of a moment is seen once"
    assert points[-1]["RoomCount"] == counts[-1]
    backend.restart(app)
    again = history(backend, Since=began - 3600_000, Points=110)["PointList"]
    assert {point["RoomCount"] for point in again} == {point["RoomCount"] for point in points}


def test_what_is_older_than_it_is_kept_goes(make_backend, clock_shim, tmp_path):
    clock = Clock(tmp_path / "shift")
    backend = make_backend("--audit-keep", "2h", "--history-keep", "1h", start=False)
    backend.environment |= clock.environment(clock_shim)
    backend.start()
    app = backend.app(SDKAPPID, MaxRoomCount=100)
    for hour in range(5):
        clock.set(hour * 3600)
        app.create(f"r{hour}").ok()
        backend.manage("app_set", {"SdkAppid": SDKAPPID, "MaxRoomCount": 101 + hour}).ok()
    kept = [row["Detail"] for row in audits(backend)]
    assert kept == ["maximum 104 -> 105", "maximum 103 -> 104"], "the one of two hours ago is a moment too old"
    backend.stop()
    with sqlite3.connect(backend.data / "highwater.db") as db:
        kept = [row[0] for row in db.execute("SELECT room_count FROM samples ORDER BY minute_ms")]
    assert kept == [4], "nothing within the hour but what runs, and the last one before it"


def test_what_is_wrong_with_the_question(backend):
    backend.app(SDKAPPID)
    for command, body in (
        ("app_history", {}),
        ("app_history", {"SdkAppid": SDKAPPID, "Since": int(time.time() * 1000) + 3600000}),
        ("app_history", {"SdkAppid": SDKAPPID, "Points": 0}),
        ("app_history", {"SdkAppid": SDKAPPID, "Points": 501}),
        ("audit_list", {"Count": 0}),
        ("audit_list", {"Next": -1}),
        ("audit_list", {"SdkAppid": "1"}),
    ):
        answer = backend.manage(command, body)
        assert answer.code == 100002 and answer.info, (command, body)
    assert backend.manage("app_history", {"SdkAppid": 9}).code == 70020


def test_the_command_line_lists_what_was_changed(backend):
    def run_cli(*arguments, status=0):
        token = {"HIGHWATER_ADMIN_TOKEN_FILE": str(backend.data / "admin-token")}
        ended = run(*arguments, "--server", f"http://127.0.0.1:{backend.port}", env=token)
        assert ended.returncode == status, ended
        return ended

    app = backend.app(SDKAPPID, MaxRoomCount=10)
    for maximum in range(20, 45):
        backend.manage("app_set", {"SdkAppid": SDKAPPID, "MaxRoomCount": maximum}).ok()
    shown = run_cli("audit").stdout.splitlines()
    assert len(shown) == 22 and "maximum 43 -> 44" in shown[1] and shown[-1].startswith("There may be older ones")
    every = run_cli("audit", "--limit", "100", "--app", str(SDKAPPID)).stdout.splitlines()
    assert len(every) == 27 and "app_create" in every[-1] and app.key not in str(every)
    assert json.loads(run_cli("audit", "--json", "--limit", "3").stdout)["AuditList"] == audits(backend, Count=3)
    assert run_cli("audit", "--app", "9").stdout == "nothing was changed yet\n"
    assert run_cli("audit", "--app", "x", status=2).stderr.startswith("highwater audit: --app")
