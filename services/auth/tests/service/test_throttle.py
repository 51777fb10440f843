"""Rate limits by account and by address, in Redis."""

import asyncio
import threading
import time

import pytest

from auth.service.throttle import PASSWORD as PASSWORD_RATE
from auth.service.throttle import SIGN_IN_TO_ACCOUNT
from shared.ids import now_ms
from shared.rates import Rate, give_back, take
from shared.redis.buckets import Buckets
from shared.redis.circuit_breaker import CircuitBreaker
from shared.testing.fixtures import eventually, on_both_engines

from .conftest import PASSWORD, with_settings

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
async def test_an_account_has_one_limit_by_whichever_name_it_is_called(sign_up, client, guess):
    _, anna = await sign_up("anna")
    logins = [anna["email"], anna["webchat_id"], anna["webchat_id"].upper(), anna["email"].upper()] * 3
    answers = [(await client.post("/api/auth/login", json={**guess, "login": login})).status_code for login in logins]
    assert answers == [401] * 10 + [429] * 2


@limited
async def test_a_login_without_an_account_is_limited_like_one_with_an_account(client, guess, tag):
    guesses = [{**guess, "login": login} for login in (f"nobody{tag}", f"nobody{tag}@example.com")]
    for body in guesses:
        answers = [await client.post("/api/auth/login", json=body) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429]
        assert len({answer.text for answer in answers[:10]}) == 1


@limited
async def test_the_right_password_from_a_known_device_passes_while_strangers_guess(sign_up, browser, guess):
    known, anna = await sign_up("anna")
    right = {"login": anna["email"], "password": PASSWORD}
    assert (await known.post("/api/auth/logout")).status_code == 204
    stranger = browser()
    while (await stranger.post("/api/auth/login", json=guess)).status_code == 401:
        pass
    assert (await stranger.post("/api/auth/login", json=right)).status_code == 429
    for _ in range(3):
        assert (await known.post("/api/auth/login", json=right)).status_code == 200
        assert (await stranger.post("/api/auth/login", json=right)).status_code == 429, "it helps no stranger"


@limited
async def test_a_known_device_passes_while_its_address_is_limited(sign_up, browser, tag):
    known, anna = await sign_up("anna")
    stranger, number = browser(), 0
    while (
        await stranger.post("/api/auth/login", json={"login": f"u{number}{tag}", "password": "no"})
    ).status_code != 429:
        number += 1
    right = {"login": anna["email"], "password": PASSWORD}
    assert (await browser().post("/api/auth/login", json=right)).status_code == 429
    assert (await known.post("/api/auth/login", json=right)).status_code == 200


@limited
async def test_guessing_from_a_known_device_is_limited_by_itself(sign_up, log_in, guess):
    known, anna = await sign_up("anna")
    other = await log_in(anna["email"])
    answers = [(await known.post("/api/auth/login", json=guess)).status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]
    assert (await other.post("/api/auth/login", json=guess)).status_code == 401


@limited
async def test_the_known_devices_of_an_account_sign_in_a_limited_number_of_times(sign_up, log_in, browser):
    """Also with the right password, because each sign-in costs a password hash."""
    known, anna = await sign_up("anna")
    right = {"login": anna["email"], "password": PASSWORD}
    other = await log_in(anna["email"])
    statuses = [(await known.post("/api/auth/login", json=right)).status_code for _ in range(SIGN_IN_TO_ACCOUNT.burst)]
    assert set(statuses) == {200}
    assert {(await one.post("/api/auth/login", json=right)).status_code for one in (known, other)} == {429}
    assert (await browser().post("/api/auth/login", json=right)).status_code == 200, "that is another limit"


@limited
async def test_an_attempt_that_could_not_be_checked_does_not_count(sign_up, browser, deps, tag):
    known, anna = await sign_up("anna")
    right = {"login": anna["email"], "password": PASSWORD}
    stranger, gate = browser(), threading.Event()
    busy = [
        asyncio.create_task(deps.hasher._run(f"{tag}{number}", lambda: gate.wait(30)))
        for number in range(2 * deps.hasher._most)
    ]
    await eventually(lambda: deps.hasher._workers.requests == len(busy))
    for client in (known, stranger):
        attempts = range(PASSWORD_RATE.burst + 1)
        answers = [(await client.post("/api/auth/login", json=right)).status_code for _ in attempts]
        assert set(answers) == {503}
    gate.set()
    await asyncio.gather(*busy)
    for client in (known, stranger):
        assert (await client.post("/api/auth/login", json=right)).status_code == 200


@limited
async def test_a_device_is_known_to_the_accounts_that_signed_in_with_it_only(sign_up, browser, guess, tag):
    shared, anna = await sign_up("anna")
    berta_client, berta = await sign_up("berta")
    stranger = browser()
    while (await stranger.post("/api/auth/login", json=guess)).status_code == 401:
        pass
    right = {"login": anna["email"], "password": PASSWORD}
    mark = shared.cookies["webchat_device"]
    for forged in (berta_client.cookies["webchat_device"], mark[:-1] + "AB"[mark[-1] == "A"], "x" * 40, ".", "\u00e9"):
        cookie = {"Cookie": f"webchat_device={forged}".encode()}
        assert (await stranger.post("/api/auth/login", json=right, headers=cookie)).status_code == 429
    # two people of one household share a browser: both are known to it
    assert (await shared.post("/api/auth/login", json={**right, "login": berta["email"]})).status_code == 200
    assert len(shared.cookies["webchat_device"].split(".")) == 2
    assert (await shared.post("/api/auth/login", json=right)).status_code == 200


async def test_the_cookie_of_a_device(sign_up, browser, log_in):
    client, anna = await sign_up("anna")
    body = {"login": anna["email"], "password": PASSWORD}
    for scheme in ("http", "https"):
        answer = await browser().post("/api/auth/login", json=body, headers={"X-Forwarded-Proto": scheme})
        cookie = next(one for one in answer.headers.get_list("Set-Cookie") if one.startswith("webchat_device="))
        parts = {one.strip().lower() for one in cookie.split(";")[1:]}
        assert parts == {"httponly", "max-age=34560000", "path=/api/auth", "samesite=strict"} | (
            {"secure"} if scheme == "https" else set()
        )
    assert (await client.post("/api/auth/logout")).status_code == 204
    assert client.cookies["webchat_device"], "it outlives the session"
    assert anna["user_id"] not in client.cookies["webchat_device"]


async def test_a_browser_is_known_to_its_latest_accounts(deps):
    cookie = ""
    for number in range(7):
        cookie = deps.devices.add(cookie, f"user{number}")
        assert deps.devices.add(cookie, f"user{number}") == cookie
    assert [deps.devices.find(cookie, f"user{number}") is not None for number in range(7)] == [False] * 2 + [True] * 5


@limited
async def test_right_passwords_from_one_address_do_not_count_as_failures(sign_up, browser, tag):
    people = [(await sign_up(f"p{number}"))[1] for number in range(2)]
    for _ in range(30):
        for one in people:
            body = {"login": one["email"], "password": PASSWORD}
            assert (await browser().post("/api/auth/login", json=body)).status_code == 200


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
async def test_strangers_do_not_keep_a_signed_in_person_from_changing_the_password(sign_up, browser, guess):
    client, _ = await sign_up("anna")
    stranger = browser()
    while (await stranger.post("/api/auth/login", json=guess)).status_code == 401:
        pass
    change = {"current_password": PASSWORD, "new_password": "another horse staple"}
    assert (await client.post("/api/auth/password", json=change)).status_code == 204


@limited
async def test_guessing_the_passwords_of_many_accounts_from_one_address_is_limited(client, tag):
    async def guess(number: int, address: str) -> int:
        body = {"login": f"user{number}{tag}", "password": "wrong horse battery"}
        return (await client.post("/api/auth/login", json=body, headers={"X-Real-IP": address})).status_code

    await check_burst(lambda number: guess(number, f"2001:db8:1:2::{number + 1:x}"), 401, Rate(50, every_ms=20_000))
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
    buckets, rate = Buckets(CircuitBreaker(redis), "auth", on=True), Rate(burst=3, every_ms=60_000)
    full_at = 0
    for _ in range(5):
        full_at, wait = take(full_at, now_ms(), rate)
        assert await buckets.take("one", rate) == pytest.approx(wait, abs=2000)
    assert 0 < await redis.pttl("auth:bucket:{one}") <= 3 * 60_000
    await buckets.give_back("one", rate)
    full_at = give_back(full_at, rate)
    for _ in range(2):
        full_at, wait = take(full_at, now_ms(), rate)
        assert await buckets.take("one", rate) == pytest.approx(wait, abs=2000)
    for _ in range(4):
        await buckets.give_back("one", rate)
    assert await redis.exists("auth:bucket:{one}") == 0, "a bucket is never more than full"
    for _ in range(4):
        await buckets.take("one", rate)
    await buckets.refill("one")
    assert await buckets.take("one", rate) == 0


async def test_limits_can_be_switched_off(client, guess):
    answers = {(await client.post("/api/auth/login", json=guess)).status_code for _ in range(30)}
    assert answers == {401}
