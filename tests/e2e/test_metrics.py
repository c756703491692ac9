"""What `highwater receive` tells about itself: metrics that Prometheus' own tool accepts and that are right, health, and the
rules and the dashboard in contrib/ that are made from them."""

import concurrent.futures
import contextlib
import json
import pathlib
import re
import resource
import socket
import subprocess
import time

import pytest

import conftest
import sinkpeers
import wire
from test_receive import SAMPLE, TOKEN, Sender

ROOT = pathlib.Path(__file__).parents[2]
CONTRIB = ROOT / "contrib"


def promtool(*arguments, stdin=None):
    ended = subprocess.run([sinkpeers.TOOLS / "promtool", *arguments], input=stdin, capture_output=True, text=True, timeout=60,
                           check=False)  # fmt: skip
    return ended.returncode, ended.stdout + ended.stderr


def names(text):
    return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))


@pytest.fixture
def receive(make_app_backend):
    return make_app_backend(token=TOKEN)


@pytest.mark.smoke
def test_prometheus_accepts_the_metrics(receive):
    with contextlib.closing(Sender(receive.port, TOKEN)) as sender:
        sender.send(headers={"Highwater-Sequence": "5", "Highwater-Threshold": "70"}).ok()
    status, text = receive.status()
    assert status == 200
    code, output = promtool("check", "metrics", stdin=text)
    assert code == 0 and output == "", output


def test_counts_are_right(receive):
    with contextlib.closing(Sender(receive.port, TOKEN)) as sender:
        for number, sequence in enumerate([1, 2, 5, 9]):
            sender.send({**SAMPLE, "CurRoomCount": 400 + number, "EventTime": SAMPLE["EventTime"] + number},
                        headers={"Highwater-Sequence": str(sequence), "Highwater-Threshold": "70"}).ok()  # fmt: skip
        sender.send({**SAMPLE, "CurRoomCount": 403, "EventTime": SAMPLE["EventTime"] + 3}).ok()
        sender.send(Sign="0" * 64).refused(60025)
        sender.send(SdkAppid="8").refused(70020)
    before = time.time() - 60
    text = receive.status()[1]
    assert receive.metric("highwater_receive_callbacks_total", result="recorded") == 4
    assert receive.metric("highwater_receive_callbacks_total", result="duplicate") == 1
    assert receive.metric("highwater_receive_callbacks_total", result="refused") == 2
    assert receive.metric("highwater_receive_refusals_total", reason="sign") == 1
    assert receive.metric("highwater_receive_refusals_total", reason="sdkappid") == 1
    app = {"app": "1400000001"}
    assert receive.metric("highwater_receive_app_recorded_total", **app) == 4
    assert receive.metric("highwater_receive_app_rooms_current", **app) == 403
    assert receive.metric("highwater_receive_app_rooms_maximum", **app) == 500
    assert receive.metric("highwater_receive_app_sequence_last", **app) == 9
    assert receive.metric("highwater_receive_app_sequence_missing", **app) == 5
    assert receive.metric("highwater_receive_app_last_callback_timestamp_seconds", **app) > before
    assert receive.metric("highwater_receive_batch_seconds_count") >= 1 and 'le="+Inf"' in text
    assert receive.metric("highwater_receive_record_bytes") > 4096
    assert receive.metric("process_resident_memory_bytes") > 1 << 20


def test_health(receive):
    assert receive.status("/healthz") == (200, "ok\n")
    assert receive.status("/readyz") == (200, "ok\n")
    assert receive.status("/healthz", "HEAD") == (200, "")
    assert receive.status("/metrics", "POST")[0] == 405
    assert receive.status("/other") == (404, "there are /metrics, /healthz and /readyz\n")
    with contextlib.closing(Sender(receive.port, TOKEN)) as sender:
        assert sender.send(path="/metrics", method="GET").status == 405, "not where callbacks come"


def test_ready_says_when_the_record_cannot_be_written(receive):
    with contextlib.closing(Sender(receive.port, TOKEN)) as sender:
        sender.send().ok()
        before = resource.prlimit(receive.child.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(receive.child.pid, resource.RLIMIT_FSIZE, (1, before[1]))
        sender.send({**SAMPLE, "CurRoomCount": 401}).refused(100001, "could not be recorded")
        status, text = receive.status("/readyz")
        assert status == 503 and "the record cannot be written" in text
        assert receive.metric("highwater_receive_record_failing") == 1
        assert receive.metric("highwater_receive_callbacks_total", result="unrecorded") == 1
        resource.prlimit(receive.child.pid, resource.RLIMIT_FSIZE, before)
        wire.wait(lambda: receive.status("/readyz")[0] == 200, what="it to find by itself that there is room")
        sender.send({**SAMPLE, "CurRoomCount": 401}).ok()
    assert len(receive.events()) == 2


def test_silence_and_sinks_show(make_app_backend, make_receiver):
    receiver = make_receiver()
    receiver.down()
    receive = make_app_backend("--receive-silence", "1s", "--receive-post-url", receiver.url)
    wire.wait(lambda: receive.metric("highwater_receive_app_silent", app="1400000001") == 1, what="silence")
    wire.wait(lambda: receive.metric("highwater_receive_sink_failing", sink="post") == 1, what="the failing sink")
    assert receive.metric("highwater_receive_sink_failures_total", sink="post") >= 1
    receiver.up()
    wire.wait(lambda: receive.metric("highwater_receive_sink_failing", sink="post") == 0, what="the sink")
    assert receive.metric("highwater_receive_sink_events_total", sink="post") == 1
    assert promtool("check", "metrics", stdin=receive.status()[1]) == (0, "")


def test_a_thousand_apps_cost_little(make_app_backend):
    """Bounded in size and time; and a scraper that does not read hinders neither callbacks nor other scrapers."""
    receive = make_app_backend(sdkappids=",".join(str(1400000000 + number) for number in range(1000)))
    with contextlib.closing(Sender(receive.port)) as sender:
        for number in range(0, 1000, 10):
            sender.send({**SAMPLE, "CurRoomCount": number}, SdkAppid=str(1400000000 + number)).ok()
        text = receive.status()[1]
        assert text.count("highwater_receive_app_recorded_total{") == 1000 and len(text) < 1 << 20
        assert promtool("check", "metrics", stdin=text) == (0, "")
        began = time.monotonic()
        for _ in range(20):
            receive.status()
        assert (time.monotonic() - began) / 20 < 0.2
        stalled = []
        for _ in range(20):
            one = socket.create_connection(("127.0.0.1", int((receive.folder / "status.port").read_text())))
            one.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
            stalled.append(one)
        assert receive.status("/healthz", seconds=5) == (200, "ok\n")
        sender.send({**SAMPLE, "CurRoomCount": 5000}).ok()
        for one in stalled:
            one.close()


def test_garbage_at_the_status_address_hinders_nobody(receive):
    port = int((receive.folder / "status.port").read_text())
    for data in (b"\x00" * 1000, b"GET / HTTP/9\r\n\r\n", b"G" * 100000, b"POST /metrics HTTP/1.1\r\nContent-Length: 99999\r\n\r\n"):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as one:
            one.sendall(data)
            one.shutdown(socket.SHUT_WR)
            one.recv(1000)
    assert receive.status("/readyz") == (200, "ok\n")


def test_status_address_can_be_left_out(make_app_backend):
    receive = make_app_backend(start=False)
    for word in ("--status-listen", "--status-port-file"):
        receive.arguments[receive.arguments.index(word) + 1] = ""
    receive.start()
    with contextlib.closing(Sender(receive.port)) as sender:
        sender.send().ok()


def test_status_address_that_is_taken_stops_the_start(make_app_backend):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        receive = make_app_backend(start=False)
        receive.arguments[receive.arguments.index("--status-listen") + 1] = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = conftest.run(*receive.arguments, env=receive.environment)
    assert ended.returncode == 3 and "status.listen" in ended.stderr, ended.stderr


# ---- contrib ----


@pytest.mark.parametrize("name", ["highwater", "highwater-receive"])
def test_rules_are_right(name):
    rules = CONTRIB / "prometheus" / f"{name}.rules.yml"
    code, output = promtool("check", "rules", str(rules))
    assert code == 0, output
    code, output = promtool("test", "rules", str(rules.with_name(f"{name}.rules.test.yml")))
    assert code == 0, output


@pytest.mark.parametrize("name", ["highwater", "highwater-receive"])
def test_rules_and_dashboard_use_metrics_that_exist(make_app_backend, make_backend, make_receiver, name):
    if name == "highwater":
        process = make_backend(*conftest.STATUS)
    else:
        process = make_app_backend("--receive-post-url", make_receiver().url)
    there = names(process.status()[1])
    there |= {"up"} | {f"{name}_{end}" for name in there for end in ("bucket", "sum", "count")}
    rules, dashboard = CONTRIB / "prometheus" / f"{name}.rules.yml", CONTRIB / "grafana" / f"{name}.json"
    for path in (rules, dashboard):
        used = set(re.findall(r"\b(?:highwater|process)_[a-z_]+", path.read_text()))
        assert used and used <= there, (path.name, used - there)
    panels = [panel for panel in json.loads(dashboard.read_text())["panels"] if panel["type"] != "row"]
    assert len(panels) >= 8 and all(panel["targets"][0]["expr"] for panel in panels)
    assert all(panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"} for panel in panels)


def test_documentation_names_every_metric(make_app_backend, make_backend, make_receiver):
    receive = make_app_backend("--receive-post-url", make_receiver().url)
    serve = make_backend(*conftest.STATUS)
    documented = re.findall(r"^\| `([a-z_]+)` \| (\w+) \| .* \| (.*) \|$", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)
    told = set()
    for text in (receive.status()[1], serve.status()[1]):
        told |= {(name, dict(re.findall(r"^# TYPE (\S+) (\S+)", text, re.MULTILINE))[name], meaning)
                 for name, meaning in re.findall(r"^# HELP (\S+) (.*)", text, re.MULTILINE)}  # fmt: skip
    assert set(documented) == told
    assert len(documented) == len(told)


# ---- under attack ----


def test_bad_requests_by_the_thousand_do_not_harm_good_ones(make_app_backend):
    """10,000 a second and more from one address; good callbacks go on, and memory does not grow."""
    receive = make_app_backend(token=TOKEN)
    bad = (b"POST /cb?SdkAppid=1400000001&CallbackCommand=x&Sign=" + b"0" * 64 + b"&RequestTime=1 HTTP/1.1\r\nHost: a\r\n"
           b"Content-Length: 2\r\n\r\n{}") * 100  # fmt: skip
    stop = time.monotonic() + 6

    def flood(_):
        sent = 0
        with socket.create_connection(("127.0.0.1", receive.port)) as one:
            one.settimeout(20)
            while time.monotonic() < stop:
                one.sendall(bad)
                left = 100
                buffer = b""
                while left:
                    buffer += one.recv(1 << 18)
                    left -= buffer.count(b'"ErrorCode":60025}')
                    buffer = buffer[-20:].replace(b'"ErrorCode":60025}', b"")
                sent += 100
        return sent

    def good(_):
        done = 0
        with contextlib.closing(Sender(receive.port, TOKEN)) as sender:
            while time.monotonic() < stop:
                sender.send({**SAMPLE, "CurRoomCount": done}).ok()
                done += 1
        return done

    def memory():
        return receive.metric("process_resident_memory_bytes")

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        bad_ones = [pool.submit(flood, number) for number in range(2)]
        good_one = pool.submit(good, 0)
        time.sleep(2)
        early = memory()
        total, taken = sum(one.result() for one in bad_ones), good_one.result()
    assert total / 6 > 10000, f"only {total / 6:.0f} bad requests a second were sent: too few to say anything"
    assert taken > 100 and len(receive.events()) == taken
    assert memory() - early < 4 << 20
    assert receive.metric("highwater_receive_refusals_total", reason="sign") == total
    assert receive.log().count("callback_refused") <= 10, "and the log does not grow either"

