"""Verified tokens are cached for a while; failures are not."""

from collections.abc import AsyncIterator

import pytest

from shared.errors import Unauthenticated
from shared.rpc import client as http
from shared.rpc.client import Verifier, http_client
from shared.rpc.tokens import Principal
from shared.settings import Settings


class RoomsSettings(Settings):
    service = "rooms"


class Counting(Verifier):
    """Accepts every token but `bad`, and counts verifications."""

    verified = 0

    async def _verify(self, token: str) -> Principal:
        self.verified += 1
        if token == "bad":
            raise Unauthenticated("This request carries no valid token.")
        return Principal(use="service", subject=token)


@pytest.fixture
async def verifier() -> AsyncIterator[Counting]:
    async with http_client() as client:
        yield Counting(client, RoomsSettings.model_construct(auth_url="http://127.0.0.1:1"))


async def test_a_repeated_token_is_verified_once(verifier):
    assert [(await verifier.verify(token)).subject for token in ("a", "b", "a", "b")] == ["a", "b", "a", "b"]
    assert verifier.verified == 2


async def test_the_cache_expires(verifier, monkeypatch):
    await verifier.verify("a")
    later = http.time.monotonic() + http.VERIFIED_S
    monkeypatch.setattr(http.time, "monotonic", lambda: later)
    await verifier.verify("a")
    assert verifier.verified == 2


async def test_failures_are_not_cached(verifier):
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await verifier.verify("bad")
    assert verifier.verified == 2


async def test_the_cache_is_bounded(verifier, monkeypatch):
    monkeypatch.setattr(http, "VERIFIED_TOKENS", 3)
    for number in range(10):
        await verifier.verify(str(number))
    assert len(verifier._verified) <= 3
