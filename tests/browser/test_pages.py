"""Every page, at both widths and in both themes: a picture is kept, nothing scrolls sideways, and axe-core finds nothing
that is serious. What users choose as names stays text."""

import pytest

from conftest import DESKTOP, PHONE, ROOT
from world import FULL, HOSTILE_OWNER, HOSTILE_ROOM, MAIN

# name, address, what is to be read when it is there
PAGES = [
    ("overview", "#/apps", "1400000008"),
    ("app", f"#/app/{MAIN}", "In the last day"),
    ("rooms", f"#/app/{MAIN}/rooms", "live-"),
    ("policy", f"#/app/{MAIN}/policy", "70 % is 70 rooms"),
    ("callback", f"#/app/{MAIN}/callback", "Where callbacks go"),
    ("app-deliveries", f"#/app/{FULL}/deliveries", "50 %"),
    ("access", f"#/app/{MAIN}/access", "Key 1"),
    ("deliveries", "#/deliveries", "Delivered"),
    ("audit", "#/audit", "app_create"),
    ("settings", "#/settings", "data.dir"),
]
# of docs/console.md: name, address, what is to be read, and where
IMAGES = [
    ("overview", "#/apps", "oldest", "main"),
    ("app", f"#/app/{MAIN}", "In the last day", "main"),
    ("callback", f"#/app/{MAIN}/callback", "v1, shared secret 1", "main"),
    ("deliveries", "#/deliveries", "Delivered", "main"),
]
DIALOGS = [
    ("#/apps", "New app"),
    (f"#/app/{MAIN}/rooms", "New room"),
    (f"#/app/{MAIN}/rooms", "Top creators"),
    (f"#/app/{MAIN}/callback", "New secret"),
    (f"#/app/{MAIN}/callback", "Set certificate"),
    (f"#/app/{FULL}/deliveries", "Replay many"),
    (f"#/app/{MAIN}/access", "New key"),
    (f"#/app/{MAIN}/access", "Delete app"),
]
LOOKS = [(size, width, theme) for size, width in ((DESKTOP, 1280), (PHONE, 390)) for theme in ("light", "dark")]
AXE = ROOT / "build" / "axe" / "axe.min.js"
RUN_AXE = """
const done = arguments[arguments.length - 1];
axe.run(document, { resultTypes: ["violations"] }).then(
	(found) => done(found.violations.map(({ id, impact, help, nodes }) => ({
		id, impact, help, nodes: nodes.slice(0, 5).map((one) => one.html.slice(0, 200) + " " + one.failureSummary),
	}))),
	(error) => done([{ id: "axe", impact: "critical", help: String(error), nodes: [] }]));
"""


def look_with_axe(console):
    if not AXE.exists():
        pytest.fail("axe-core is missing: run scripts/fetch-axe")
    if not console.script("return typeof axe === 'object'"):
        console.script(AXE.read_text())
    found = console.driver.execute_async_script(RUN_AXE)
    return [one for one in found if one["impact"] in ("serious", "critical")]


def settle(console):
    """Colours fade and the water rises for a moment: pictures and contrasts are taken when that is over."""
    over = "return document.getAnimations().every((one) => one.effect.getTiming().iterations === Infinity)"
    console.wait(lambda: console.script(over), "an end of all motion")


def look(console, name, problems):
    settle(console)
    console.shot(name)
    if console.has_sideways_scroll():
        problems.append(f"{name}: scrolls sideways")
    problems += [f"{name}: {one}" for one in look_with_axe(console)]


@pytest.mark.parametrize("size, width, theme", LOOKS, ids=[f"{width}-{theme}" for _, width, theme in LOOKS])
def test_pages(looker, size, width, theme):
    problems = []
    looker.size(size)
    looker.theme(theme)
    looker.see("Live", "#live")
    for name, address, text in PAGES:
        looker.go(address)
        looker.see(text, "main")
        look(looker, f"{name}-{width}-{theme}", problems)
    looker.see("data.dir", "main")
    looker.go(f"#/app/{FULL}/deliveries")
    looker.see("50 %", "main")
    looker.all("[aria-label^='Details of']")[0].click()
    looker.see("Attempt 1", "dialog")
    settle(looker)
    looker.shot(f"delivery-{width}-{theme}", whole=False)
    problems += look_with_axe(looker)
    assert not problems, "\n".join(map(str, problems))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_sign_in_page(console, theme):
    problems = []
    console.theme(theme)
    for size, width in ((DESKTOP, 1280), (PHONE, 390)):
        console.size(size)
        console.open()
        console.see("Admin token")
        look(console, f"sign-in-{width}-{theme}", problems)
    console.fill("Admin token", "wrong")
    console.press("Sign in")
    console.see("That is not the admin token.")
    look(console, f"sign-in-wrong-390-{theme}", problems)
    assert not problems, "\n".join(map(str, problems))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_dialogs(looker, theme):
    problems = []
    looker.theme(theme)
    for address, button in DIALOGS:
        looker.go(address)
        looker.press(button)
        looker.wait(lambda: looker.all("dialog[open] .dialog-body"), button)
        settle(looker)
        problems += [f"{button}: {one}" for one in look_with_axe(looker)]
        looker.press("Close", "dialog button")
    assert not problems, "\n".join(map(str, problems))


def test_images(looker):
    """The pictures of docs/console.md, which scripts/console-images copies."""
    for name, address, text, wait in IMAGES:
        looker.size((DESKTOP[0], 760 if name == "callback" else 640))
        looker.go(address)
        looker.see(text, wait)
        settle(looker)
        looker.shot(f"docs-{name}", whole=False)
    looker.size(PHONE)
    looker.theme("dark")
    looker.go("#/apps")
    looker.see("oldest", "main")
    settle(looker)
    looker.shot("docs-overview-phone", whole=False)
    looker.press("Sign out")
    looker.size(DESKTOP)
    looker.theme("light")
    looker.see("Admin token")
    settle(looker)
    looker.shot("docs-sign-in", whole=False)


def test_axe_sees_what_is_bad(console):
    """What the other tests rely on."""
    console.open()
    console.see("Admin token")
    assert not look_with_axe(console)
    console.script(
        """const text = document.createElement("p");
        text.textContent = "hardly to be read";
        text.style.setProperty("color", "#f0f2f4");
        document.querySelector("main").append(text, document.createElement("button"));"""
    )
    assert sorted(one["id"] for one in look_with_axe(console)) == ["button-name", "color-contrast"]


def test_narrowest(looker):
    looker.size((360, 640))
    for name, address, text in PAGES:
        looker.go(address)
        looker.see(text, "main")
        assert not looker.has_sideways_scroll(), name


def test_names_stay_text(looker):
    """Rooms and owners may be called anything that is printable."""
    looker.go(f"#/app/{MAIN}/rooms")
    looker.see(HOSTILE_ROOM, "main")
    looker.see(HOSTILE_OWNER, "main")
    looker.shot("hostile-names")
    looker.press(HOSTILE_ROOM)
    looker.see(HOSTILE_OWNER, "dialog")
    looker.see(f"<b>\n{HOSTILE_ROOM}", "dialog .facts")
    looker.press("Close")
    looker.press("Top creators")
    looker.see(HOSTILE_OWNER, "dialog")
    looker.press("Close")
    looker.one(f"[aria-label='Choose room {HOSTILE_ROOM}']").click()
    looker.press("Destroy 1")
    looker.see(HOSTILE_ROOM, "dialog")
    looker.press("Cancel")
    looker.go(f"#/app/{MAIN}/deliveries")
    looker.see("Delivered", "main")
    for one in looker.all("[aria-label^='Details of']")[:3]:
        one.click()
        looker.see("CallbackCommand", "dialog")
        looker.press("Close")
    looker.go("#/app/%3Cimg%20src%3Dx%20onerror%3Dpwned%3D1%3E")
    looker.see("There is no app <img src=x onerror=pwned=1>", "main")
    assert looker.script("return document.querySelectorAll('img').length") == 1, "the brand's only"
    assert looker.script("return typeof window.pwned") == "undefined"
