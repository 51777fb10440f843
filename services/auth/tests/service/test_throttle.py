"""Throttles by account and by address, in Redis."""

import pytest

from auth.domain.bucket import Rate, take
from auth.storage.buckets import Buckets
from auth.storage.redis_gate import RedisGate
from shared.service.ids import now_ms
from shared.testing.fixtures import on_both_engines

pytestmark = pytest.mark.parametrize("database_env", ["sqlite"], indirect=True)
GUESS = {"login": "anna", "password": "wrong horse battery"}


@pytest.fixture
def overrides():
    return {"rate_limits": True}


async def test_guesses_at_one_account(sign_up, client, browser):
    here, _ = await sign_up("anna")
    await sign_up("berta")
    answers = [await client.post("/api/auth/login", json=GUESS) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 30
    assert answers[-1].headers["content-type"] == "application/problem+json"
    elsewhere = {"X-Real-IP": "192.0.2.9"}
    assert (await browser().post("/api/auth/login", json=GUESS, headers=elsewhere)).status_code == 429
    berta = {"login": "berta", "password": "correct horse battery"}
    assert (await client.post("/api/auth/login", json=berta)).status_code == 200
    assert (await here.get("/api/auth/me")).status_code == 200


async def test_the_right_password_forgives(sign_up, client):
    await sign_up("anna")
    right = {"login": "ANNA", "password": "correct horse battery"}
    for guess in [GUESS] * 9 + [right] + [GUESS] * 9 + [right]:
        answer = await client.post("/api/auth/login", json=guess)
        assert answer.status_code == (200 if guess is right else 401)


async def test_guesses_at_the_password_of_a_session(sign_up):
    client, _ = await sign_up("anna")
    wrong = {"current_password": "wrong horse", "new_password": "another horse battery"}
    answers = [(await client.post("/api/auth/password", json=wrong)).status_code for _ in range(8)]
    answers += [(await client.request("DELETE", "/api/auth/me", json={"password": "no"})).status_code for _ in range(3)]
    assert answers == [403] * 10 + [429]


async def test_guesses_from_one_address(client):
    async def guess(number: int, address: str) -> int:
        body = {"login": f"user{number}", "password": "wrong horse battery"}
        return (await client.post("/api/auth/login", json=body, headers={"X-Real-IP": address})).status_code

    assert {await guess(number, f"2001:db8:1:2::{number + 1:x}") for number in range(100)} == {401}
    assert await guess(100, "2001:db8:1:2:ffff::1") == 429
    assert await guess(101, "2001:db8:1:3::1") == 401


async def test_sign_ups_and_questions_from_one_address(client):
    ask = [(await client.get("/api/auth/available?webchat_id=anna")).status_code for _ in range(61)]
    assert ask == [200] * 60 + [429]
    body = {"email": "a@example.com", "password": "password", "webchat_id": "anna", "display_name": "A"}
    tried = [(await client.post("/api/auth/signup", json=body)).status_code for _ in range(61)]
    assert tried == [422] * 60 + [429]


@on_both_engines
async def test_the_script_and_the_sums_agree(redis, database_env):
    buckets, rate = Buckets(RedisGate(redis)), Rate(burst=3, every_ms=60_000)
    full_at = 0
    for _ in range(5):
        full_at, wait = take(full_at, now_ms(), rate)
        assert await buckets.take("one", rate) == pytest.approx(wait, abs=2000)
    assert 0 < await redis.pttl("auth:bucket:{one}") <= 3 * 60_000
    await buckets.refill("one")
    assert await buckets.take("one", rate) == 0


@pytest.mark.parametrize("overrides", [{"rate_limits": False}])
async def test_switched_off(client):
    answers = {(await client.post("/api/auth/login", json=GUESS)).status_code for _ in range(30)}
    assert answers == {401}
