"""The edge, with all services running behind it."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from embedded import edge
from embedded.folder import DataFolder
from embedded.supervision import Supervisor

from .conftest import Instance, nginx_before, wait_until


def is_problem(answer: httpx.Response, status: int) -> bool:
    body = answer.json()
    return (
        answer.status_code == status == body["status"]
        and answer.headers["Content-Type"] == "application/problem+json"
        and {"type", "title", "detail"} <= body.keys()
    )


def raw(webchat: Instance, request: bytes) -> httpx.Response:
    """Return the answer to bytes that no client library would send."""
    with socket.create_connection(("127.0.0.1", webchat.port), 5) as connection:
        connection.sendall(request)
        head, _, body = connection.recv(4096).partition(b"\r\n\r\n")
        status, *headers = head.decode().split("\r\n")
        pairs = [line.split(": ", 1) for line in headers]
        return httpx.Response(int(status.split()[1]), headers=dict(pairs), content=body)


@contextmanager
def stopped(webchat: Instance, name: str) -> Iterator[None]:
    """Keep the program stopped while the block runs."""
    with closing(Supervisor(DataFolder(webchat.data))) as supervisor:
        process = next(process for process in supervisor.processes() if process.name == name)
        supervisor.stop(process)
        try:
            yield
        finally:
            supervisor.start(process)
            wait_until(lambda: webchat.answers("/readyz", webchat.ports[name]))


def test_a_session_gives_access_to_the_services(signed_in: httpx.Client) -> None:
    assert signed_in.get("/api/social/profiles/me").status_code == 200
    assert signed_in.get("/api/rooms").status_code == 200


def test_without_a_session_it_is_a_401_problem(browser: httpx.Client) -> None:
    for path in ("/api/social/profiles/me", "/api/rooms", "/api/rooms/x", "/api/media/x", "/api/chat/ws",
                 "/api/ops/figures"):  # fmt: skip
        assert is_problem(browser.get(path), 401), path


def test_a_token_from_outside_never_passes(webchat: Instance, signed_in: httpx.Client) -> None:
    social, check = webchat.ports["social"], f"http://127.0.0.1:{webchat.ports['auth']}/check?audience=social"
    token = httpx.get(check, cookies=signed_in.cookies, trust_env=False).headers["X-WebChat-Token"]
    forged = {"X-WebChat-Token": token}
    direct = httpx.get(f"http://127.0.0.1:{social}/api/social/profiles/me", headers=forged, trust_env=False)
    assert direct.status_code == 200, "the token is good where it may be used"
    for name in ("X-WebChat-Token", "x-webchat-token", "X_WebChat_Token"):
        answer = httpx.get(f"{webchat.url}/api/social/profiles/me", headers={name: token}, trust_env=False)
        assert is_problem(answer, 401), name
        assert httpx.get(f"{webchat.url}/api/auth/me", headers={name: token}, trust_env=False).status_code == 401


def test_a_clients_trace_is_adopted_only_if_it_is_well_formed(webchat: Instance, browser: httpx.Client) -> None:
    trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    good = f"00-{trace}-{span}-01"
    bad = [f"00-{'0' * 32}-{span}-01", f"00-{trace}-{'0' * 16}-01", f"{good}-x", good.upper(), f'{good}" "', "x" * 4000]
    for index, claimed in enumerate([good, *bad]):
        browser.get(f"/api/traced/{index}", headers={"traceparent": claimed})
    browser.get("/api/traced/twice", headers=[("traceparent", good), ("traceparent", good)])

    def lines() -> list[dict[str, Any]]:
        text = (webchat.data / "logs" / "parts" / "nginx.log").read_text()
        return [json.loads(line) for line in text.splitlines() if '"url.path":"/api/traced/' in line]

    wait_until(lambda: len(lines()) == len(bad) + 2)
    taken, *own = lines()
    assert (taken["trace.id"], taken["parent.id"]) == (trace, span)
    assert {line["parent.id"] for line in own} == {""}
    assert len({line["trace.id"] for line in own} | {trace}) == len(own) + 1
    for line in (taken, *own):
        assert re.fullmatch("[0-9a-f]{32}", line["trace.id"])
        assert re.fullmatch("[0-9a-f]{16}", line["span.id"])
        assert line["span.id"] != span


def test_a_path_in_the_log_names_no_person(webchat: Instance, browser: httpx.Client) -> None:
    person, room = "0197a1b2-0000-7000-8000-00000000000a", "0197a1b2-0000-7000-8000-000000000001"
    paths = (
        f"/api/social/profiles/{person}?x=1",
        f"/api/rooms/{room}/members/{person}",
        f"/api/auth/sessions/{person}",
    )
    for path in paths:
        browser.get(path)
    log = webchat.data / "logs" / "parts" / "nginx.log"
    wait_until(lambda: "/api/auth/sessions/{id}" in log.read_text())
    text = log.read_text()
    assert person not in text
    assert f'"url.path":"/api/rooms/{room}/members/{{id}}"' in text
    assert '"url.path":"/api/social/profiles/{id}"' in text


def test_long_cookies_are_accepted_or_a_problem(webchat: Instance, signed_in: httpx.Client) -> None:
    session = f"webchat_session={signed_in.cookies['webchat_session']}"

    def answer_to(cookie: str) -> httpx.Response:
        return httpx.get(f"{webchat.url}/api/rooms", headers={"Cookie": cookie}, trust_env=False)

    assert answer_to(f"other={'x' * 4096}; {session}").status_code == 200
    assert is_problem(answer_to(f"webchat_session={'x' * 4096}"), 401)
    assert is_problem(answer_to(f"webchat_session={'x' * 20_000}"), 431)


def test_both_names_of_the_session_cookie_reach_auth(webchat: Instance, signed_in: httpx.Client) -> None:
    """Under TLS, browsers send the name with the prefix; nginx accepts it everywhere, as it proves nothing to nginx."""
    secret, other = signed_in.cookies["webchat_session"], "x" * 43
    for cookie, status in (
        (f"__Host-webchat_session={secret}", 200),
        (f"a=b; __Host-webchat_session={secret}; c=d", 200),
        (f"webchat_session={other};__Host-webchat_session={secret}", 200),
        (f"webchat_session={secret}; __Host-webchat_session={other}", 401),
        (f"x__Host-webchat_session={secret}", 401),
    ):
        answer = httpx.get(f"{webchat.url}/api/rooms", headers={"Cookie": cookie}, trust_env=False)
        assert answer.status_code == status, cookie


def test_another_origin_is_rejected(signed_in: httpx.Client) -> None:
    assert is_problem(signed_in.get("/api/rooms", headers={"Origin": "https://elsewhere.example"}), 403)
    own = str(signed_in.base_url).rstrip("/")
    assert signed_in.get("/api/rooms", headers={"Origin": own}).status_code == 200


def test_a_preflight_reaches_the_service_without_a_session(browser: httpx.Client) -> None:
    """A browser sends it without a cookie. The stack lists no other origin, so rooms knows no such method."""
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    assert is_problem(browser.options("/api/rooms", headers=asked), 405)


def test_the_figures_do_not_exist_for_users_who_are_no_operators(signed_in: httpx.Client) -> None:
    """Auth gives no token for them, and nginx removes one from outside."""
    for headers in ({}, {"X-WebChat-Token": "x.y.z"}):
        assert is_problem(signed_in.get("/api/ops/figures", headers=headers), 404)
    assert is_problem(signed_in.get("/api/ops/figures", headers={"Origin": "https://elsewhere.example"}), 403)


def test_internal_paths_are_not_found(browser: httpx.Client) -> None:
    paths = ("/internal/keys", "/check", "/healthz", "/readyz", "/metrics", "/_session", "/_problem", "/api/nothing/x")
    for path in paths:
        assert is_problem(browser.get(path), 404), path


@pytest.mark.parametrize(
    "path",
    ["/internal/../api/social/x", "/internal/..%2fapi/social/x", "/internal/%2e%2e/api/social/x", "/api//social/x",
     "/api/social/a\\..\\x", "/a%20b%3fc/../api/social/x"],
)  # fmt: skip
def test_ambiguous_paths_are_not_found(webchat: Instance, path: str) -> None:
    assert is_problem(raw(webchat, f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()), 404)


def test_unusual_characters_in_a_query_are_allowed(browser: httpx.Client) -> None:
    assert browser.get("/api/auth/available?webchat_id=..%2f//x").status_code == 422


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /.. HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/9.1\r\nHost: a\r\n\r\n", 505),
        (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    ],
    ids=["nonsense", "above", "long path", "long header", "version", "trace"],
)
def test_broken_requests_are_problems_too(webchat: Instance, request_: bytes, status: int) -> None:
    assert is_problem(raw(webchat, request_), status)


def test_the_size_of_bodies_is_limited(browser: httpx.Client, signed_in: httpx.Client) -> None:
    assert is_problem(browser.post("/api/auth/login", content=b"x" * (1024 * 1024 + 1)), 413)
    two_mib = signed_in.post("/api/media/attachments", content=b"x" * 2 * 1024 * 1024)
    assert two_mib.status_code != 413


def test_a_service_that_is_down_is_503_with_retry_after(
    webchat: Instance, signed_in: httpx.Client, tmp_path: Path
) -> None:
    with nginx_before(webchat, tmp_path, down=("media",)) as client:
        client.cookies = signed_in.cookies
        answer = client.get("/api/media/attachments/x/content")
        assert is_problem(answer, 503)
        assert int(answer.headers["Retry-After"]) > 0
        assert client.get("/api/rooms").status_code == 200


def test_a_browser_gets_an_error_page_for_a_service_that_is_down(
    webchat: Instance, signed_in: httpx.Client, tmp_path: Path
) -> None:
    with nginx_before(webchat, tmp_path, down=("media",)) as client:
        client.cookies = signed_in.cookies
        answer = client.get("/api/media/attachments/x/content", headers={"Accept": "text/html,*/*;q=0.8"})
        assert (answer.status_code, answer.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
        assert int(answer.headers["Retry-After"]) > 0
        assert "unsafe" not in answer.headers["Content-Security-Policy"]


def test_auth_that_is_down_is_503_for_everyone(webchat: Instance, signed_in: httpx.Client, tmp_path: Path) -> None:
    with nginx_before(webchat, tmp_path, down=("auth",)) as client:
        client.cookies = signed_in.cookies
        for path in ("/api/auth/me", "/api/rooms", "/api/chat/ws"):
            answer = client.get(path)
            assert is_problem(answer, 503), path
            assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("gateway", ["chat-gateway-1", "chat-gateway-2"])
def test_one_gateway_is_enough(webchat: Instance, signed_in: httpx.Client, tmp_path: Path, gateway: str) -> None:
    with nginx_before(webchat, tmp_path, down=(gateway,)) as client:
        client.cookies = signed_in.cookies
        for _ in range(4):
            with _socket(client) as connection:
                assert connection.subprotocol == "webchat.v1"


def test_restarted_gateways_are_found_after_many_failed_attempts(webchat: Instance, signed_in: httpx.Client) -> None:
    def connects() -> bool:
        try:
            with _socket(signed_in):
                return True
        except InvalidStatus:
            return False

    with stopped(webchat, "chat-gateway-1"), stopped(webchat, "chat-gateway-2"):
        assert not any(connects() for _ in range(5))
    wait_until(connects)


def test_the_websocket_needs_a_session_and_an_allowed_origin(webchat: Instance, signed_in: httpx.Client) -> None:
    with _socket(signed_in, origin=webchat.url) as connection:
        assert connection.subprotocol == "webchat.v1"
    with pytest.raises(InvalidStatus) as rejected:
        _socket(signed_in, origin="https://elsewhere.example")
    assert rejected.value.response.status_code == 403
    with pytest.raises(InvalidStatus) as rejected:
        connect(f"ws://127.0.0.1:{webchat.port}/api/chat/ws", subprotocols=["webchat.v1"], proxy=None)
    assert rejected.value.response.status_code == 401


def _socket(browser: httpx.Client, origin: str | None = None):
    cookie = f"webchat_session={browser.cookies['webchat_session']}"
    address = f"ws://127.0.0.1:{browser.base_url.port}/api/chat/ws"
    headers = {"Cookie": cookie}
    return connect(address, subprotocols=["webchat.v1"], origin=origin, additional_headers=headers, proxy=None)


def test_problem_documents_of_services_pass_unchanged(browser: httpx.Client) -> None:
    answer = browser.post("/api/auth/signup", json={"email": "no"})
    assert is_problem(answer, 422)
    assert answer.json()["errors"]


def test_the_documentation_is_served_with_all_its_files(browser: httpx.Client) -> None:
    page = browser.get("/docs")
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    links = re.findall(r'(?:src|href)="([^"#]+)"', page.text)
    assert links
    assert all(link.startswith("/") for link in links)
    assert not re.search(r"<script>|<style>|style=|onclick=", page.text)
    for link in links:
        assert browser.get(link).status_code == 200, link


def test_without_a_built_client_the_front_page_redirects_to_the_documentation(
    webchat: Instance, tmp_path: Path
) -> None:
    with nginx_before(webchat, tmp_path / "data", client=tmp_path / "nothing") as browser:
        home = browser.get("/")
        assert (home.status_code, home.headers["Location"]) == (302, "/docs")
        assert browser.get("/docs").status_code == 200
        assert is_problem(browser.get("/rooms/x"), 404)


def test_the_policy_names_the_origins_of_files() -> None:
    settings = {"S3_PUBLIC_URL": "https://files.example.org:9000/bucket", "AWS_CDN_URL": "https://cdn.example.org"}
    assert edge.media_origins(settings) == "https://files.example.org:9000 https://cdn.example.org"
    assert edge.media_origins({}) == ""


def test_every_answer_has_the_security_headers(browser: httpx.Client) -> None:
    for path in ("/docs", "/api/version", "/nothing", "/api/rooms", "/openapi.json"):
        headers = browser.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["X-Frame-Options"] == "DENY", path
        assert headers["Referrer-Policy"] == "no-referrer", path
        assert headers["Content-Security-Policy"].startswith("default-src 'none'"), (path, headers)
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path


def test_the_access_log_has_ecs_names_and_no_secrets(webchat: Instance, signed_in: httpx.Client) -> None:
    signed_in.get("/api/auth/available?webchat_id=not_to_be_logged", headers={"User-Agent": "a log's reader"})
    log = webchat.data / "logs" / "parts" / "nginx.log"
    wait_until(lambda: "a log's reader" in log.read_text())
    text = log.read_text()
    assert "not_to_be_logged" not in text
    assert signed_in.cookies["webchat_session"] not in text
    entries = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    entry = next(entry for entry in entries if entry["user_agent.original"] == "a log's reader")
    assert entry["url.path"] == "/api/auth/available"
    assert entry["http.response.status_code"] == 200
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", entry["@timestamp"])


def test_json_is_compressed(browser: httpx.Client) -> None:
    answer = browser.get("/docs/swagger/swagger-ui.css")
    assert answer.headers["Content-Encoding"] == "gzip"
