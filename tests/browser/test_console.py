"""The console as it is used: sessions, what is shown when something is wrong, the keyboard, and what one changes."""

import re

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

import wire
from conftest import console_of

SDKAPPID = 1400000001


def active(console):
    """The text, or else the label, of what has the focus."""
    return console.script(
        "const one = document.activeElement; return one.getAttribute('aria-label') || one.innerText || one.name || one.id"
    )


def keys(console, *pressed):
    for key in pressed:
        console.driver.switch_to.active_element.send_keys(key)


# ---- sessions ----


def test_session(console):
    console.open("#/audit")
    console.fill("Admin token", "wrong")
    console.press("Sign in")
    console.see("That is not the admin token.")
    console.fill("Admin token", console.backend.token)
    console.press("Sign in")
    console.see("Audit", "h1")  # the page that was asked for
    console.driver.refresh()
    console.see("Audit", "h1")  # still signed in
    kept = console.script("return JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie")
    assert console.backend.token not in kept and "highwater_session" not in kept
    assert all(console.backend.token not in url for url in console.urls())
    console.press("Sign out")
    console.see("You have signed out.")
    console.driver.refresh()
    console.see("Admin token")


def test_session_that_ends(signed_in):
    signed_in.command("Network.clearBrowserCookies")
    signed_in.press("Deliveries")
    signed_in.see("The session has ended. Sign in again.")
    assert not signed_in.all("#top")


def test_restart_ends_sessions(signed_in):
    backend = signed_in.backend
    signed_in.allowed.append("ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING)")
    signed_in.allowed.append("EventSource's response has a")  # of one that asks without a session
    signed_in.see("Live", "#live")
    port = backend.port
    assert backend.stop() == 0
    signed_in.see("Reconnecting", "#live")
    signed_in.see("The backend does not answer.", "#banner")
    signed_in.shot("unreachable")
    signed_in.press("Deliveries")
    signed_in.see("The backend does not answer", "main")
    backend.arguments += ["--http-listen", f"127.0.0.1:{port}"]
    backend.start()
    signed_in.see("The session has ended. Sign in again.")
    assert not signed_in.all("#banner")
    signed_in.fill("Admin token", backend.token)
    signed_in.press("Sign in")
    signed_in.see("No callbacks yet")
    signed_in.see("Live", "#live")


def test_session_that_ends_on_a_page_that_asks_for_nothing(signed_in):
    """Somebody signs out in another tab: no page stays, also one that does not follow the backend."""
    signed_in.allowed.append("EventSource's response has a")
    signed_in.go("#/settings").see("data.dir")
    signed_in.see("Live", "#live")
    signed_in.script("""
        fetch("/manage/v1/session_show", {method: "POST", body: "{}"}).then((answer) => answer.json()).then((found) =>
            fetch("/manage/v1/session_close", {method: "POST", body: "{}", headers: {"Highwater-Csrf": found.Response.CsrfToken}}))
    """)
    signed_in.see("The session has ended. Sign in again.")
    assert "data.dir" not in signed_in.text()


def test_figures_that_are_not_known(signed_in):
    """Zeros while the backend does not answer would look like good news; and an app's page comes back by itself."""
    backend = signed_in.backend
    signed_in.allowed.append("ERR_|EventSource's response has a")
    signed_in.see("No apps yet")
    assert set(signed_in.text(".filter-count").split()) == {"0"}
    signed_in.command("Network.enable")
    signed_in.command("Network.setBlockedURLs", urls=["*/manage/v1/*"])
    try:
        backend.app(SDKAPPID)
        signed_in.see("The backend does not answer", "main")
        assert "0" not in signed_in.text(".filters")
        assert signed_in.text(".filters [aria-hidden]").split() == ["–"] * 6
        signed_in.go(f"#/app/{SDKAPPID}").see("The backend does not answer", "main")
    finally:
        signed_in.command("Network.setBlockedURLs", urls=[])
    signed_in.see(f"App {SDKAPPID}", "h1")
    signed_in.go("#/apps").see(str(SDKAPPID), "main")
    assert signed_in.text(".filter-count").split()[0] == "1"


def test_addresses_that_are_none(signed_in):
    for address in ("#/constructor", "#/app/%", "#/%ff", "#/__proto__/x"):
        signed_in.go("#/settings").see("data.dir")
        signed_in.go(address).gone("data.dir")
        text = "There is no app %" if "app" in address else "No apps yet"
        signed_in.see(text, "main")


def test_wrong_tokens(browser, make_backend):
    backend = make_backend("--manage-wrong-tokens-max", "2", folder="strict")
    console = console_of(browser, backend).open()
    for _ in range(3):
        console.fill("Admin token", "wrong")
        console.press("Sign in")
        console.wait(lambda: not console.script("return document.querySelector('.btn-primary').disabled"), "an answer")
    console.see("Too many wrong tokens. Try again in")
    console.check()
    browser.get("about:blank")


# ---- states ----


def test_states_of_pages(signed_in):
    signed_in.see("No apps yet")
    signed_in.go("#/deliveries").see("No callbacks yet")
    signed_in.go("#/audit").see("No change has been made yet.")
    signed_in.go("#/app/12").see("There is no app 12")
    signed_in.go("#/app/x/rooms").see("There is no app x")
    app = signed_in.backend.app(SDKAPPID, MaxRoomCount=0)
    signed_in.go(f"#/app/{SDKAPPID}/rooms").see("Nobody has made a room yet.")
    signed_in.go("#/apps?filter=paused").see("No app is paused.")
    signed_in.press("Show all apps")
    signed_in.see(str(SDKAPPID), "main")
    assert signed_in.one(".gauge").get_attribute("data-level") == "full"  # it may have none
    app.client.close()


def test_without_a_stream_pages_are_asked_again(signed_in):
    """A proxy that lets no stream through."""
    signed_in.allowed.append("events - Failed to load resource|net::ERR_BLOCKED_BY_CLIENT")
    signed_in.command("Network.enable")
    signed_in.command("Network.setBlockedURLs", urls=["*/manage/v1/events"])
    try:
        signed_in.driver.refresh()
        signed_in.see("Every 4 s", "#live")
        signed_in.see("No apps yet")
        signed_in.backend.app(SDKAPPID)
        signed_in.see(str(SDKAPPID), "main")
    finally:
        signed_in.command("Network.setBlockedURLs", urls=[])


# ---- the keyboard ----


def test_keyboard(signed_in):
    signed_in.see("No apps yet")
    signed_in.driver.refresh()
    signed_in.see("No apps yet")
    keys(signed_in, Keys.TAB)
    assert active(signed_in) == "Skip to content"
    assert signed_in.one("#skip").rect["y"] >= 0  # it is shown when it has the focus
    keys(signed_in, Keys.ENTER)
    assert active(signed_in).startswith("Apps")
    keys(signed_in, Keys.TAB)
    assert active(signed_in) == "New app"
    outline = signed_in.script("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    keys(signed_in, Keys.ENTER)
    signed_in.see("SDKAppID", "dialog")
    assert active(signed_in) == "sdkappid"  # in the dialog
    for _ in range(12):
        keys(signed_in, Keys.TAB)
        inside = "return document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        assert signed_in.script(inside), "the focus stays in the dialog"
    keys(signed_in, Keys.ESCAPE)
    signed_in.wait(lambda: not signed_in.all("dialog"), "an end of the dialog")
    assert active(signed_in) == "New app"  # back to where it was


def test_create_with_the_keyboard_only(signed_in):
    signed_in.named("New app").send_keys(Keys.ENTER)
    signed_in.see("SDKAppID", "dialog")
    keys(signed_in, "77", Keys.ENTER)
    signed_in.see("App 77 is made")
    assert signed_in.backend.show(77)["MaxRoomCount"] == 500
    keys(signed_in, Keys.ESCAPE)
    signed_in.see("App 77", "h1")


def test_focus_survives_what_changes(signed_in):
    signed_in.backend.app(7, MaxRoomCount=10)
    signed_in.see("7", "tbody")
    signed_in.script("document.querySelector('tr[data-app] a').focus()")
    signed_in.backend.app(8, MaxRoomCount=10)
    signed_in.wait(lambda: len(signed_in.all("tr[data-app]")) == 2, "another row")
    assert active(signed_in) == "7"


def test_announcements_are_few(signed_in):
    """Screen readers hear that a threshold was reached, once, and nothing of each room."""
    app = signed_in.backend.app(SDKAPPID, MaxRoomCount=10)
    signed_in.go(f"#/app/{SDKAPPID}").see("In the last day", "main")
    signed_in.script(
        """window.said = [];
        const watch = (one) => window.said.push(one.textContent.trim());
        for (const node of document.querySelectorAll("[aria-live], [role=status], [role=alert]"))
            new MutationObserver(() => watch(node)).observe(node, { childList: true, characterData: true, subtree: true });"""
    )

    def now():
        return signed_in.one(".gauge").get_attribute("aria-valuenow")

    for number in range(6):
        app.create(f"r{number}").ok()
    signed_in.wait(lambda: now() == "6", "six rooms")
    assert signed_in.script("return window.said") == []
    for number in range(6, 9):
        app.create(f"r{number}").ok()
    signed_in.wait(lambda: now() == "9", "nine rooms")
    assert signed_in.script("return window.said") == [f"App {SDKAPPID} has reached 70 % of its rooms"]
    app.client.close()


def test_theme_switch(signed_in):
    theme = "return document.documentElement.dataset.bsTheme"
    assert signed_in.script(theme) == "light"
    signed_in.press("Use dark colours")
    assert signed_in.script(theme) == "dark"
    signed_in.driver.refresh()
    assert signed_in.script(theme) == "dark"  # it is remembered
    signed_in.press("Use light colours")
    assert signed_in.script(theme) == "light"


def test_reduced_motion(signed_in):
    signed_in.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    signed_in.backend.app(SDKAPPID, MaxRoomCount=10)
    signed_in.see(str(SDKAPPID), "main")
    assert signed_in.script("return getComputedStyle(document.querySelector('.gauge-water')).transitionProperty") == "none"


# ---- changes ----


@pytest.fixture
def app(signed_in):
    made = signed_in.backend.app(SDKAPPID, MaxRoomCount=10)
    yield made
    made.client.close()


def test_policy(signed_in, app):
    signed_in.go(f"#/app/{SDKAPPID}/policy")
    signed_in.see("70 % is 7 rooms")
    signed_in.fill("Thresholds (percent)", "90, 50")
    signed_in.press("Save policy")
    signed_in.see("Thresholds are one to eight whole numbers from 1 to 100, rising.", ".form-error")
    signed_in.fill("Thresholds (percent)", "50, 90")
    signed_in.fill("Maximum of rooms", "40")
    signed_in.see("50 % is 20 rooms, 90 % is 36 rooms")
    signed_in.choose("Mode", "edge: once, when a threshold is reached")
    signed_in.fill("Re-arm margin (percentage points)", "7")
    signed_in.press("Save policy")
    signed_in.see("The policy is saved.")
    found = signed_in.backend.show(SDKAPPID)
    assert (found["MaxRoomCount"], found["Thresholds"], found["AlertMode"], found["RearmMargin"]) == (40, [50, 90], "edge", 7)


def test_two_operators_at_once(signed_in, app):
    """What somebody else changes is shown, is not undone, or is told before it would be."""
    manage = signed_in.backend.manage
    signed_in.go(f"#/app/{SDKAPPID}/policy").see("70 % is 7 rooms")
    signed_in.see("Live", "#live")
    manage("app_set", {"SdkAppid": SDKAPPID, "MaxRoomCount": 20}).ok()
    signed_in.see("70 % is 14 rooms")
    assert signed_in.labelled("Maximum of rooms").get_attribute("value") == "20"
    signed_in.fill("Thresholds (percent)", "60")
    manage("app_set", {"SdkAppid": SDKAPPID, "MaxRoomCount": 40}).ok()
    signed_in.see("This has been changed meanwhile", ".form-stale")
    signed_in.press("Save policy")
    signed_in.see("The policy is saved.")
    signed_in.see("60 % is 24 rooms")
    found = signed_in.backend.show(SDKAPPID)
    assert (found["MaxRoomCount"], found["Thresholds"]) == (40, [60])
    assert not signed_in.all(".form-stale")
    signed_in.go(f"#/app/{SDKAPPID}/access").see("Key 1")
    signed_in.fill("Names", "eve")
    manage("app_set", {"SdkAppid": SDKAPPID, "Admins": ["mallory"]}).ok()
    signed_in.see("This has been changed meanwhile", ".form-stale")
    signed_in.press("Show the change")
    assert signed_in.labelled("Names").get_attribute("value") == "mallory"
    signed_in.go(f"#/app/{SDKAPPID}/callback").see("Where callbacks go")
    signed_in.fill("URL", "http://127.0.0.1:9/mine")
    url = "http://127.0.0.1:9/theirs"
    manage("callback_set", {"SdkAppid": SDKAPPID, "CallbackUrl": url, "CallbackCommandList": []}).ok()
    signed_in.see("This has been changed meanwhile", ".form-stale")
    signed_in.press("Show the change")
    assert signed_in.labelled("URL").get_attribute("value") == url


def test_keys_and_admins(signed_in, app):
    signed_in.go(f"#/app/{SDKAPPID}/access")
    signed_in.press("New key")
    signed_in.choose("The other keys go on for", "one hour")
    signed_in.press("Make a new key")
    signed_in.see("Key 2", "dialog")
    shown = signed_in.one("dialog .secret").text
    signed_in.backend.secrets.add(shown)
    revealed = signed_in.backend.manage("app_show", {"SdkAppid": SDKAPPID, "RevealKey": True}).ok().response
    assert revealed["Key"] == shown
    signed_in.press("Done")
    signed_in.gone(shown)
    assert shown not in signed_in.driver.page_source  # it is shown once
    signed_in.see("Expires in", "main")
    signed_in.press("Revoke key 1")
    signed_in.press("Revoke key")
    signed_in.gone("Key 1", "main")
    assert [one["KeyId"] for one in signed_in.backend.show(SDKAPPID)["Keys"]] == [2]
    signed_in.fill("Names", "administrator eve")
    signed_in.press("Save admins")
    signed_in.see("The admins are saved.")
    assert signed_in.backend.show(SDKAPPID)["Admins"] == ["administrator", "eve"]


def test_secrets(signed_in, app):
    signed_in.go(f"#/app/{SDKAPPID}/callback")
    for kind, name in (("v1, shared secret", "Secret 2"), ("v1a, key pair", "Public key 1")):
        signed_in.press("New secret")
        signed_in.choose("Kind", kind)
        signed_in.press("Make a new secret")
        signed_in.see(name, "dialog")
        shown = signed_in.one("dialog .secret").text
        assert re.match(r"whsec_|whpk_", shown)
        if shown.startswith("whsec_"):
            signed_in.backend.secrets.add(shown)
        signed_in.press("Done")
    signed_in.press("Revoke v1 secret 1")
    signed_in.press("Revoke secret")
    signed_in.see("Secret 1 is revoked.")
    found = [(one["Kind"], one["SecretId"]) for one in signed_in.backend.show(SDKAPPID)["Secrets"]]
    assert sorted(found) == [("v1", 2), ("v1a", 1)]


def test_rooms(signed_in, app):
    for number in range(3):
        app.create(f"room-{number}", Owner_Account="bob").ok()
    app.create("other", Owner_Account="eve").ok()
    signed_in.go(f"#/app/{SDKAPPID}/rooms")
    signed_in.see("room-2", "main")
    signed_in.fill("RoomId begins with", "room-")
    signed_in.gone("other", "main")
    signed_in.choose("Order", "Oldest first")
    ids = "return [...document.querySelectorAll('td[data-label=RoomId]')].map((one) => one.innerText)"
    signed_in.wait(lambda: signed_in.script(ids) == ["room-0", "room-1", "room-2"], "the oldest first")
    signed_in.press("Top creators")
    signed_in.see("Counted over all rooms.", "dialog")
    assert signed_in.text("dialog tbody").split() == ["bob", "3", "eve", "1"]
    signed_in.press("Close")
    signed_in.press("New room")
    signed_in.fill("RoomId", "room-9")
    signed_in.fill("Owner", "eve")
    signed_in.press("Create room")
    signed_in.see("room-9", "main")
    signed_in.press("room-9")
    signed_in.see("eve", "dialog")
    signed_in.press("Close")
    for name in ("room-0", "room-9"):
        signed_in.one(f"[aria-label='Choose room {name}']").click()
    signed_in.press("Destroy 2")
    signed_in.see("Destroy 2 rooms?", "dialog")
    signed_in.press("Destroy")
    signed_in.see("2 rooms are destroyed.")
    app.create("room-gone").ok()
    signed_in.see("room-gone", "main")
    for name in ("room-gone", "room-2"):
        signed_in.one(f"[aria-label='Choose room {name}']").click()
    app.destroy("room-gone").ok()
    signed_in.press("Destroy 2")
    signed_in.press("Destroy")
    signed_in.see("The room is destroyed.")
    signed_in.see("1 was not. room-gone: ")
    app.create("room-2").ok()
    signed_in.one("[aria-label='Choose room room-2']").click()
    app.destroy("room-2").ok()
    signed_in.press("Destroy 1")
    signed_in.press("Destroy")
    signed_in.see("no such room", "dialog .form-error")
    signed_in.press("Close")
    signed_in.gone("room-2", "main")
    app.create("room-2").ok()
    assert sorted(app.room_ids()) == ["other", "room-1", "room-2"]
    app.create("room-new").ok()
    signed_in.see("room-new", "main")  # the list follows


def test_pause_and_replay_many(signed_in, app, receiver):
    signed_in.go(f"#/app/{SDKAPPID}/callback")
    signed_in.fill("URL", receiver.url)
    signed_in.tick("Room created")
    signed_in.press("Save callback")
    signed_in.see("The callback is saved.")
    signed_in.tab("Deliveries")
    signed_in.see("No callbacks yet", "main")
    signed_in.press("Pause")
    signed_in.see("Paused", ".page-head")
    for number in range(3):
        app.create(f"r{number}").ok()
    states = "return [...document.querySelectorAll('td[data-label=State]')].map((one) => one.innerText.trim())"
    signed_in.wait(lambda: signed_in.script(states) == ["Parked"] * 3, "callbacks that wait")
    signed_in.press("Resume")
    signed_in.wait(lambda: signed_in.script(states) == ["Delivered"] * 3, "callbacks that were delivered")
    assert len(receiver.requests) == 3
    signed_in.press("Replay many")
    signed_in.choose("State", "Delivered")
    signed_in.press("Replay")
    signed_in.see("3 callbacks are sent again.")
    wire.wait(lambda: len(receiver.requests) == 6, what="the callbacks once more")
    signed_in.choose("State", "Failed")
    signed_in.see("Nothing matches", "main")


def test_try_now(browser, make_backend, receiver):
    """The endpoint is mended: nobody wants to wait for the next attempt, which is an hour away."""
    backend = make_backend(*"--callback-retry-first 1h --callback-retry-longest 1h --callback-probe-longest 1h".split(), folder="slow")
    app = backend.app(SDKAPPID, MaxRoomCount=10, callback=receiver.url)
    console = console_of(browser, backend).sign_in(f"#/app/{SDKAPPID}/deliveries")
    console.see("No callbacks yet")
    assert "Try now" not in console.text()
    receiver.down()
    for number in range(8):
        app.create(f"room-{number}").ok()
    console.see("Try now")
    receiver.up()
    console.press("Try now")
    console.see("What waits is tried now.")
    console.see("Delivered", "tbody")
    console.gone("Try now", "main")
    app.client.close()
    console.check()
    browser.get("about:blank")


def test_nothing_is_drawn_again_under_the_pointer(signed_in, app, receiver):
    """While callbacks arrive, a button that is pressed stays where it is until it is released."""
    body = {"SdkAppid": SDKAPPID, "CallbackUrl": receiver.url, "CallbackCommandList": ["Live.CallbackAfterCreateRoom"]}
    signed_in.backend.manage("callback_set", body).ok()
    app.create("first").ok()
    signed_in.go(f"#/app/{SDKAPPID}/deliveries")
    signed_in.wait(lambda: "Delivered" in signed_in.text("main"), "the first")
    one = signed_in.one("[aria-label='Details of callback 1 of app 1400000001']")
    asked = "return performance.getEntriesByType('resource').filter((one) => one.name.endsWith('callback_list')).length"
    before = signed_in.script(asked)
    ActionChains(signed_in.driver, duration=0).click_and_hold(one).perform()
    app.create("second").ok()
    signed_in.wait(lambda: signed_in.script(asked) > before, "a list that is asked for again")
    ActionChains(signed_in.driver, duration=0).release().perform()
    signed_in.see("webhook-id", "dialog")
    signed_in.press("Close")
    signed_in.one("[aria-label='Details of callback 2 of app 1400000001']")


def test_send_test_that_fails(signed_in, app, make_receiver):
    bad = make_receiver(lambda number, request: (503, {}, b"<b>out of order</b>"))
    signed_in.backend.manage(
        "callback_set", {"SdkAppid": SDKAPPID, "CallbackUrl": bad.url, "CallbackCommandList": [wire.ALERT]}
    ).ok()
    signed_in.go(f"#/app/{SDKAPPID}/callback")
    signed_in.press("Send test")
    signed_in.see("HTTP 503", ".test-box")
    signed_in.see("<b>out of order</b>", ".test-box")
    signed_in.backend.manage("callback_clear", {"SdkAppid": SDKAPPID}).ok()
    signed_in.see("No URL", ".page-head")
    signed_in.press("Send test")
    signed_in.see("no callback", ".form-error")


def test_certificate(signed_in, app, certificates):
    signed_in.go(f"#/app/{SDKAPPID}/callback")
    signed_in.press("Set certificate")
    signed_in.script(
        "document.querySelector('[name=certificate]').value = arguments[0]; document.querySelector('[name=key]').value = 'x'",
        (certificates / "leaf.pem").read_text(),
    )
    signed_in.press("Save certificate")
    signed_in.one("dialog .form-error")
    signed_in.script("document.querySelector('[name=key]').value = arguments[0]", (certificates / "leaf.key").read_text())
    signed_in.press("Save certificate")
    signed_in.see("CN=leaf", "main")
    signed_in.press("Delete certificate")
    signed_in.press("Delete certificate", "dialog button")
    signed_in.see("None. It is for endpoints that want mutual TLS.", "main")


def test_delete_app(signed_in, app):
    app.create("last").ok()
    signed_in.go(f"#/app/{SDKAPPID}/access")
    signed_in.press("Delete app")
    signed_in.fill(f"Type {SDKAPPID} to confirm", "14")
    signed_in.press("Delete app")
    signed_in.see(f"Type {SDKAPPID} to confirm.", ".form-error")
    signed_in.fill(f"Type {SDKAPPID} to confirm", str(SDKAPPID))
    signed_in.press("Delete app")
    signed_in.see("rooms", ".form-error")  # it still has one
    app.destroy("last").ok()
    signed_in.press("Delete app")
    signed_in.see("No apps yet")
    signed_in.see(f"App {SDKAPPID} is deleted.")


def test_audit_names_who(signed_in, app):
    signed_in.press("Audit")
    signed_in.see("app_create", "main")
    signed_in.go(f"#/app/{SDKAPPID}/policy")
    signed_in.fill("Maximum of rooms", "12")
    signed_in.press("Save policy")
    signed_in.see("The policy is saved.")
    signed_in.press("Audit")
    signed_in.see("app_set", "main")
    assert re.search(r"browser [0-9a-f]{8}", signed_in.text("main"))
    signed_in.fill("App", "1400000002")
    signed_in.see("No change of this app is kept.")
