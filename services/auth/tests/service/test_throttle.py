"""Rate limits by account and by address, in Redis."""

import time

import pytest

from shared.ids import now_ms
from shared.rates import Rate, take
from shared.redis.buckets import Buckets
from shared.redis.circuit_breaker import CircuitBreaker
from shared.testing.fixtures import on_both_engines

from .conftest import with_settings

limited = with_settings(rate_limits=True)


@pytest.fixture
def guess(tag: str) -> dict[str, str]:
    """A login with a wrong password for anna."""
    return {"login": f"anna{tag}", "password": "wrong horse battery"}


async def check_burst(attempt, status, rate):
    """Check that attempts get `status` until the burst, plus the tokens added meanwhile, is used up."""
    began, taken = time.monotonic(), 0
    while (answered := await attempt(taken)) == status:
        taken += 1
    assert answered == 429
    assert rate.burst <= taken <= rate.burst + (time.monotonic() - began) * 1000 / rate.every_ms


@limited
async def test_guessing_the_password_of_an_account_is_limited(sign_up, client, browser, guess):
    here, _ = await sign_up("anna")
    _, berta = await sign_up("berta")
    answers = [await client.post("/api/auth/login", json=guess) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 30
    assert answers[-1].headers["content-type"] == "application/problem+json"
    elsewhere = {"X-Real-IP": "192.0.2.9"}
    assert (await browser().post("/api/auth/login", json=guess, headers=elsewhere)).status_code == 429
    right = {"login": berta["webchat_id"], "password": "correct horse battery"}
    assert (await client.post("/api/auth/login", json=right)).status_code == 200
    assert (await here.get("/api/auth/me")).status_code == 200


@limited
async def test_the_right_password_resets_the_limit(sign_up, client, guess):
    _, anna = await sign_up("anna")
    right = {"login": anna["webchat_id"].upper(), "password": "correct horse battery"}
    for tried in [guess] * 9 + [right] + [guess] * 9 + [right]:
        answer = await client.post("/api/auth/login", json=tried)
        assert answer.status_code == (200 if tried is right else 401)


@limited
async def test_guessing_the_password_within_a_session_is_limited(sign_up):
    client, _ = await sign_up("anna")
    wrong = {"current_password": "wrong horse", "new_password": "another horse battery"}
    answers = [(await client.post("/api/auth/password", json=wrong)).status_code for _ in range(8)]
    answers += [(await client.request("DELETE", "/api/auth/me", json={"password": "no"})).status_code for _ in range(3)]
    assert answers == [403] * 10 + [429]


@limited
async def test_guessing_from_one_address_is_limited(client, tag):
    async def guess(number: int, address: str) -> int:
        body = {"login": f"user{number}{tag}", "password": "wrong horse battery"}
        return (await client.post("/api/auth/login", json=body, headers={"X-Real-IP": address})).status_code

    await check_burst(lambda number: guess(number, f"2001:db8:1:2::{number + 1:x}"), 401, Rate(100, every_ms=1_000))
    assert await guess(1000, "2001:db8:1:3::1") == 401


@limited
async def test_sign_ups_and_lookups_from_one_address_are_limited(client):
    async def ask(_: int) -> int:
        return (await client.get("/api/auth/available?webchat_id=anna")).status_code

    await check_burst(ask, 200, Rate(60, every_ms=500))
    body = {"email": "a@example.com", "password": "password", "webchat_id": "anna", "display_name": "A"}

    async def sign_up(_: int) -> int:
        return (await client.post("/api/auth/signup", json=body)).status_code

    await check_burst(sign_up, 422, Rate(60, every_ms=10_000))


@on_both_engines
async def test_the_script_computes_the_same_as_the_domain(redis):
    buckets, rate = Buckets(CircuitBreaker(redis), "auth"), Rate(burst=3, every_ms=60_000)
    full_at = 0
    for _ in range(5):
        full_at, wait = take(full_at, now_ms(), rate)
        assert await buckets.take("one", rate) == pytest.approx(wait, abs=2000)
    assert 0 < await redis.pttl("auth:bucket:{one}") <= 3 * 60_000
    await buckets.refill("one")
    assert await buckets.take("one", rate) == 0


async def test_limits_can_be_switched_off(client, guess):
    answers = {(await client.post("/api/auth/login", json=guess)).status_code for _ in range(30)}
    assert answers == {401}
