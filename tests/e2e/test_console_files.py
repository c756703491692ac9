"""The console's files as a browser loads them: headers, compression, ETags, and paths that lead nowhere."""

import gzip
import http.client
import pathlib
import re
import socket
import subprocess
import urllib.parse

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ROOT / "web" / "console"
LIBRARIES = ["lib/bootstrap.min.css", "lib/chart.min.js"]
FIRST_BYTES_MAX = 100_000
STYLE = min(path.name for path in SOURCES.glob("*.css"))
POLICY = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}


class Page:
    def __init__(self, answer):
        self.status = answer.status
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        self.body = answer.read()

    @property
    def content(self):
        return gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body


def fetch(backend, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", backend.port, timeout=20)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        return Page(connection.getresponse())
    finally:
        connection.close()


def names():
    own = [path.relative_to(SOURCES).as_posix() for path in SOURCES.rglob("*") if path.is_file()]
    return sorted([*own, *LIBRARIES])


def test_every_file_is_served_whole_with_its_type(backend):
    types = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
             ".js": "text/javascript; charset=utf-8"}  # fmt: skip
    for name in names():
        plain = fetch(backend, f"/console/{name}")
        packed = fetch(backend, f"/console/{name}", Accept_Encoding="gzip, deflate, br")
        assert plain.status == packed.status == 200, name
        assert "content-encoding" not in plain.headers and packed.headers["content-encoding"] == "gzip"
        assert plain.body == packed.content and len(packed.body) < len(plain.body) + 24
        assert plain.headers["content-type"] == types[pathlib.Path(name).suffix]
        assert plain.headers["vary"] == packed.headers["vary"] == "accept-encoding"
        assert {header: plain.headers[header] for header in POLICY} == POLICY
        if name not in LIBRARIES:
            assert plain.body == (SOURCES / name).read_bytes()


def test_the_folder_is_its_index_and_its_name_leads_there(backend):
    assert fetch(backend, "/console/").body == (SOURCES / "index.html").read_bytes()
    assert fetch(backend, "/console/?a=1").body == (SOURCES / "index.html").read_bytes()
    moved = fetch(backend, "/console")
    assert (moved.status, moved.headers["location"]) == (308, "/console/")
    assert b"60009" in fetch(backend, "/").body  # as ever


@pytest.mark.parametrize(
    "accept, packed",
    [
        ("gzip", True), ("GZIP", True), ("*", True), ("br, gzip;q=0.5", True), ("deflate, br", False), ("", False),
        ("gzip;q=0", False), ("gzip; q=0.000, *", False), ("*;q=0", False), ("identity", False), ("gzipped", False),
    ],
)  # fmt: skip
def test_gzip_is_sent_to_who_takes_it(backend, accept, packed):
    page = fetch(backend, "/console/", Accept_Encoding=accept)
    assert ("content-encoding" in page.headers) is packed
    assert page.content == (SOURCES / "index.html").read_bytes()


def test_what_a_browser_has_is_not_sent_again(backend):
    for accept in ("gzip", "identity"):
        first = fetch(backend, "/console/", Accept_Encoding=accept)
        again = fetch(backend, "/console/", Accept_Encoding=accept, If_None_Match=first.headers["etag"])
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
        assert "content-length" not in again.headers and "transfer-encoding" not in again.headers
        assert {header: again.headers[header] for header in POLICY} == POLICY
    etag = first.headers["etag"]
    assert fetch(backend, "/console/", Accept_Encoding="gzip").headers["etag"] != etag  # other bytes
    for known in ("*", f"W/{etag}", f'"x", {etag}'):
        assert fetch(backend, "/console/", If_None_Match=known).status == 304, known
    for other in ('"x"', etag.strip('"'), etag[:-2] + '"', f'{etag[:-1]}0"', "W/", '"'):
        assert fetch(backend, "/console/", If_None_Match=other).status == 200, other
    assert fetch(backend, f"/console/{STYLE}", If_None_Match=etag).status == 200


def test_head_is_get_without_the_body(backend):
    for accept in ("gzip", "identity"):
        got = fetch(backend, "/console/", Accept_Encoding=accept)
        told = fetch(backend, "/console/", "HEAD", Accept_Encoding=accept)
        assert told.status == 200 and told.body == b""
        assert told.headers == got.headers
        assert int(told.headers["content-length"]) == len(got.body)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get"])
def test_other_methods_are_refused(backend, method):
    for path in ("/console", "/console/", f"/console/{STYLE}", "/console/nothing"):
        page = fetch(backend, path, method)
        assert (page.status, page.headers["allow"]) == (405, "GET, HEAD")
        assert {header: page.headers[header] for header in POLICY} == POLICY


@pytest.mark.parametrize(
    "path",
    ["nothing", "nothing/", "index.html/", "INDEX.HTML", "lib", "lib/", "lib/bootstrap.css", "../admin-token", "./", "/",
     "%2e%2e/admin-token", "..%2fadmin-token", "lib/../index.html", "lib%2fchart.min.js", "index.html%00", "%69ndex.html",
     "....//....//etc/passwd", "..\\admin-token", "a" * 5000, ".gitignore"],
)  # fmt: skip
def test_what_is_not_there_is_not_found(backend, path):
    page = fetch(backend, f"/console/{path}", Accept_Encoding="gzip")
    assert page.status == 404 and page.body == b"the console has no such file\n"
    assert {header: page.headers[header] for header in POLICY} == POLICY
    assert backend.token.encode() not in page.body


@pytest.mark.parametrize("path", ["//console/", "/Console/", "/consolex", "/console%2f", "/x/%2e%2e/console/", "/./console/", "/%63onsole/"])
def test_what_is_beside_the_console_is_no_part_of_it(backend, path):
    page = fetch(backend, path)
    assert page.headers["content-type"] == "application/json" and b"60009" in page.body


def test_an_absolute_target_is_the_same_file(backend):
    with socket.create_connection(("127.0.0.1", backend.port), timeout=20) as connection:
        lines = [f"GET http://example.test/console/{STYLE} HTTP/1.1", "Host: example.test", "Connection: close", "", ""]
        connection.sendall("\r\n".join(lines).encode())
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
    assert reply.startswith(b"HTTP/1.1 200") and reply.endswith((SOURCES / STYLE).read_bytes())


def test_a_setting_switches_it_off(make_backend):
    backend = make_backend("--console-enabled", "off")
    for path in ("/console", "/console/", f"/console/{STYLE}"):
        assert b"60009" in fetch(backend, path).body


AT_ONCE = {
    ".html": r'<(?:script|link|img)[^>]*?(?:src|href)="([^"]+)"',
    ".css": r"(?:url\(|@import\s+)[\"']?([^\"')]+)",
    ".js": r'^(?:import|export)\s(?:[^"]*?\sfrom\s)?\s*"([^"]+)"',
}
LATER = r'(?:import\(|src: )"([^"]+)"'


def references(name, text, later=False):
    """What the page, the style or the script loads, as names below /console/; later: also when it is needed."""
    pattern = AT_ONCE.get(pathlib.Path(name).suffix, r"(?!)")
    targets = re.findall(pattern, text, re.M) + (re.findall(LATER, text) if later and name.endswith(".js") else [])
    for target in targets:
        base = "index.html" if target.startswith("lib/") else name  # a script of the page's, not of the script's
        url = urllib.parse.urljoin(f"http://x/console/{base}", target)
        if not target.startswith("data:"):
            assert url.startswith("http://x/console/"), f"{name} loads {target}, which the policy forbids"
            yield url.removeprefix("http://x/console/").partition("?")[0]


def load(backend, later):
    """The page with all it names: compressed bytes by name."""
    seen, waiting = {}, ["index.html"]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        page = fetch(backend, f"/console/{name}", Accept_Encoding="gzip")
        assert page.status == 200, f"{name} is named but is not there"
        seen[name] = len(page.body)
        if name not in LIBRARIES:
            waiting += references(name, page.content.decode(), later)
    return seen


def test_the_first_page_is_small(backend):
    seen = load(backend, later=False)
    assert {"index.html", "main.js", "lib/bootstrap.min.css"} <= set(seen)
    assert sum(seen.values()) < FIRST_BYTES_MAX, seen


def test_everything_that_is_named_is_there_and_the_other_way_round(backend):
    assert set(load(backend, later=True)) == set(names())


def test_pages_have_nothing_inline():
    """The policy forbids it: a browser would leave it out without a word."""
    for page in SOURCES.rglob("*.html"):
        text = page.read_text()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text), page
        assert all(not body.strip() for body in re.findall(r"<script[^>]*>(.*?)</script>", text, re.S)), page


def test_the_build_refuses_what_it_cannot_serve(tmp_path):
    def embed(*extra):
        return subprocess.run(
            ["/usr/bin/python3", ROOT / "scripts" / "embed-console", tmp_path / "out.c", tmp_path / "page", *extra],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    page = tmp_path / "page"
    page.mkdir()
    assert "no index.html" in embed().stderr
    (page / "index.html").write_text("<p>")
    assert embed().returncode == 0
    first = (tmp_path / "out.c").read_bytes()
    assert embed().returncode == 0 and (tmp_path / "out.c").read_bytes() == first
    for name, words in (("a.exe", "no type"), ("A.css", "lower-case"), ("a b.css", "lower-case"), ("c", "no type")):
        (page / name).write_text("x")
        done = embed()
        assert done.returncode == 1 and words in done.stderr, name
        (page / name).unlink()
    assert "must be NAME=FILE" in embed("index.html=/dev/null").stderr
    (page / ".hidden").write_text("x")
    assert embed().returncode == 0 and (tmp_path / "out.c").read_bytes() == first
