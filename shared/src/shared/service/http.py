"""Calls from service to service: one POST with a typed body and a typed answer, under a service token.

Every call has a timeout. A transport error, a time-out or a 5xx is Unavailable: the outcome is unknown.
"""

import asyncio
import time
from typing import TypeVar

import httpx
import msgspec

from shared.contracts.auth import ServiceToken, ServiceTokenRequest, SigningKeys
from shared.service.problems import PROBLEMS, Problem, ProblemDetails, Unauthenticated, Unavailable
from shared.service.settings import Settings
from shared.service.tokens import TOKEN_HEADER, Jwk, Principal, token_key_id, verify_token

T = TypeVar("T")

VERIFIED_S = 5.0
"""A token seen again within this is not verified again: a signature costs more than most requests."""
VERIFIED_TOKENS = 4096

KEEPALIVE_S = 30
"""A client's connections are renewed after this; servers keep theirs longer (75 s)."""


def http_client() -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=128, max_keepalive_connections=64, keepalive_expiry=KEEPALIVE_S)
    return httpx.AsyncClient(timeout=httpx.Timeout(5, connect=3), limits=limits, trust_env=False)


def _problem_of(response: httpx.Response) -> Problem:
    try:
        details = msgspec.json.decode(response.content, type=ProblemDetails)
    except msgspec.DecodeError:
        return Unavailable(f"A part of WebChat answered {response.status_code}.")
    cls = PROBLEMS.get(details.type.rpartition(":")[2], Unavailable)
    return cls(details.detail, errors={e.field: e.message for e in details.errors})


async def post(
    client: httpx.AsyncClient, url: str, body: object, answer: type[T], *, token: str = "", timeout: float | None = None
) -> T:
    """POST `body` as JSON and decode the answer; raises the Problem that the other side answered, or Unavailable."""
    headers = {"Content-Type": "application/json", TOKEN_HEADER: token}
    try:
        response = await client.post(
            url, content=msgspec.json.encode(body), headers=headers, timeout=timeout or httpx.USE_CLIENT_DEFAULT
        )
    except httpx.HTTPError as error:
        raise Unavailable("A part of WebChat does not answer.") from error
    if response.status_code >= 400:
        raise _problem_of(response)
    return msgspec.json.decode(response.content, type=answer)


class ServiceTokens:
    """Tokens of this service for each audience, got from auth and kept until shortly before they expire."""

    def __init__(self, client: httpx.AsyncClient, settings: Settings) -> None:
        self._client = client
        self._url = f"{settings.auth_url}/internal/token"
        self._service = settings.service
        self._secret = settings.service_secret.get_secret_value()
        self._kept: dict[str, ServiceToken] = {}
        self._lock = asyncio.Lock()

    async def get(self, audience: str) -> str:
        if (kept := self._fresh(audience)) is not None:
            return kept
        async with self._lock:
            if (kept := self._fresh(audience)) is not None:
                return kept
            request = ServiceTokenRequest(service=self._service, secret=self._secret, audience=audience)
            self._kept[audience] = token = await post(self._client, self._url, request, ServiceToken)
            return token.token

    def _fresh(self, audience: str) -> str | None:
        kept = self._kept.get(audience)
        return kept.token if kept is not None and kept.expires_at - time.time() > 20 else None


class Peer:
    """Another service, called by this one."""

    def __init__(self, client: httpx.AsyncClient, tokens: ServiceTokens, audience: str, base_url: str) -> None:
        self._client, self._tokens, self._audience, self._base_url = client, tokens, audience, base_url

    async def call(self, path: str, body: object, answer: type[T], *, timeout: float | None = None) -> T:
        """POST to `/internal/<path>` of the service; raises its Problem, or Unavailable."""
        token = await self._tokens.get(self._audience)
        return await post(self._client, f"{self._base_url}/internal/{path}", body, answer, token=token, timeout=timeout)


class Verifier:
    """Verifies tokens meant for this service with auth's public keys, fetched when an unknown key id shows up."""

    def __init__(self, client: httpx.AsyncClient, settings: Settings) -> None:
        self._client, self._url, self._audience = client, f"{settings.auth_url}/internal/keys", settings.service
        self._keys: dict[str, Jwk] = {}
        self._fetched = 0.0
        self._verified: dict[str, tuple[Principal, float]] = {}

    async def verify(self, token: str) -> Principal:
        principal, until = self._verified.get(token, (None, 0.0))
        if principal is not None and time.monotonic() < until:
            return principal
        principal = await self._verify(token)
        if len(self._verified) >= VERIFIED_TOKENS:
            self._verified.clear()
        self._verified[token] = principal, time.monotonic() + VERIFIED_S
        return principal

    async def _verify(self, token: str) -> Principal:
        key_id = token_key_id(token)
        if key_id not in self._keys and time.monotonic() - self._fetched > 1:
            keys = await post(self._client, self._url, {}, SigningKeys)
            self._fetched = time.monotonic()
            self._keys = {key["kid"]: key for key in keys.keys}
        if key_id not in self._keys:
            raise Unauthenticated("This request carries no valid token.")
        return verify_token(token, self._keys[key_id], self._audience)
