"""Fixtures: the console in a real browser against a real backend. The backend and the receivers are those of tests/e2e.

One browser serves all tests; each test has its own backend and so its own origin. When a test ends, whatever the browser has
said is judged: an error on its console, a breach of the Content-Security-Policy, or a request that left the origin fails it.
"""

import base64
import importlib.util
import json
import os
import pathlib
import re
import shutil
import sys
import time
import urllib.parse

import pytest
from selenium import webdriver
from selenium.common.exceptions import ElementClickInterceptedException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

ROOT = pathlib.Path(__file__).resolve().parents[2]
E2E = ROOT / "tests" / "e2e"
KEPT = ROOT / "build" / "browser"  # screenshots, and what was measured
DESKTOP = (1280, 800)
PHONE = (390, 844)
SECONDS = 15

sys.path.insert(0, str(E2E))


def load_e2e():
    spec = importlib.util.spec_from_file_location("e2e_conftest", E2E / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["e2e_conftest"] = module
    spec.loader.exec_module(module)
    return module


e2e = load_e2e()
# fixtures of tests/e2e, by the names they have there
binary, make_backend, backend = e2e.binary, e2e.make_backend, e2e.backend
make_app_backend, make_receiver, receiver = e2e.make_app_backend, e2e.make_receiver, e2e.receiver
certificates = e2e.certificates


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A test that fails leaves a picture of what the browser showed, and the logs of what it has started."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for process in e2e.Process.started:
            report.sections.append((str(process.log_path), process.log()[-4000:]))
        console = item.funcargs.get("console")
        if console:
            name = "failed-" + re.sub(r"[^\w-]+", "-", item.name)
            console.shot(name, whole=False)
            report.sections.append(("browser", f"{KEPT / name}.png\n{console.heard()}"))
    if report.when == "teardown":
        e2e.Process.started.clear()


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    for name in ("chromium", "chromedriver"):
        if not shutil.which(name):
            pytest.fail(f"{name} is missing: run scripts/install-deps test")
    home = tmp_path_factory.mktemp("browser")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--user-data-dir={home}/profile",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = Service(shutil.which("chromedriver"), env={**os.environ, "HOME": str(home)}, log_path=str(home / "driver.log"))
    driver = webdriver.Chrome(service=service, options=options)
    driver.set_page_load_timeout(30)
    driver.set_script_timeout(60)
    yield driver
    driver.quit()


FIND = """
const dialogs = document.querySelectorAll("dialog[open]");
const scope = dialogs[dialogs.length - 1] ?? document.body;
const shown = (one) => one.checkVisibility() && one.getClientRects().length > 0;
const find = (css, fits) => [...scope.querySelectorAll(css)].find((one) => shown(one) && fits(one)) ?? null;
"""
FIND_NAMED = f"""{FIND}
const [text, css] = arguments;
return find(css, (one) => one.innerText.trim() === text || one.getAttribute("aria-label") === text);
"""
FIND_LABELLED = f"""{FIND}
const [text] = arguments;
return find("label", (one) => one.innerText.trim() === text)?.control ?? null;
"""


class Console:
    """The console of one backend as somebody uses it: by what is to be read on it."""

    def __init__(self, driver, backend):
        self.driver = driver
        self.backend = backend
        self.origin = f"http://127.0.0.1:{backend.port}"
        self.allowed = []  # patterns of messages that a test brings about
        self.messages = []
        self.requests = []

    # ---- the window ----

    def command(self, name, **arguments):
        return self.driver.execute_cdp_cmd(name, arguments)

    def size(self, size):
        self.command("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=False)

    def theme(self, name):
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def shot(self, name, whole=True):
        """Keeps a picture of the page, or of what the window shows of it."""
        KEPT.mkdir(parents=True, exist_ok=True)
        width, height, inner = self.script(
            "return [innerWidth, Math.min(document.documentElement.scrollHeight, 4000), innerHeight]"
        )
        clip = {"x": 0, "y": 0, "width": width, "height": height if whole else inner, "scale": 1}
        found = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=whole, clip=clip)
        (KEPT / f"{name}.png").write_bytes(base64.b64decode(found["data"]))

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def has_sideways_scroll(self):
        return self.script("return document.documentElement.scrollWidth > innerWidth")

    # ---- going about ----

    def open(self, path=""):
        self.driver.get(f"{self.origin}/console/{path}")
        return self

    def go(self, path):
        """To another page of the console, without loading it again."""
        self.script("location.hash = arguments[0]", path)
        return self

    def sign_in(self, path=""):
        self.open(path)
        self.fill("Admin token", self.backend.token)
        self.press("Sign in")
        self.wait(lambda: self.all("#top:not([hidden])"), "the top of the console")
        return self

    def wait(self, condition, what, seconds=SECONDS):
        """Waits until condition() is true; returns what it gave. What is drawn again meanwhile is looked for again."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                found = condition()
            except (StaleElementReferenceException, ElementClickInterceptedException):
                found = None
            if found:
                return found
            assert time.monotonic() < deadline, f"{what}: not within {seconds} s; the page says:\n{self.text()}"
            time.sleep(0.02)

    # ---- looking ----

    def all(self, css):
        return [one for one in self.driver.find_elements(By.CSS_SELECTOR, css) if one.is_displayed()]

    def one(self, css, seconds=SECONDS):
        return self.wait(lambda: self.all(css), css, seconds)[0]

    def text(self, css="body"):
        return self.script("return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText).join('\\n')", css)

    def see(self, text, css="body", seconds=SECONDS):
        return self.wait(lambda: text in self.text(css), f"{text!r} in {css}", seconds)

    def gone(self, text, css="body", seconds=SECONDS):
        return self.wait(lambda: text not in self.text(css), f"no {text!r} in {css}", seconds)

    def named(self, text, css="button, summary, a"):
        """What one may press and is called so, in the newest dialog or else on the page."""
        return self.wait(lambda: self.script(FIND_NAMED, text, css), f"a control {text!r}")

    def labelled(self, label):
        return self.wait(lambda: self.script(FIND_LABELLED, label), f"a field {label!r}")

    # ---- doing ----

    def press(self, text, css="button, summary, a"):
        """Presses what has this text; what is drawn again under the pointer is pressed again."""

        def act():
            one = self.named(text, css)
            self.script("arguments[0].scrollIntoView({block: 'center'})", one)
            one.click()
            return True

        return self.wait(act, f"pressing {text!r}")

    def tab(self, text):
        self.press(text, ".tabs a")

    def fill(self, label, text):
        field = self.labelled(label)
        if field.tag_name == "select":
            self.choose(label, text)
            return
        self.script("arguments[0].focus(); arguments[0].select()", field)
        field.send_keys(text or Keys.BACKSPACE)

    def choose(self, label, text):
        field = self.labelled(label)
        for option in field.find_elements(By.TAG_NAME, "option"):
            if option.text.strip() == text:
                option.click()
                return
        pytest.fail(f"{label!r} has no {text!r}")

    def tick(self, label, on=True):
        field = self.labelled(label)
        if field.is_selected() != on:
            self.script("arguments[0].scrollIntoView({block: 'center'})", field)
            field.click()

    # ---- what the browser has said ----

    def gather(self):
        self.messages += self.driver.get_log("browser")
        for entry in self.driver.get_log("performance"):
            event = json.loads(entry["message"])["message"]
            if event["method"] in ("Network.requestWillBeSent", "Network.responseReceived", "Network.loadingFinished"):
                self.requests.append(event)

    def heard(self):
        self.gather()
        return "\n".join(f"{one['level']} {one['message']}" for one in self.messages)

    def urls(self):
        self.gather()
        return [one["params"]["request"]["url"] for one in self.requests if one["method"] == "Network.requestWillBeSent"]

    def check(self):
        """No error, no breach of the policy, and nothing that left the origin."""
        self.gather()
        bad = [one["message"] for one in self.messages if one["level"] in ("SEVERE", "WARNING")]
        bad = [one for one in bad if not any(re.search(pattern, one) for pattern in self.allowed)]
        assert not bad, bad
        foreign = [url for url in self.urls() if not self.is_own(url)]
        assert not foreign, foreign

    def is_own(self, url):
        parts = urllib.parse.urlsplit(url)
        return parts.scheme == "data" or f"{parts.scheme}://{parts.netloc}" == self.origin or url == "about:blank"


def console_of(driver, backend):
    driver.get("about:blank")
    driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
    driver.get_log("browser")
    driver.get_log("performance")
    console = Console(driver, backend)
    console.size(DESKTOP)
    console.theme("light")
    return console


@pytest.fixture
def console(browser, backend):
    """The console of a backend with default settings, not signed in."""
    made = console_of(browser, backend)
    yield made
    made.check()
    browser.get("about:blank")


@pytest.fixture
def signed_in(console):
    return console.sign_in()


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """A backend with something to look at, for tests that change nothing; see world.py."""
    import clock as clocks
    import world as content

    folder = tmp_path_factory.mktemp("world")
    shim = clocks.build(folder) or pytest.fail("no C compiler")
    clock = clocks.Clock(folder / "shift")
    good = e2e.wire.Receiver()
    closed = e2e.wire.Receiver()
    closed.down()
    slow = "--callback-retry-first 300ms --callback-retry-longest 1h --callback-probe-longest 1h".split()
    made = e2e.Backend(folder / "backend", *slow, supersede=True)
    made.environment |= clock.environment(shim)
    made.start()
    content.fill(made, clock, good, closed.url)
    yield made
    assert made.stop() == 0, made.log()
    made.check_log()
    good.close()


@pytest.fixture
def looker(browser, world):
    """The console of the world, signed in."""
    made = console_of(browser, world).sign_in()
    yield made
    made.check()
    browser.get("about:blank")
