"""The built client as nginx serves it: paths, caching, compression and headers."""

import re
from collections.abc import Iterator

import httpx
import pytest
from people import TRUST
from stack import CLIENT, Stack

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

pytestmark = pytest.mark.skipif(not (CLIENT / "index.html").exists(), reason="the client is not built: make web")


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, headers={"Accept-Encoding": "identity"}, verify=TRUST) as client:
        yield client


@pytest.fixture
def script(http: httpx.Client) -> str:
    [address] = re.findall(r'<script[^>]* src="(/assets/[^"]+\.js)"', http.get("/").text)
    return str(address)


@pytest.mark.parametrize("path", ["/", "/index.html", "/rooms/0190c0de", "/settings/devices", "/u/a.b", "/rooms/"])
def test_every_path_of_the_client_is_its_page_and_not_cached(http: httpx.Client, path: str):
    answer = http.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.content == (CLIENT / "index.html").read_bytes()
    again = http.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_page_has_no_inline_code_and_no_other_origins(http: httpx.Client):
    text = http.get("/").text
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", text)
    addresses = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert addresses
    assert [address for address in addresses if not address.startswith("/")] == []


def test_hashed_files_are_cached_permanently_and_missing_ones_are_404(http: httpx.Client, script: str):
    answer = http.get(script)
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    missing = http.get("/assets/gone-00000000.js")
    assert missing.status_code == 404
    assert missing.headers["Content-Type"] == "application/problem+json"
    assert missing.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("asked", "packing"),
    [("gzip, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip;q=.5", "gzip"), ("identity", None), ("gzip;q=0", None)],
)  # fmt: skip
def test_files_are_compressed_as_the_browser_accepts(stack: Stack, script: str, asked: str, packing: str | None):
    with httpx.stream("GET", stack.url + script, headers={"Accept-Encoding": asked}, verify=TRUST) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers.get("Content-Encoding") == packing
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert raw == ((CLIENT / "packed" / packing if packing else CLIENT) / script[1:]).read_bytes()
    if packing:
        assert len(raw) < len((CLIENT / script[1:]).read_bytes()) / 2


def test_the_worker_and_the_manifest_are_revalidated(http: httpx.Client):
    types = {"/sw.js": "text/javascript", "/manifest.webmanifest": "application/manifest+json"}
    for path, type_ in types.items():
        answer = http.get(path)
        assert answer.headers["Content-Type"].startswith(type_)
        assert answer.headers["Cache-Control"] == "no-cache"
    icons = http.get("/manifest.webmanifest").json()["icons"]
    assert icons
    for icon in icons:
        assert http.get(icon["src"]).headers["Content-Type"].startswith("image/")


def test_head_answers_like_get(http: httpx.Client, script: str):
    for path in ("/", "/rooms/x", script, "/sw.js", "/docs", "/api/version"):
        head, get = http.head(path), http.get(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Content-Length"] == get.headers["Content-Length"], path


def test_other_methods_are_not_allowed(http: httpx.Client):
    for method in ("POST", "PUT", "DELETE"):
        answer = http.request(method, "/rooms/x")
        assert (answer.status_code, answer.headers["Content-Type"]) == (405, "application/problem+json")


def test_every_answer_has_security_headers(http: httpx.Client, script: str):
    for path in ("/", "/rooms/x", script, "/sw.js", "/icons/icon.svg", "/errors/errors.css", "/assets/gone.js"):
        headers = http.get(path, headers=PAGE).headers
        policy = dict(rule.strip().split(" ", 1) for rule in headers["Content-Security-Policy"].split(";"))
        assert "unsafe" not in str(policy), path
        assert (policy["default-src"], policy["frame-ancestors"], policy["base-uri"]) == ("'none'",) * 3
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert "http" not in str(policy)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Frame-Options"] == "DENY"
        assert "geolocation=()" in headers["Permissions-Policy"]


def test_browsers_get_error_pages_and_programs_get_problems(http: httpx.Client):
    for path in ("/assets/gone.js", "/packed/br/sw.js", "/api/nothing", "/docs//x"):
        page = http.get(path, headers=PAGE)
        assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
        assert page.headers["Cache-Control"] == "no-store"
        assert 'lang="en"' in page.text
        assert not re.search(r"<style|\sstyle=|<script", page.text)
        assert http.get(path).headers["Content-Type"] == "application/problem+json"
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert addresses
    assert {address: http.get(address).status_code for address in addresses} == dict.fromkeys(addresses, 200)
