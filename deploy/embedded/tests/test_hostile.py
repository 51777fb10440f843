"""The edge against those who send too much, too slowly, or two things at once."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
import pytest
from websockets.sync.client import connect

from .conftest import Instance, Start, wait_until

SLOW_CONNECTIONS = 300
HEADER_PATIENCE_S = 15
SIGN_UP = {"password": "honey-on-warm-paper-7", "display_name": "Tester"}


def sign_up(client: httpx.Client) -> None:
    name = f"t{time.time_ns() % 10**12}"
    answer = client.post("/api/auth/signup", json=SIGN_UP | {"email": f"{name}@example.org", "webchat_id": name})
    assert answer.status_code == 201, answer.text


def is_rate_limited(answer: httpx.Response) -> bool:
    if answer.status_code != 429:
        return False
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.json()["type"] == "urn:webchat:problem:rate_limited"
    assert answer.json()["status"] == 429
    return True


@contextmanager
def limited(start: Start, **limits: str) -> Iterator[httpx.Client]:
    instance = start(CANARY="off", **limits).launch().ready()
    with httpx.Client(base_url=instance.url, trust_env=False) as client:
        yield client


def test_one_address_gets_so_much_and_then_429(start: Start) -> None:
    with limited(start, NGINX_ADDRESS_RATE="2", NGINX_ADDRESS_BURST="5") as client:
        answers = [client.get("/api/version") for _ in range(20)]
        assert {answer.status_code for answer in answers} == {200}, "what nginx answers by itself costs nothing"
        answers = [client.get("/api/auth/available?webchat_id=somebody") for _ in range(20)]
        refused = [is_rate_limited(answer) for answer in answers]
        assert 10 <= sum(refused) <= 15
        wait_until(lambda: client.get("/api/auth/available?webchat_id=somebody").status_code == 200, 5)


def test_one_session_gets_so_much_and_others_go_on(start: Start) -> None:
    with limited(start, NGINX_SESSION_RATE="2", NGINX_SESSION_BURST="5") as client:
        other = httpx.Client(base_url=client.base_url, trust_env=False)
        with other:
            sign_up(client)
            sign_up(other)
            refused = [is_rate_limited(client.get("/api/rooms")) for _ in range(20)]
            assert sum(refused) >= 10
            assert other.get("/api/rooms").status_code == 200


def test_one_address_holds_so_many_connections(start: Start) -> None:
    with limited(start, NGINX_ADDRESS_CONNECTIONS="3") as client, ExitStack() as held:
        sign_up(client)
        address = str(client.base_url).replace("http", "ws", 1) + "/api/chat/ws"
        cookie = {"Cookie": f"webchat_session={client.cookies['webchat_session']}"}
        for _ in range(3):
            held.enter_context(connect(address, subprotocols=["webchat.v1"], additional_headers=cookie, proxy=None))
        assert is_rate_limited(client.get("/api/rooms"))
        held.close()
        wait_until(lambda: client.get("/api/rooms").status_code == 200)


def test_slow_senders_hold_up_nobody_and_are_cut(webchat: Instance) -> None:
    with ExitStack() as opened:
        slow = [
            opened.enter_context(socket.create_connection(("127.0.0.1", webchat.port), 5))
            for _ in range(SLOW_CONNECTIONS)
        ]
        for one in slow:
            one.sendall(b"GET /api/rooms HTTP/1.1\r\nHost: a\r\nX-Never: ")
        began = time.monotonic()
        with httpx.Client(base_url=webchat.url, trust_env=False) as client:
            sign_up(client)
            assert client.get("/api/rooms").status_code == 200
        for one in slow:
            one.settimeout(HEADER_PATIENCE_S + 10)
            with suppress(ConnectionResetError):
                assert one.recv(1) == b"", "cut without an answer"
        assert time.monotonic() - began > HEADER_PATIENCE_S / 2, "they had their time"


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
def test_a_request_whose_end_reads_two_ways_is_refused(webchat: Instance, headers: bytes) -> None:
    """Refused as a whole: what stands behind it is never taken for a request of its own."""
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


def test_who_one_is_cannot_be_claimed(webchat: Instance, browser: httpx.Client) -> None:
    marked = {"User-Agent": "a pretender", "X-Forwarded-For": "203.0.113.7", "X-Real-IP": "203.0.113.7",
              "Forwarded": "for=203.0.113.7;proto=https"}  # fmt: skip
    browser.get("/api/auth/available?webchat_id=somebody", headers=marked)
    log = webchat.data / "logs" / "parts" / "nginx.log"
    wait_until(lambda: "a pretender" in log.read_text())
    [line] = [line for line in log.read_text().splitlines() if "a pretender" in line]
    assert json.loads(line)["client.ip"] == "127.0.0.1"


def test_tls_cannot_be_claimed(webchat: Instance, browser: httpx.Client) -> None:
    origin = webchat.url.replace("http", "https", 1)
    answer = browser.post("/api/auth/login", headers={"Origin": origin, "X-Forwarded-Proto": "https"}, json={})
    assert answer.status_code == 403
