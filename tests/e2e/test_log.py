"""The log in both formats, with text in it that somebody else has chosen."""

import json
import re

import pytest

from conftest import run


def provoke(backend):
    """A guess, and a callback that cannot arrive."""
    client = backend.client()
    client.post("/manage/v1/app_list", {}, {"Authorization": "Bearer wrong"})
    client.close()
    app = backend.app(1, MaxRoomCount=1, callback="http://127.0.0.1:1/" + "a" * 300)
    app.create("r").ok()
    backend.wait_deliveries(lambda rows: rows and rows[0]["Attempts"] > 0, 1)


def test_json_lines_are_objects_of_the_same_fields(make_backend):
    backend = make_backend("--log-format", "json", "--log-level", "debug")
    provoke(backend)
    backend.stop()
    rows = [json.loads(line) for line in backend.log().splitlines()]
    assert rows[0]["event"] == "admin_token_made"
    assert {"ready", "callback_retry", "request", "stopping", "stopped", "wrong_admin_token"} <= {row["event"] for row in rows}
    for row in rows:
        assert list(row)[:3] == ["time", "level", "event"]
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row["time"])
    retry = next(row for row in rows if row["event"] == "callback_retry")
    assert isinstance(retry["app"], int) and retry["app"] == 1


def test_logfmt_is_the_default(make_backend):
    backend = make_backend()
    provoke(backend)
    backend.stop()
    for line in backend.log().splitlines():
        assert re.match(r'time=\S+ level=(info|warn|error) event=[a-z_]+( [a-z_0-9]+=("([^"\\]|\\.)*"|[^ "=\\]*))*$', line), line


@pytest.mark.parametrize("service", ["serve", "receive"])
def test_another_format_is_told(service, tmp_path):
    ended = run(service, "--check", "--log-format", "xml", "--receive-sdkappids" if service == "receive" else "--data-dir", "1")
    assert ended.returncode == 2 and 'log.format: "xml" is neither logfmt nor json' in ended.stderr
