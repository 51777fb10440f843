"""The edge against clients that send too much, too slowly, or requests that can be read in two ways."""

import json
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from .conftest import Instance, nginx_before, sign_up, wait_until

SLOW_CONNECTIONS = 300


def is_rate_limited(answer: httpx.Response) -> bool:
    if answer.status_code != 429:
        return False
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.json()["type"] == "urn:webchat:problem:rate_limited"
    assert answer.json()["status"] == 429
    return True


def count_accepted(client: httpx.Client, path: str) -> int:
    """Send requests one after the other, and return how many are accepted before one is rate limited."""
    for number in range(100):
        if is_rate_limited(client.get(path)):
            return number
    pytest.fail("none of a hundred was rate limited")


def test_requests_of_an_address_above_its_rate_get_429(webchat: Instance, tmp_path: Path) -> None:
    available = "/api/auth/available?webchat_id=somebody"
    with nginx_before(webchat, tmp_path, NGINX_ADDRESS_RATE="2", NGINX_ADDRESS_BURST="5") as client:
        answers = [client.get("/api/version") for _ in range(20)]
        assert {answer.status_code for answer in answers} == {200}, "answers of nginx itself are not limited"
        assert client.get(available).status_code == 200
        assert count_accepted(client, available) >= 5
        wait_until(lambda: client.get(available).status_code == 200)


def test_a_limited_session_does_not_limit_others(webchat: Instance, tmp_path: Path) -> None:
    with nginx_before(webchat, tmp_path, NGINX_SESSION_RATE="2", NGINX_SESSION_BURST="5") as client:
        sign_up(client)
        with httpx.Client(base_url=client.base_url, trust_env=False) as other:
            sign_up(other)
            assert count_accepted(client, "/api/rooms") >= 5
            assert other.get("/api/rooms").status_code == 200


def test_the_connections_of_an_address_are_limited(webchat: Instance, tmp_path: Path) -> None:
    with nginx_before(webchat, tmp_path, NGINX_ADDRESS_CONNECTIONS="3") as client, ExitStack() as held:
        sign_up(client)
        address = str(client.base_url).replace("http", "ws", 1) + "/api/chat/ws"
        cookie = {"Cookie": f"webchat_session={client.cookies['webchat_session']}"}
        for _ in range(3):
            held.enter_context(connect(address, subprotocols=["webchat.v1"], additional_headers=cookie, proxy=None))
        assert is_rate_limited(client.get("/api/rooms"))
        held.close()
        wait_until(lambda: client.get("/api/rooms").status_code == 200)


def send_half_a_head(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), 5)
    connection.sendall(b"GET /api/rooms HTTP/1.1\r\nHost: a\r\nX-Never: ")
    return connection


def test_slow_senders_do_not_block_others(webchat: Instance, signed_in: httpx.Client) -> None:
    with ExitStack() as opened:
        for _ in range(SLOW_CONNECTIONS):
            opened.enter_context(send_half_a_head(webchat.port))
        assert signed_in.get("/api/rooms").status_code == 200


def test_a_slow_sender_is_disconnected_after_the_time_limit_without_an_answer(
    webchat: Instance, tmp_path: Path
) -> None:
    with nginx_before(webchat, tmp_path, NGINX_HEADER_SECONDS="1") as client:
        began = time.monotonic()
        with send_half_a_head(client.base_url.port) as slow, suppress(ConnectionResetError):
            slow.settimeout(30)
            assert slow.recv(1) == b""
        assert time.monotonic() - began > 0.9, "not before the time limit"


SMUGGLED = b"GET /internal/keys HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(SMUGGLED),
        b"Content-Length: +0\r\n",
        b"Content-Length: 0, 41\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding\t: chunked\r\n",
        b"Content-Length : 0\r\n",
        b"X: a\r\n Transfer-Encoding: chunked\r\n",
        b"X: a\rTransfer-Encoding: chunked\r\n",
        b"X: a\0b\r\n",
    ],
)
def test_a_request_with_an_ambiguous_end_is_rejected(webchat: Instance, headers: bytes) -> None:
    """The bytes after it are never read as a separate request."""
    head = b"POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" + headers
    answer = b""
    with socket.create_connection(("127.0.0.1", webchat.port), 5) as connection:
        connection.sendall(head + b"\r\n0\r\n\r\n" + SMUGGLED)
        while data := connection.recv(65536):
            answer += data
    status, *_ = answer.split(b"\r\n", 1)
    assert int(status.split()[1]) in {400, 501}, answer
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"application/problem+json" in answer


def test_a_client_cannot_claim_another_address(webchat: Instance, browser: httpx.Client) -> None:
    marked = {"User-Agent": "a pretender", "X-Forwarded-For": "203.0.113.7", "X-Real-IP": "203.0.113.7",
              "Forwarded": "for=203.0.113.7;proto=https"}  # fmt: skip
    browser.get("/api/auth/available?webchat_id=somebody", headers=marked)
    log = webchat.data / "logs" / "parts" / "nginx.log"
    wait_until(lambda: "a pretender" in log.read_text())
    [line] = [line for line in log.read_text().splitlines() if "a pretender" in line]
    assert json.loads(line)["client.ip"] == "127.0.0.1"


def test_a_client_cannot_claim_tls(webchat: Instance, browser: httpx.Client) -> None:
    origin = webchat.url.replace("http", "https", 1)
    answer = browser.post("/api/auth/login", headers={"Origin": origin, "X-Forwarded-Proto": "https"}, json={})
    assert answer.status_code == 403
