"""`highwater doctor`: what it says of receivers that are well, and of those that are ill in one way or another."""

import base64
import email.utils
import hashlib
import hmac
import json
import re
import socket
import ssl
import subprocess
import time

import pytest

import conftest
import wire
from conftest import run

DONE, PROBLEM, USAGE, IO = 0, 1, 2, 3
TOKEN = "a-callback-token"
SECRET_BYTES = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(SECRET_BYTES).decode()
PUBLIC = "whpk_" + base64.b64encode(bytes(range(32))).decode()
LOOPBACK = ("--allowed-addresses", "127.0.0.0/8")


class Report:
    """What the doctor found, from its JSON."""

    def __init__(self, ended):
        self.exit = ended.returncode
        assert ended.stderr == "", ended.stderr
        self.whole = json.loads(ended.stdout)
        assert list(self.whole) == ["Result", "CallbackSent", "FindingList"]
        self.findings = self.whole["FindingList"]
        levels = [finding["Level"] for finding in self.findings]
        assert self.whole["Result"] == next((one for one in ("problem", "warning") if one in levels), "ok")
        assert self.exit == (PROBLEM if "problem" in levels else DONE)
        for finding in self.findings:
            assert list(finding) == ["Level", "Check", "Text", "Advice"]
            assert (finding["Advice"] == "") == (finding["Level"] == "ok"), f"what is to be done? {finding}"

    @property
    def sent(self):
        return self.whole["CallbackSent"]

    def bad(self):
        """The findings that are not "ok", as (level, check)."""
        return [(finding["Level"], finding["Check"]) for finding in self.findings if finding["Level"] != "ok"]

    def text(self, level, check):
        """Text and advice of the findings of that level and check."""
        found = [f"{one['Text']} -> {one['Advice']}" for one in self.findings if (one["Level"], one["Check"]) == (level, check)]
        assert found, self.findings
        return "\n".join(found)


def look(url, *arguments, allowed=LOOPBACK, **keywords):
    ended = run("doctor", url, "--json", *allowed, *arguments, **keywords)
    for secret in (TOKEN, SECRET, SECRET[6:], "query-secret"):
        assert secret not in ended.stdout + ended.stderr, "a secret was printed"
    return Report(ended)


@pytest.fixture
def look_tls(make_receiver, certificates):
    """Looks at an HTTPS receiver with that certificate, trusting the CA."""

    def look_at(tls, *arguments, ca="ca.pem", behave=None, host="127.0.0.1"):
        receiver = make_receiver(behave, tls=tls)
        trust = ("--ca-file", str(certificates / ca)) if ca else ()
        report = look(f"https://{host}:{receiver.port}/callback?key=query-secret", *trust, *arguments)
        if not report.sent:
            assert receiver.requests == []
        return report

    return look_at


# ---- receivers that are well ----


@pytest.mark.smoke
def test_a_receiver_that_is_well_gets_a_genuine_callback(make_receiver, certificates, server_tls, tmp_path):
    receiver = make_receiver(tls=server_tls)
    (tmp_path / "token").write_text(TOKEN + "\n")
    (tmp_path / "secret").write_text(SECRET + "\n")
    started = time.time()
    report = look(
        f"{receiver.url}/callback?key=query-secret",
        *("--ca-file", str(certificates / "ca.pem"), "--app", "1400000007"),
        *("--token-file", str(tmp_path / "token"), "--secret-file", str(tmp_path / "secret")),
    )
    assert (report.exit, report.sent, report.bad()) == (DONE, True, [])
    (request,) = receiver.requests
    params, headers, body = request["params"], request["headers"], request["body"]
    assert request["path"].startswith("/callback?key=query-secret&SdkAppid=1400000007&CallbackCommand=" + wire.ALERT)
    assert params["Sign"] == wire.sign(TOKEN, params["RequestTime"])
    assert abs(int(params["RequestTime"]) - started) < 30
    assert headers["highwater-test"] == "1"
    assert headers["content-type"] == "application/json"
    assert body["CallbackCommand"] == wire.ALERT
    assert (body["Operator_Account"], body["CurRoomCount"], body["MaxRoomCount"]) == ("@TIM#SYSTEM", 0, 500)
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request["raw"]
    expected = base64.b64encode(hmac.new(SECRET_BYTES, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_without_token_and_secret_nothing_is_signed(receiver):
    assert look(receiver.url).exit == DONE
    (request,) = receiver.requests
    assert "Sign" not in request["params"] and "webhook-signature" not in request["headers"]
    assert request["params"]["SdkAppid"] == "1400000001"


def test_the_app_backend_accepts_it(make_app_backend, tmp_path):
    receive = make_app_backend(token=TOKEN)
    (tmp_path / "token").write_text(TOKEN)
    url = f"http://127.0.0.1:{receive.port}/"
    assert look(url, "--token-file", str(tmp_path / "token")).bad() == [("warning", "url")]
    assert len(receive.events()) == 1
    report = look(url)
    assert report.bad() == [("warning", "url"), ("problem", "callback")]
    assert "401" in report.text("problem", "callback") and "--token-file" in report.text("problem", "callback")


def test_the_report_for_people_has_a_line_for_each_finding(receiver):
    ended = run("doctor", f"{receiver.url}/?key=query-secret", *LOOPBACK)
    assert ended.returncode == DONE and ended.stderr == ""
    *lines, last = ended.stdout.splitlines()
    assert all(re.match(r"(ok     |warning|problem)  [a-z]+ +\S", line) for line in lines), ended.stdout
    assert [line.split()[1] for line in lines] == "url name address connection callback time size clock".split()
    assert all((" -> " in line) == (not line.startswith("ok")) for line in lines)
    assert last == "0 problems, 1 warning; a test callback was sent"
    assert "query-secret" not in ended.stdout


# ---- URL, name, address, connection ----


def test_plain_http_is_a_warning(receiver):
    report = look(receiver.url)
    assert (report.exit, report.bad()) == (DONE, [("warning", "url")])
    assert "https" in report.text("warning", "url")


@pytest.mark.parametrize("url", ["example.com", "ftp://127.0.0.1/", "https://", "https://user@127.0.0.1/", "https://127.0.0.1/#x"])
def test_a_url_that_is_none_is_a_problem(url):
    report = look(url)
    assert report.bad() == [("problem", "url")]
    assert not report.sent


def test_a_name_without_address_is_a_problem():
    report = look("https://nothing.invalid/")
    assert report.bad() == [("problem", "name")]
    assert "nothing.invalid" in report.text("problem", "name")


@pytest.mark.parametrize("host, allowed, what", [
    ("127.0.0.1", (), "127.0.0.1 (loopback)"),
    ("2130706433", (), "127.0.0.1 (loopback)"),
    ("127.0.0.1", ("--allowed-addresses", "10.0.0.0/8"), "127.0.0.1 (loopback)"),
    ("169.254.169.254", LOOPBACK, "169.254.169.254"),
    ("[::ffff:127.0.0.1]", ("--allowed-addresses", "::1"), "127.0.0.1 (loopback)"),
])  # fmt: skip
def test_an_address_that_is_not_allowed_is_a_problem_and_is_not_connected_to(host, allowed, what):
    with socket.create_server(("127.0.0.1", 0)) as trap:
        report = look(f"http://{host}:{trap.getsockname()[1]}/", allowed=allowed)
        trap.setblocking(False)
        with pytest.raises(BlockingIOError):
            trap.accept()
    assert report.bad() == [("warning", "url"), ("problem", "address")]
    assert what in report.text("problem", "address") and "callback.allowed_addresses" in report.text("problem", "address")
    assert not report.sent


def test_a_refused_port_is_a_problem():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and nobody listens
        report = look(f"https://127.0.0.1:{bound.getsockname()[1]}/")
    assert report.bad() == [("problem", "connection")]
    assert "refused" in report.text("problem", "connection")
    assert not report.sent


# ---- TLS ----


@pytest.mark.parametrize("leaf, ca, words", [
    ("expired", "ca.pem", "has expired at 2020-01-02 ("),
    ("wrong-name", "ca.pem", "is not for 127.0.0.1 but for DNS:elsewhere.example"),
    ("leaf", "other.pem", "unknown authority"),
    ("leaf", None, "unknown authority"),
    ("other", "ca.pem", "self-signed"),
])  # fmt: skip
def test_a_certificate_that_is_not_trusted_is_a_problem(look_tls, certificates, leaf, ca, words):
    report = look_tls(conftest.tls_of(certificates, leaf), ca=ca)
    assert {check for _, check in report.bad()} == {"certificate"}
    assert words in report.text("problem", "certificate")
    assert not report.sent


def test_all_that_is_wrong_with_a_certificate_is_told_at_once(look_tls, certificates):
    report = look_tls(conftest.tls_of(certificates, "expired"), ca="other.pem", host="localhost")
    told = report.text("problem", "certificate")
    assert "has expired" in told and "unknown authority" in told and "is not for localhost but for IP:127.0.0.1" in told


def test_chain_and_protocol_are_shown(look_tls, server_tls):
    report = look_tls(server_tls, host="localhost")
    assert report.bad() == []
    assert re.search(r"speaks TLSv1\.[23] \S+", report.text("ok", "tls"))
    shown = report.text("ok", "certificate")
    assert "1: CN=leaf, issued by CN=test ca, is valid until 2099-12-31" in shown
    assert "it is for localhost (IP:127.0.0.1, DNS:localhost)" in shown


@pytest.fixture(scope="module")
def soon_tls(certificates):
    """A receiver whose certificate, of the CA, ends in ten days."""

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=certificates, check=True, capture_output=True, timeout=60)

    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=soon", "-keyout", "soon.key",
            "-out", "soon.csr")  # fmt: skip
    openssl("x509", "-req", "-in", "soon.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "77", "-days", "10",
            "-extfile", "leaf.san", "-out", "soon.pem")  # fmt: skip
    return conftest.tls_of(certificates, "soon")


def test_a_certificate_that_ends_soon_is_a_warning(look_tls, soon_tls):
    report = look_tls(soon_tls)
    assert (report.exit, report.sent, report.bad()) == (DONE, True, [("warning", "certificate")])
    assert re.search(r"\(in (9|10) days\)", report.text("warning", "certificate"))


def test_a_port_without_tls_is_a_problem(receiver):
    report = look(f"https://127.0.0.1:{receiver.port}/")
    assert report.bad() == [("problem", "tls")]
    assert "does not speak TLS" in report.text("problem", "tls")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_receiver_that_speaks_only_tls_1_1_is_a_problem(look_tls, certificates):
    old = conftest.tls_of(certificates, "leaf")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    report = look_tls(old)
    assert report.bad() == [("problem", "tls")]
    assert "TLS 1.2" in report.text("problem", "tls")


@pytest.mark.parametrize("mode, bad", [
    (ssl.CERT_OPTIONAL, [("warning", "tls")]),
    (ssl.CERT_REQUIRED, [("warning", "tls"), ("problem", "callback")]),
])  # fmt: skip
def test_a_receiver_that_asks_for_a_client_certificate_is_told(look_tls, certificates, mode, bad):
    asking = conftest.tls_of(certificates, "leaf")
    asking.load_verify_locations(certificates / "other.pem")
    asking.verify_mode = mode
    report = look_tls(asking)
    assert report.bad() == bad
    assert "set-certificate" in report.text("warning", "tls")


def test_a_client_certificate_is_shown(look_tls, certificates):
    asking = conftest.tls_of(certificates, "leaf")
    asking.load_verify_locations(certificates / "other.pem")
    asking.verify_mode = ssl.CERT_REQUIRED
    shown = ("--cert-file", str(certificates / "other.pem"), "--key-file", str(certificates / "other.key"))
    assert look_tls(asking, *shown).bad() == []
    refused = ("--cert-file", str(certificates / "wrong-name.pem"), "--key-file", str(certificates / "wrong-name.key"))
    report = look_tls(asking, *refused)
    assert report.bad() == [("problem", "callback")]
    assert "refused the client certificate" in report.text("problem", "callback")
    older = conftest.tls_of(certificates, "leaf")
    older.load_verify_locations(certificates / "other.pem")
    older.verify_mode = ssl.CERT_REQUIRED
    older.maximum_version = ssl.TLSVersion.TLSv1_2  # which asks within the handshake
    assert look_tls(older, *shown).bad() == []
    report = look_tls(older, *refused)
    assert report.bad() == [("problem", "tls")]
    assert "refused the client certificate" in report.text("problem", "tls")
    assert look_tls(older).bad()[0] == ("problem", "tls")
    mixed = ("--cert-file", str(certificates / "other.pem"), "--key-file", str(certificates / "leaf.key"))
    for one in (asking, older):
        assert "cannot be used with the key" in look_tls(one, *mixed).text("problem", "tls")
    assert "cannot be used" in look_tls(asking, *mixed).text("problem", "callback")


# ---- the reply ----


@pytest.fixture
def look_reply(make_receiver):
    """Looks at a receiver that answers so, over plain HTTP; what is bad beside that."""

    def look_at(answer):
        receiver = make_receiver(lambda number, request: answer() if callable(answer) else answer)
        report = look(receiver.url)
        assert report.bad()[0] == ("warning", "url")
        assert len(receiver.requests) == 1
        return report, report.bad()[1:]

    return look_at


def fail(code, info):
    return json.dumps({"ActionStatus": "FAIL", "ErrorInfo": info, "ErrorCode": code}).encode()


@pytest.mark.parametrize("answer, words", [
    ((200, {}, b"<html>hello</html>"), ["200", "cannot be understood", "ActionStatus"]),
    ((200, {}, b""), ["cannot be understood"]),
    ((200, {}, fail(7, "no \x1b[31m")), ["answered FAIL, code 7: no ?[31m"]),
    ((401, {}, b""), ["401", "--token-file"]),
    ((403, {}, b""), ["403", "SDKAppID"]),
    ((404, {}, wire.OK_REPLY), ["404", "path"]),
    ((405, {}, b""), ["405", "POST"]),
    ((410, {}, b""), ["410", "gone"]),
    ((500, {}, b""), ["500", "log"]),
    (None, ["broken"]),
    (b"SSH-2.0-x\r\n", ["broken"]),
    ((200, {}, b"x" * 300 * 1024), ["too_large"]),
])  # fmt: skip
def test_a_reply_that_is_none_is_a_problem(look_reply, answer, words):
    report, bad = look_reply(answer)
    assert ("problem", "callback") in bad
    for word in words:
        assert word in report.text("problem", "callback")


def test_a_redirect_is_a_problem_and_is_not_followed(look_reply, make_receiver):
    target = make_receiver()
    report, bad = look_reply((307, {"Location": f"{target.url}/new?key=query-secret"}, b""))
    assert bad == [("problem", "callback")]
    assert f"redirects to {target.url}/new -> redirects are never followed" in report.text("problem", "callback")
    assert target.requests == []


@pytest.mark.parametrize("seconds, level", [(2.6, "warning"), (5.2, "problem")])
def test_a_slow_reply_is_told(look_reply, seconds, level):
    def late():
        time.sleep(seconds)
        return 200, {}, wire.OK_REPLY

    report, bad = look_reply(late)
    assert bad == [(level, "time")]
    assert "callback.total_timeout is 5 s" in report.text(level, "time")


def test_a_long_reply_is_a_problem(look_reply):
    long = wire.OK_REPLY[:-1] + b',"Padding":"' + b"x" * 20000 + b'"}'
    report, bad = look_reply((200, {}, long))
    assert bad == [("problem", "size")]
    assert str(len(long)) in report.text("problem", "size")


@pytest.mark.parametrize("ahead, words", [(90, "ahead of"), (-90, "behind")])
def test_a_clock_that_is_off_is_a_warning(look_reply, ahead, words):
    def answer():
        date = email.utils.formatdate(time.time() + ahead, usegmt=True)
        head = f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: {len(wire.OK_REPLY)}\r\n\r\n"
        return head.encode() + wire.OK_REPLY

    report, bad = look_reply(answer)
    assert (report.exit, bad) == (DONE, [("warning", "clock")])
    assert words in report.text("warning", "clock") and "60 s" in report.text("warning", "clock")


def test_a_reply_without_date_is_no_fault(look_reply):
    report, bad = look_reply(f"HTTP/1.1 200 OK\r\nContent-Length: {len(wire.OK_REPLY)}\r\n\r\n".encode() + wire.OK_REPLY)
    assert bad == []
    assert "no Date" in report.text("ok", "clock")


# ---- wrong usage, and files ----


@pytest.mark.parametrize("arguments, stdin, exit, words", [
    ([], None, USAGE, "URL is missing"),
    (["http://127.0.0.1/", "more"], None, USAGE, '"more"'),
    (["http://127.0.0.1/", "--nothing"], None, USAGE, "--nothing"),
    (["http://127.0.0.1/", "--app", "0"], None, USAGE, "--app"),
    (["http://127.0.0.1/", "--allowed-addresses", "300.1.1.1"], None, USAGE, "--allowed-addresses"),
    (["http://127.0.0.1/", "--secret-file", "-"], "query-secret\n", USAGE, "--secret-file"),
    (["http://127.0.0.1/", "--secret-file", "-"], PUBLIC, USAGE, "whpk_"),
    (["http://127.0.0.1/", "--secret-file", "/nonexistent"], None, IO, "/nonexistent"),
    (["http://127.0.0.1/", "--token-file", "/nonexistent"], None, IO, "/nonexistent"),
    (["http://127.0.0.1/", "--token-file", "-"], "", IO, "--token-file"),
    (["http://127.0.0.1/", "--ca-file", "/nonexistent"], None, IO, "/nonexistent"),
    (["http://127.0.0.1/", "--cert-file", "/nonexistent"], None, USAGE, "--key-file"),
    (["http://127.0.0.1/", "--cert-file", "/nonexistent", "--key-file", "-"], "x", IO, "/nonexistent"),
])  # fmt: skip
def test_wrong_usage_says_what(arguments, stdin, exit, words):
    ended = run("doctor", *arguments, stdin=stdin)
    assert (ended.returncode, ended.stdout) == (exit, "")
    assert ended.stderr.startswith("highwater doctor: ") and words in ended.stderr
    assert "query-secret" not in ended.stderr


def test_a_ca_file_without_a_certificate_is_exit_3(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing of use\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}/"
        ended = run("doctor", url, *LOOPBACK, "--ca-file", str(tmp_path / "ca.pem"))
    assert ended.returncode == IO
    assert "ca.pem" in ended.stderr


def test_help_says_where_it_runs_and_names_the_check_through_the_server():
    ended = run("doctor", "--help")
    assert ended.returncode == DONE
    for words in ("usage: highwater doctor URL", "on this machine", "highwater callback test", "--allowed-addresses"):
        assert words in ended.stdout
