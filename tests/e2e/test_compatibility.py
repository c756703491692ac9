"""docs/compatibility.md is whole: it names every call, callback and code, and each test it names exists."""

import re

import pytest

import openapi

PAGE = openapi.ROOT / "docs" / "compatibility.md"
ROW = re.compile(r"^\| (.*) \|$", re.M)


def section(title):
    """The text below that heading, up to the next one of its level."""
    found = re.search(rf"^(#+) {re.escape(title)}$(.*?)(?=^\1 |\Z)", PAGE.read_text(), re.M | re.S)
    assert found, title
    return found[2]


def rows(title):
    """The cells of the tables below that heading, without their heads."""
    found = [[cell.strip() for cell in row.split(" | ")] for row in ROW.findall(section(title))]
    return [cells for number, cells in enumerate(found) if not set("".join(cells)) <= set("- ") and not is_head(found, number)]


def is_head(found, number):
    return number + 1 < len(found) and set("".join(found[number + 1])) <= set("- ")


def words(cell):
    return re.findall(r"`([^`]+)`", cell)


def named_tests():
    return sorted(set(re.findall(r"`([\w/]+\.(?:py|c))::(\w+)`", PAGE.read_text())))


@pytest.mark.parametrize("file, name", named_tests(), ids=lambda value: value)
def test_named_test_exists(file, name):
    path = openapi.ROOT / (file if "/" in file else f"tests/e2e/{file}")
    pattern = rf"^def {name}\(" if file.endswith(".py") else rf"^static void {name}\("
    assert re.search(pattern, path.read_text(), re.M), f"{file} has no {name}"


@pytest.mark.parametrize("title", ["Calls", "Callbacks", "Where the vendor's pages contradict themselves", "Codes"])
def test_every_row_names_a_test(title):
    found = rows(title)
    assert found
    for cells in found:
        assert re.search(r"::\w+`", cells[-1]), cells


def test_every_call_of_the_vendor_has_a_row():
    engine = {word: cells[1] for cells in rows("live_engine_http_srv") for word in words(cells[0])}
    others = {word: cells[1] for cells in rows("Other services") for word in words(cells[0])}
    for operation in openapi.operations():
        if not operation.path.startswith("/v4/") or operation.path.startswith("/v4/live_client/"):
            continue
        service, name = operation.path.removeprefix("/v4/").split("/")
        status = engine.get(name) if service == "live_engine_http_srv" else others.get(f"{service}/{name}")
        unsupported = "x-highwater-unsupported" in operation.node
        assert status in (("no",) if unsupported else ("yes", "kept")), operation.path


def test_every_callback_has_a_row():
    found = {word: cells[1] for cells in rows("Callbacks") for word in words(cells[0])}
    produced = {webhook.id for webhook in openapi.webhooks()}
    every = openapi.load()["components"]["schemas"]["CallbackWord"]["enum"]
    assert found == {word: "yes" if word in produced else "no" for word in every}


def test_every_code_has_a_row():
    codes = [int(cells[0]) for cells in rows("Codes")]
    assert codes == [0, *openapi.load()["components"]["schemas"]["FailureCode"]["enum"]]
