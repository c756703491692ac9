"""How much the first load is, how long it takes, and ten thousand apps. What was measured is kept in
build/browser/measured.json."""

import concurrent.futures
import json
import os
import time

import pytest

from conftest import KEPT, console_of

BYTES_MAX = 100_000
LOAD_MS_MAX = 200
APPS = 10_000
RUNS_MIN = 5
RUNS_MAX = 25  # a machine that is busy with something else has a quiet moment
SHOWN = "return performance.getEntriesByName('console-shown').map((one) => one.startTime)"


def keep(**facts):
    """Adds to what was measured."""
    KEPT.mkdir(parents=True, exist_ok=True)
    path = KEPT / "measured.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, **facts}, indent=1, sort_keys=True) + "\n")


def load_once(console):
    """Loads the console with an empty cache: bytes over the wire by file, and when the first page was shown."""
    console.driver.get("about:blank")
    console.gather()
    seen = len(console.requests)
    console.open()
    shown = console.wait(lambda: console.script(SHOWN), "the first page")[0]
    console.gather()
    names, sizes = {}, {}
    for event in console.requests[seen:]:
        found = event["params"]
        if event["method"] == "Network.requestWillBeSent":
            names[found["requestId"]] = found["request"]["url"].removeprefix(console.origin)
        elif event["method"] == "Network.loadingFinished" and found["requestId"] in names:
            sizes[names[found["requestId"]]] = found["encodedDataLength"]
    return sizes, shown


def test_first_load(looker):
    busy = os.getloadavg()[0] / os.cpu_count()  # what others do at the same time takes its part
    limit = LOAD_MS_MAX * max(1, busy)
    looker.command("Network.setCacheDisabled", cacheDisabled=True)
    try:
        runs = []
        while len(runs) < RUNS_MIN or (len(runs) < RUNS_MAX and min(shown for _, shown in runs) >= limit):
            runs.append(load_once(looker))
    finally:
        looker.command("Network.setCacheDisabled", cacheDisabled=False)
    sizes, _ = runs[0]
    best = min(shown for _, shown in runs)
    total = round(sum(sizes.values()))
    keep(
        first_load_bytes=total,
        first_load_requests=len(sizes),
        first_load_ms_best=round(best),
        first_load_ms_all=[round(one) for _, one in runs],
        first_load_busy=round(busy, 1),
    )
    assert "/console/lib/bootstrap.min.css" in sizes and "/console/main.js" in sizes
    assert "/console/lib/chart.min.js" not in sizes, "it is for an app's page"
    assert total < BYTES_MAX, sizes
    assert best < limit, runs


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """A backend with ten thousand apps."""
    from conftest import e2e

    made = e2e.Backend(tmp_path_factory.mktemp("crowd") / "backend").start()
    headers = {"Authorization": f"Bearer {made.token}"}

    def some(numbers):
        client = made.client()
        for number in numbers:
            body = {"SdkAppid": 1400000001 + number, "MaxRoomCount": 100 + number, "Thresholds": [70, 90]}
            client.post("/manage/v1/app_create", body, headers).ok()
        client.close()

    workers = 64  # that many share a commit
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        list(pool.map(some, [range(first, APPS, workers) for first in range(workers)]))
    yield made
    assert made.stop() == 0


def timed(act):
    began = time.monotonic()
    act()
    return round((time.monotonic() - began) * 1000)


def test_ten_thousand_apps(browser, crowd):
    console = console_of(browser, crowd).sign_in()
    console.see("10,000", ".filters")
    rows = "return document.querySelectorAll('tr[data-app]').length"
    assert console.script(rows) == 50
    first = "return document.querySelector('tr[data-app]')?.dataset.app"

    def find():
        console.fill("Find SDKAppID", "1400009")
        console.see("of 1,000", ".paging")
        console.wait(lambda: console.script(first) == "1400009000", "the first of those")

    def page():
        console.press("Next")
        console.see("51 to 100 of 1,000", ".paging")

    def sort():
        console.choose("Sort", "SDKAppID")
        console.see("1 to 50 of 1,000", ".paging")

    def live():
        app = crowd.app(1500000000, MaxRoomCount=2)
        console.fill("Find SDKAppID", "15")
        console.see("1500000000", "main")
        app.create("r").ok()
        console.wait(lambda: console.one(".gauge").get_attribute("aria-valuenow") == "1", "the gauge")
        app.client.close()

    measured = {f"apps_{act.__name__}_ms": timed(act) for act in (find, page, sort, live)}
    loads = []
    for _ in range(3):
        console.open("?again")
        loads.append(console.wait(lambda: console.script(SHOWN), "the first page")[0])
    measured["apps_load_ms_best"] = round(min(loads))
    keep(**measured)
    console.check()
    browser.get("about:blank")
    assert max(measured.values()) < 3000, measured
