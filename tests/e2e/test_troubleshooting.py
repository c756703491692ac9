"""docs/troubleshooting.md has a row for each error code and for each log line that somebody must look at."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
CALL = re.compile(r"log_event\(\s*(?P<level>[^,]+),\s*(?P<event>[^,]+),", re.DOTALL)
ROW = re.compile(r'\{LOG_LEVEL_(?P<level>[A-Z]+),\s*"(?P<event>\w+)"\}')


def section(title):
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text):
    """The tables of a section, without their heads: the cells of each row."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\\\)\|", line)[1:-1]] for line in lines if not line.startswith("| ---")]


def events_of_source():
    """event: the levels it is logged at, from all log_event calls; tables of levels and events count too."""
    found = {}
    for path in sorted((ROOT / "src").rglob("*.c")):
        text = path.read_text()
        for call in CALL.finditer(text):
            levels = set(re.findall(r"LOG_LEVEL_([A-Z]+)", call["level"])) or {"ANY"}
            for event in re.findall(r'"(\w+)"', call["event"]):
                found.setdefault(event, set()).update(levels)
            if '"' not in call["event"]:  # from a table, which must be in the same file
                assert ROW.search(text), f"{path}: {call[0]}"
        for row in ROW.finditer(text):
            found.setdefault(row["event"], set()).add(row["level"])
    return found


def events_of_page():
    """event: the levels of its rows."""
    found = {}
    for cells in rows(section("Log lines")):
        for event in re.findall(r"`(\w+)`", cells[0]):
            found.setdefault(event, set()).update(re.findall(r"\w+", cells[1].upper()))
    return found


def test_every_error_code_has_a_row_with_what_to_do():
    header = (ROOT / "include" / "highwater" / "code.h").read_text()
    codes = {int(code) for code in re.findall(r"X\(HW_\w+, (\d+),", header)}
    assert len(codes) > 40
    told = [cells for cells in rows(section("Error codes")) if cells[0].isdigit()]
    assert sorted(int(cells[0]) for cells in told) == sorted(codes)
    assert all(cells[2] for cells in told)


def test_every_log_line_of_a_warning_or_an_error_has_a_row_with_what_to_do():
    source, page = events_of_source(), events_of_page()
    assert {"store_lost", "callback_failed", "app_silent", "plain_http"} <= source.keys(), "else the search is broken"
    looked_at = {event for event, levels in source.items() if levels & {"WARN", "ERROR", "ANY"}}
    assert looked_at - page.keys() == set()
    for event in looked_at:
        levels = source[event] - {"ANY", "DEBUG"}
        assert levels <= page[event], (event, levels, page[event])


def test_every_log_line_of_the_page_exists():
    assert events_of_page().keys() - events_of_source().keys() == set()


@pytest.mark.parametrize("title", ["Error codes", "Log lines"])
def test_tables_are_whole(title):
    for cells in rows(section(title)):
        assert len(cells) in (3, 4) and cells[0], cells
