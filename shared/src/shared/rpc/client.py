"""Calls between services: one POST with a typed body and a typed answer, authorized by a service token.

Every call has a timeout. A transport error, a timeout or a 5xx raises Unavailable: the outcome is unknown.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from typing import TypeAlias, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec

from shared.budgets import CALL_S, CONNECT_S, GATEWAY_CALL_S
from shared.contracts.auth import ServiceToken, ServiceTokenRequest, SigningKeys
from shared.errors import DomainError, ProblemDetails, Unauthenticated, Unavailable, error_for_code
from shared.rpc.tokens import TOKEN_HEADER, Jwk, Principal, token_key_id, verify_token
from shared.settings import Settings, WebSettings
from shared.tracing.context import sampled_span_context, trace_headers
from shared.tracing.spans import span

T = TypeVar("T")

VERIFIED_S = 5.0
"""A verified token is cached this long: verifying a signature costs more than most requests."""
VERIFIED_TOKENS = 4096

RENEW_S = 30
"""A peer closes one connection per this interval, so that new replicas get connections."""
KEEPALIVE_S = 30
"""Idle connections are closed after this. Servers keep them longer (75 s)."""

Client: TypeAlias = aiohttp.ClientSession


def http_client() -> Client:
    """Return a new client. Call it while an event loop runs; close it, or use it as an async context manager."""
    connector = aiohttp.TCPConnector(limit=128, keepalive_timeout=KEEPALIVE_S, ttl_dns_cache=10)
    timeout = aiohttp.ClientTimeout(total=GATEWAY_CALL_S, sock_connect=CONNECT_S)
    return aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())


def _error_of(status: int, retry_after: str, content: bytes) -> DomainError:
    try:
        details = msgspec.json.decode(content, type=ProblemDetails)
    except msgspec.DecodeError:
        return Unavailable(f"A part of WebChat answered {status}.")
    errors = {error.field: error.message for error in details.errors}
    error = error_for_code(details.type.rpartition(":")[2], details.detail, errors)
    error.retry_after = int(retry_after) if retry_after.isdecimal() else None
    return error


async def post(
    client: Client,
    url: str,
    body: object,
    answer: type[T],
    *,
    token: str = "",
    timeout: float = CALL_S,
    last: bool = False,
) -> T:
    """POST `body` as JSON and decode the answer; raises the error that the other side reported, or Unavailable.

    `last` closes the connection afterwards.
    """
    if sampled_span_context() is None:
        return await _post(client, url, body, answer, token, timeout, last=last)
    with span("http.call", "client", {"url.path": urlsplit(url).path}):
        return await _post(client, url, body, answer, token, timeout, last=last)


async def _post(
    client: Client, url: str, body: object, answer: type[T], token: str, timeout: float, *, last: bool
) -> T:
    headers = {"Content-Type": "application/json", TOKEN_HEADER: token, **trace_headers()}
    if last:
        headers["Connection"] = "close"
    limits = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_S)
    data = msgspec.json.encode(body)
    try:
        try:
            status, retry_after, content = await _exchange(client, url, data, headers, limits)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if isinstance(error, aiohttp.ClientConnectorError):
                raise
            # a reused connection was closed by the other side; repeating is safe, because all calls are idempotent
            status, retry_after, content = await _exchange(client, url, data, headers, limits)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable("A part of WebChat does not answer.") from error
    if status >= 400:
        raise _error_of(status, retry_after, content)
    return msgspec.json.decode(content, type=answer)


async def _exchange(
    client: Client, url: str, data: bytes, headers: dict[str, str], limits: aiohttp.ClientTimeout
) -> tuple[int, str, bytes]:
    """Return the status, `Retry-After` or "", and the body."""
    async with client.post(url, data=data, headers=headers, timeout=limits) as response:
        return response.status, response.headers.get("Retry-After", ""), await response.read()


class ServiceTokens:
    """Tokens of this service for each audience, from auth, cached until shortly before they expire."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._url = f"{settings.auth_url}/internal/token"
        self._service = settings.service
        self._secret = settings.service_secret.get_secret_value()
        self._cached: dict[str, ServiceToken] = {}
        self._lock = asyncio.Lock()

    async def get(self, audience: str) -> str:
        if (cached := self._fresh(audience)) is not None:
            return cached
        async with self._lock:
            if (cached := self._fresh(audience)) is not None:
                return cached
            request = ServiceTokenRequest(service=self._service, secret=self._secret, audience=audience)
            self._cached[audience] = token = await post(self._client, self._url, request, ServiceToken)
            return token.token

    def _fresh(self, audience: str) -> str | None:
        cached = self._cached.get(audience)
        return cached.token if cached is not None and cached.expires_at - time.time() > 20 else None


class Peer:
    """A client of another service. `timeout_s` limits calls that name no other timeout."""

    def __init__(
        self, client: Client, tokens: ServiceTokens, audience: str, base_url: str, *, timeout_s: float = GATEWAY_CALL_S
    ) -> None:
        self._client, self._tokens, self._audience, self._base_url = client, tokens, audience, base_url
        self._timeout_s = timeout_s
        self._renew_at = time.monotonic() + RENEW_S

    async def call(self, path: str, body: object, answer: type[T], *, timeout: float | None = None) -> T:
        """POST to `/internal/<path>` of the service; raises the error that it reports, or Unavailable."""
        token = await self._tokens.get(self._audience)
        if last := time.monotonic() > self._renew_at:
            self._renew_at = time.monotonic() + RENEW_S
        url = f"{self._base_url}/internal/{path}"
        limit = self._timeout_s if timeout is None else timeout
        return await post(self._client, url, body, answer, token=token, timeout=limit, last=last)


class TokenVerifier(ABC):
    """Verifies tokens, and caches their principals for `VERIFIED_S`. Failures are not cached."""

    def __init__(self) -> None:
        self._verified: dict[str, tuple[Principal, float]] = {}

    async def verify(self, token: str) -> Principal:
        """Return the principal of a token; raises Unauthenticated."""
        principal, until = self._verified.get(token, (None, 0.0))
        if principal is not None and time.monotonic() < until:
            return principal
        principal = await self._verify(token)
        if len(self._verified) >= VERIFIED_TOKENS:
            self._verified.clear()
        self._verified[token] = principal, time.monotonic() + VERIFIED_S
        return principal

    @abstractmethod
    async def _verify(self, token: str) -> Principal: ...


class Verifier(TokenVerifier):
    """Verifies tokens for this service with auth's public keys, which it fetches when it sees an unknown key id."""

    def __init__(self, client: Client, settings: WebSettings) -> None:
        super().__init__()
        self._client, self._url, self._audience = client, f"{settings.auth_url}/internal/keys", settings.service
        self._keys: dict[str, Jwk] = {}
        self._fetched = 0.0

    async def check(self) -> None:
        """Raise if there are no keys and auth does not answer, so that no token can be verified."""
        if not self._keys:
            await self._fetch()

    async def _verify(self, token: str) -> Principal:
        key_id = token_key_id(token)
        if key_id not in self._keys and time.monotonic() - self._fetched > 1:
            await self._fetch()
        if key_id not in self._keys:
            raise Unauthenticated("This request carries no valid token.")
        return verify_token(token, self._keys[key_id], self._audience)

    async def _fetch(self) -> None:
        keys = await post(self._client, self._url, {}, SigningKeys)
        self._fetched = time.monotonic()
        self._keys = {key["kid"]: key for key in keys.keys}
