"""Browsers that sign in to the management API: the cookie, the guard against other sites, the wait of who guesses."""

import http.client
import json
import ssl
import time

import pytest

import wire

GUARD = {"Highwater-Csrf": "1"}


class Browser:
    """Keeps a cookie as a browser does."""

    def __init__(self, backend, source="127.0.0.1", tls=None):
        self.backend = backend
        self.source = source
        self.tls = tls
        self.cookie = None
        self.csrf = None
        self.headers = {}

    def connect(self):
        where, source = ("127.0.0.1", self.backend.port), (self.source, 0)
        if self.tls:
            return http.client.HTTPSConnection(*where, timeout=20, source_address=source, context=self.tls)
        return http.client.HTTPConnection(*where, timeout=20, source_address=source)

    def call(self, command, body=None, headers=None, method="POST"):
        """One call with the cookie, and with the guard unless `headers` says otherwise."""
        sent = {"Cookie": f"other=1; {self.cookie}; last=2"} if self.cookie else {}
        sent |= {"Highwater-Csrf": self.csrf} if self.csrf and headers is None else headers or {}
        connection = self.connect()
        connection.request(method, f"/manage/v1/{command}", json.dumps(body or {}), sent)
        answer = connection.getresponse()
        self.headers = dict((name.lower(), value) for name, value in answer.getheaders())
        reply = wire.Reply(answer.status, answer.read())
        connection.close()
        return reply

    def sign_in(self, token=None, headers=None):
        reply = self.call("session_open", {"Token": token or self.backend.token}, {**GUARD, **(headers or {})})
        if reply.code == 0:
            self.cookie = self.headers["set-cookie"].split(";")[0]
            self.csrf = reply.response["CsrfToken"]
            self.backend.secrets |= {self.cookie.partition("=")[2], self.csrf, self.backend.token}
        return reply


@pytest.fixture
def browser(backend):
    return Browser(backend)


def test_a_session_does_what_the_token_does(backend, browser):
    before = time.time() * 1000
    opened = browser.sign_in().ok().response
    assert opened["Actor"].startswith("session:") and 8 * 3600_000 - 5000 < opened["ExpireTime"] - before < 8 * 3600_000 + 5000
    browser.call("app_create", {"SdkAppid": 1}).ok()
    assert browser.call("app_list").ok().response["AppList"][0]["SdkAppid"] == 1
    row = browser.call("audit_list").ok().response["AuditList"][0]
    assert (row["Actor"], row["Action"]) == (opened["Actor"], "app_create")


def test_the_cookie_is_for_this_server_and_no_script(browser):
    browser.sign_in().ok()
    parts = browser.headers["set-cookie"].split("; ")
    assert parts[0].startswith("highwater_session=") and len(parts[0]) == len("highwater_session=") + 64
    assert parts[1:] == ["Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=604800"]
    assert browser.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in browser.headers


def test_the_cookie_is_for_tls_only_behind_a_proxy_that_speaks_it(make_backend):
    backend = make_backend("--http-trusted-proxies", "127.0.0.1")
    browser = Browser(backend)
    browser.sign_in(headers={"X-Forwarded-Proto": "https"}).ok()
    assert browser.headers["set-cookie"].endswith("; Secure")
    other = Browser(backend, source="127.0.0.2")  # no proxy of ours
    other.sign_in(headers={"X-Forwarded-Proto": "https"}).ok()
    assert "Secure" not in other.headers["set-cookie"]


def test_the_cookie_is_for_tls_only_over_tls(make_backend, certificates):
    files = ("--http-cert-file", str(certificates / "leaf.pem"), "--http-key-file", str(certificates / "leaf.key"))
    backend = make_backend(*files)
    browser = Browser(backend, tls=ssl.create_default_context(cafile=certificates / "ca.pem"))
    browser.sign_in().ok()
    assert browser.headers["set-cookie"].endswith("; Secure")


@pytest.mark.parametrize("headers", [{}, GUARD, {"Highwater-Csrf": "0" * 64}])
def test_without_the_guard_nothing_is_done(backend, browser, headers):
    browser.sign_in().ok()
    for command in ("app_create", "app_list", "session_close"):
        browser.call(command, {"SdkAppid": 1}, headers).refused(60010, "Highwater-Csrf")
    other = Browser(backend)
    other.sign_in().ok()
    browser.call("app_create", {"SdkAppid": 1}, {"Highwater-Csrf": other.csrf}).refused(60010, "Highwater-Csrf")
    assert backend.manage("app_list", {}).ok().response["AppList"] == []
    browser.call("app_create", {"SdkAppid": 1}).ok()


def test_another_site_cannot_sign_a_browser_in_nor_read(backend, browser):
    browser.call("session_open", {"Token": backend.token}, {}).refused(60010, "Highwater-Csrf")
    assert "set-cookie" not in browser.headers
    for method in ("OPTIONS", "GET", "PUT", "DELETE", "HEAD"):
        browser.call("session_open", {}, {"Origin": "https://evil.example"}, method=method)
        assert not any(name.startswith("access-control") for name in browser.headers)


def test_a_page_that_was_reloaded_learns_its_guard(browser):
    browser.sign_in().ok()
    csrf, browser.csrf = browser.csrf, None
    shown = browser.call("session_show").ok().response
    assert shown["CsrfToken"] == csrf and shown["Actor"].startswith("session:")
    assert browser.headers["cache-control"] == "no-store"


def test_the_token_has_no_session(backend):
    shown = backend.manage("session_show", {}).ok().response
    assert shown == {"Actor": "token", "CsrfToken": "", "ExpireTime": 0}
    backend.manage("session_close", {}).ok()


def test_signed_out_is_out(backend, browser):
    browser.sign_in().ok()
    stolen, browser2 = browser.cookie, Browser(backend)
    browser2.sign_in().ok()
    browser.call("session_close").ok()
    assert browser.headers["set-cookie"].startswith("highwater_session=; ") and "Max-Age=0" in browser.headers["set-cookie"]
    browser.cookie = stolen
    browser.call("session_show").refused(60010)
    browser2.call("session_show").ok()


def test_a_restart_ends_sessions(backend, browser):
    browser.sign_in().ok()
    backend.stop()
    backend.start()
    browser.call("app_list").refused(60010, "session")


def test_idle_sessions_end(make_backend):
    backend = make_backend("--manage-session-timeout", "1m")
    browser = Browser(backend)
    assert browser.sign_in().ok().response["ExpireTime"] - time.time() * 1000 < 61_000


def test_broken_credentials_are_refused(backend, browser):
    for cookie in ("highwater_session=", "highwater_session=" + "0" * 64, "highwater_session=x", "session=1", "=;;=;"):
        browser.cookie = cookie
        browser.call("app_list").refused(60010, "session")
    browser.cookie = None
    for body in ({}, {"Token": ""}, {"Token": 1}, {"Token": "x" * 257}):
        browser.call("session_open", body, GUARD).refused(100002, "Token")
    browser.call("session_open", {"Token": "wrong"}, GUARD).refused(60010)


def test_who_guesses_must_wait_and_others_need_not(make_backend):
    backend = make_backend(rates=True)
    thief, owner = Browser(backend, source="127.0.0.2"), Browser(backend)
    signed_in = Browser(backend, source="127.0.0.2")
    signed_in.sign_in().ok()
    for _ in range(5):
        thief.sign_in("f" * 64).refused(60010)
    thief.sign_in("f" * 64).refused(60007, "try again in 1 s")
    assert thief.headers["retry-after"] == "1"
    thief.sign_in().refused(60007)  # nor would the right one be looked at
    thief.call("app_list", headers={"Authorization": f"Bearer {backend.token}"}).refused(60007)
    owner.sign_in().ok()
    signed_in.call("app_list").ok()  # who was in already stays in
    time.sleep(1.1)
    thief.sign_in("e" * 64).refused(60010)
    thief.sign_in("e" * 64).refused(60007)
    assert thief.headers["retry-after"] == "2", "it grows"
    time.sleep(2.1)
    thief.sign_in().ok()
    thief.sign_in("f" * 64).refused(60010)
    thief.sign_in().ok()  # counted anew
    lines = [line for line in backend.log().splitlines() if "event=wrong_admin_token" in line]
    assert lines and "client_ip=127.0.0.2" in lines[0] and "f" * 64 not in backend.log()


def test_bearer_guesses_count_too(make_backend):
    backend = make_backend(rates=True)
    thief = Browser(backend, source="127.0.0.2")
    for _ in range(5):
        thief.call("app_list", headers={"Authorization": "Bearer wrong"}).refused(60010)
    thief.sign_in().refused(60007)
