"""The management API's looks at many apps, and at the backend itself.

HIGHWATER_APPS sets how many apps the large backend has (10,000)."""

import os
import sqlite3
import time

import pytest

import wire
from clock import Clock
from receivers import CREATED

SDKAPPID = 1400000001
APPS = int(os.environ.get("HIGHWATER_APPS", "10000"))
LOOK_S = 0.25  # the fastest of a few calls for a page of so many apps: the machine may do other things too
HOUR_MS = 3_600_000


def overview(backend, **fields):
    return backend.manage("app_overview", fields).ok().response


def ids(page):
    return [app["SdkAppid"] for app in page["AppList"]]


def fill(backend, sdkappid, rooms, **fields):
    app = backend.app(sdkappid, **fields)
    for number in range(rooms):
        app.create(f"r{number}").ok()
    return app


def test_an_empty_backend(backend):
    page = overview(backend)
    assert page == {
        "Total": 0, "Matched": 0, "Near": 0, "Full": 0, "Waiting": 0, "Failing": 0, "Paused": 0,
        "CallbackPending": 0, "AppList": [],
    }  # fmt: skip


def test_an_app_is_as_app_show_has_it(backend, receiver):
    receiver.down()
    fill(backend, SDKAPPID, 3, MaxRoomCount=4, AlertMode="edge", Thresholds=[50, 75], callback=receiver.url)
    wire.wait(lambda: backend.show()["Endpoint"]["Failures"] > 0, what="a failed attempt")
    backend.manage("callback_pause", {"SdkAppid": SDKAPPID}).ok()
    wire.wait(lambda: backend.manage("callback_list", {"State": "in_flight"}).response["CallbackList"] == [])
    shown = backend.show()
    (app,) = overview(backend)["AppList"]
    both = set(app) & set(shown)
    assert both == set(app) - {"OldestPending", "Trend"}
    assert {name: app[name] for name in both} == {name: shown[name] for name in both}
    assert app["OldestPending"] == min(row["EventTime"] for row in backend.callbacks(State="waiting"))
    assert app["AlertLevel"] == 75 and app["CallbackPending"] == 2
    assert [point["RoomCount"] for point in app["Trend"]] == [3], "nothing is known of the hours before"


def test_filters_counts_and_order(backend, receiver):
    receiver.down()
    fill(backend, 11, 1, MaxRoomCount=10)
    fill(backend, 12, 7, MaxRoomCount=10)  # near
    fill(backend, 113, 2, MaxRoomCount=2, Thresholds=[50], callback=receiver.url)  # near and full, waits and fails
    fill(backend, 21, 0, MaxRoomCount=0)  # full: it admits nothing
    fill(backend, 22, 1, MaxRoomCount=10, callback=receiver.url, commands=[CREATED])
    backend.manage("callback_pause", {"SdkAppid": 22}).ok()
    wire.wait(lambda: backend.show(113)["Endpoint"]["Failures"] > 0, what="a failed attempt")
    wire.wait(lambda: not backend.callbacks(SdkAppid=22, State="in_flight"), what="the last attempt before the pause")
    failing = [app for app in (113, 22) if backend.show(app)["Endpoint"]["Failures"]]  # 22 may have been paused too late
    page = overview(backend)
    counts = {name: page[name] for name in ("Total", "Matched", "Near", "Full", "Waiting", "Failing", "Paused")}
    assert counts == {
        "Total": 5, "Matched": 5, "Near": 2, "Full": 2, "Waiting": 2, "Failing": len(failing), "Paused": 1,
    }  # fmt: skip
    assert page["CallbackPending"] == backend.show(113)["CallbackPending"] + backend.show(22)["CallbackPending"]
    assert ids(page) == [21, 113, 12, 11, 22], "by usage, alike ones by SdkAppid; nothing of nothing is all"
    assert ids(overview(backend, Sort="sdkappid")) == [11, 12, 21, 22, 113]
    assert ids(overview(backend, Sort="waiting"))[:2] == [113, 22]
    for name, found in (
        ("all", [11, 12, 21, 22, 113]),
        ("near", [12, 113]),
        ("full", [21, 113]),
        ("waiting", [22, 113]),
        ("failing", sorted(failing)),
        ("paused", [22]),
    ):
        filtered = overview(backend, Filter=name, Sort="sdkappid")
        assert ids(filtered) == found and filtered["Matched"] == len(found), name
        assert {key: filtered[key] for key in counts if key != "Matched"} == {
            key: counts[key] for key in counts if key != "Matched"
        }
    assert ids(overview(backend, Search="11")) == [113, 11]
    assert ids(overview(backend, Search="11", Filter="full")) == [113]
    assert ids(overview(backend, Search="113")) == [113]
    assert ids(overview(backend, Search="1130")) == ids(overview(backend, Search="13")) == []
    assert ids(overview(backend, Search="")) == ids(page)


def test_pages(backend):
    for sdkappid in range(1, 8):
        backend.manage("app_create", {"SdkAppid": sdkappid}).ok()
    assert ids(overview(backend, Offset=0, Count=3)) == [1, 2, 3]
    assert ids(overview(backend, Offset=3, Count=3)) == [4, 5, 6]
    assert ids(overview(backend, Offset=6, Count=3)) == [7]
    assert ids(overview(backend, Offset=7, Count=3)) == ids(overview(backend, Offset=10**9)) == []
    assert overview(backend, Offset=7)["Matched"] == 7


def test_trend_of_a_day(make_backend, clock_shim, tmp_path):
    clock = Clock(tmp_path / "shift")
    backend = make_backend(start=False)
    backend.environment |= clock.environment(clock_shim)
    backend.start()
    app = backend.app(MaxRoomCount=100)
    for hour in range(20):
        clock.set(hour * 3600)
        app.create(f"r{hour}").ok()
        if hour == 10:
            clock.set(hour * 3600 + 1200)  # a peak within an hour is not in the trend
            app.create("peak").ok()
            clock.set(hour * 3600 + 1800)
            app.destroy("peak").ok()
    clock.set(20 * 3600 - 1800)
    (shown,) = overview(backend)["AppList"]
    assert [point["RoomCount"] for point in shown["Trend"]] == list(range(1, 21)), "and nothing of the time before"
    times = [point["Time"] for point in shown["Trend"]]
    assert {after - before for before, after in zip(times, times[1:])} == {HOUR_MS}
    assert abs(times[-1] - (time.time() + 20 * 3600 - 1800) * 1000) < 60_000
    clock.set(40 * 3600 - 1800)  # nothing changed since
    (later,) = overview(backend)["AppList"]
    assert [point["RoomCount"] for point in later["Trend"]] == [17, 18, 19] + [20] * 21


@pytest.mark.parametrize(
    "body",
    [
        {"Filter": "most"},
        {"Filter": ""},
        {"Filter": 1},
        {"Sort": "name"},
        {"Search": "1a"},
        {"Search": "-1"},
        {"Search": "12345678901"},
        {"Search": 14},
        {"Offset": -1},
        {"Offset": 10**9 + 1},
        {"Count": 0},
        {"Count": 101},
    ],
)
def test_what_is_wrong_with_the_question(backend, body):
    answer = backend.manage("app_overview", body)
    assert answer.code == 100002 and answer.info


# ---- many apps ----


def put_apps(backend, count):
    """Makes so many apps of the only one in the file of a backend that has stopped: copies of it with rising ids, half of
    them with rooms. A hundred have a sample for every minute of the last day, and a thousand callbacks that were tried."""
    now = int(time.time() * 1000)
    with sqlite3.connect(backend.data / "highwater.db") as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("CREATE TEMP TABLE n AS WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)"
                   " SELECT n FROM n", (count - 1,))  # fmt: skip
        for table, changes in (
            ("apps", {"number": "number + n"}),
            ("app_state", {"room_count": "n % 2 * n % 97", "callback_pending": "iif(n <= 100, 1000, 0)"}),
        ):
            names = [row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[1] != "sdkappid"]
            db.execute(f"CREATE TEMP TABLE old_{table} AS SELECT * FROM {table}")
            db.execute(f"INSERT INTO {table} (sdkappid, {', '.join(names)}) SELECT sdkappid + n,"
                       f" {', '.join(changes.get(name, name) for name in names)} FROM n, old_{table}")  # fmt: skip
        db.execute("UPDATE meta SET value = ? WHERE key = 'app_number_next'", (str(count + 1),))
        db.execute("CREATE TEMP TABLE m AS WITH RECURSIVE m(m) AS (SELECT 1 UNION ALL SELECT m + 1 FROM m WHERE m < 1440)"
                   " SELECT m FROM m")  # fmt: skip
        db.execute("INSERT INTO samples SELECT n + 1, (? / 60000 - m) * 60000, m % 50, m % 50, 100 FROM n, m"
                   " WHERE n <= 100", (now,))  # fmt: skip
        db.execute("INSERT INTO callbacks (id, sdkappid, command, threshold, platform, client_ip, body, event_ms, state,"
                   " attempts, due_ms, attempt_ms, http_status, error) SELECT ((n + 1) << 40) + m, ? + n, 5, 70, 2, '',"
                   " '{}', ? - 1440 + m, 0, 1, ? + 3600000 + m, ?, 500, '' FROM n, m WHERE n <= 100 AND m <= 1000",
                   (SDKAPPID, now, now, now))  # fmt: skip
        db.execute("UPDATE app_state SET minute_ms = ? / 60000 * 60000, callback_sequence = 2000", (now,))
    db.close()


@pytest.fixture
def large(make_backend):
    backend = make_backend("--callback-retry-longest", "2h", start=False).start()
    backend.manage("app_create", {"SdkAppid": SDKAPPID, "MaxRoomCount": 100}).ok()
    assert backend.stop() == 0
    put_apps(backend, APPS)
    return backend.start(60)


def time_calls(call, times=9):
    """How many seconds they took, the fastest first."""
    seconds = []
    for _ in range(times):
        started = time.monotonic()
        call()
        seconds.append(time.monotonic() - started)
    return sorted(seconds)


@pytest.mark.parametrize("fields", [
    {}, {"Count": 100, "Sort": "waiting"}, {"Filter": "near"}, {"Search": "14000099"}, {"Offset": APPS - 50},
], ids=str)  # fmt: skip
def test_many_apps_cost_little(large, fields):
    page = overview(large, **fields)
    assert page["Total"] == APPS and len(page["AppList"]) == min(page["Matched"], fields.get("Count", 50))
    assert page["CallbackPending"] == 100_000 and page["Waiting"] == 100
    if fields.get("Sort") == "waiting":
        assert all(len(app["Trend"]) == 24 and app["OldestPending"] > 0 for app in page["AppList"])
    seconds = time_calls(lambda: overview(large, **fields))
    print(f"{APPS} apps, {fields}: {seconds[4] * 1000:.1f} ms")
    assert seconds[0] < LOOK_S, f"{seconds[0] * 1000:.0f} ms"


# ---- the backend ----


def test_server_show(make_backend, tmp_path):
    file = tmp_path / "settings"
    file.write_text("audit.keep = 48h\nhistory.keep = 1d\nmanage.session_timeout = 2h\n")
    backend = make_backend("--config", str(file), "--history-keep", "3d", start=False)
    backend.environment |= {"HIGHWATER_MANAGE_SESSION_TIMEOUT": "90m"}
    before = time.time() * 1000 - 1
    backend.start()
    fill(backend, 1, 2)
    fill(backend, 2, 1)
    shown = backend.manage("server_show", {}).ok().response
    assert before <= shown["StartTime"] <= shown["Now"] <= time.time() * 1000
    assert (shown["Store"], shown["DataDir"]) == ("sqlite", os.path.realpath(backend.data))
    assert (shown["Apps"], shown["Rooms"], shown["CallbackPending"], shown["Sessions"]) == (2, 3, 0, 0)
    settings = {row["Name"]: row for row in shown["Settings"]}
    found = {name: (settings[name]["Value"], settings[name]["Source"], settings[name]["Default"]) for name in (
        "audit.keep", "history.keep", "manage.session_timeout", "callback.reply_max", "callback.supersede",
    )}  # fmt: skip
    assert found == {
        "audit.keep": ("2d", "file", "365d"),
        "history.keep": ("3d", "flag", "2d"),
        "manage.session_timeout": ("90m", "environment", "8h"),
        "callback.reply_max": ("16KiB", "default", "16KiB"),
        "callback.supersede": ("off", "flag", "on"),
    }
    assert settings["data.dir"]["Value"] == str(backend.data)
    assert all(row["Meaning"].endswith(".") for row in shown["Settings"])
    assert backend.token not in str(shown)


def test_server_show_gives_a_file_that_says_the_same(make_backend, tmp_path):
    """What it shows is what a settings file takes."""
    first = make_backend("--callback-ca-file", "", folder="first")
    shown = first.manage("server_show", {}).ok().response["Settings"]
    file = tmp_path / "settings"
    own = ("http.listen", "http.port_file", "data.dir")
    file.write_text("".join(f"{row['Name']} = {row['Value']}\n" for row in shown if row["Name"] not in own))
    second = make_backend("--config", str(file), folder="second")
    again = second.manage("server_show", {}).ok().response["Settings"]
    assert [row["Value"] for row in again if row["Name"] not in own] == [
        row["Value"] for row in shown if row["Name"] not in own
    ]
