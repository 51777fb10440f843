"""The cookie of a browser: its name with and without TLS, and the session that a further sign-in replaces."""

from typing import Any

import httpx
import pytest

from shared.redis.client import AnyRedis
from shared.streams.names import user_channel
from shared.streams.notifications import SessionsRevoked, publish_notifications
from shared.testing.fixtures import eventually, on_each_database, subscription

from .conftest import PASSWORD, with_settings

TLS = {"X-Forwarded-Proto": "https"}
NAME, TLS_NAME = "webchat_session", "__Host-webchat_session"


def cookies_of(answer: httpx.Response) -> dict[str, tuple[str, set[str]]]:
    """Return value and attributes of the cookies that an answer sets."""
    found = {}
    for line in answer.headers.get_list("Set-Cookie"):
        pair, *attributes = line.split("; ")
        name, _, value = pair.partition("=")
        found[name] = value.strip('"'), {one.partition("=")[0] for one in attributes}
    return found


async def get_me(browser: Any, headers: dict[str, str], **cookies: str) -> httpx.Response:
    text = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return await browser().get("/api/auth/me", headers=headers | {"Cookie": text})


async def test_under_tls_the_cookie_belongs_to_this_host_only(sign_up, browser):
    _, anna = await sign_up("anna")
    body = {"login": anna["email"], "password": PASSWORD}
    signed_in = cookies_of(await browser().post("/api/auth/login", json=body, headers=TLS))
    secret, attributes = signed_in[TLS_NAME]
    assert NAME not in signed_in
    assert attributes == {"HttpOnly", "Max-Age", "Path", "SameSite", "Secure"}, "a Domain would be rejected"
    answer = await get_me(browser, TLS, **{TLS_NAME: secret})
    assert answer.status_code == 200
    assert set(cookies_of(answer)) == {TLS_NAME}
    assert (await get_me(browser, {}, **{TLS_NAME: secret})).status_code == 401, (
        "without TLS the prefix promises nothing"
    )


async def test_the_cookie_of_an_earlier_release_is_replaced(sign_up, browser):
    client, _ = await sign_up("anna")
    secret = client.cookies[NAME]
    answer = await get_me(browser, TLS, **{NAME: secret})
    assert answer.status_code == 200
    cookies = cookies_of(answer)
    assert (cookies[TLS_NAME][0], cookies[NAME][0]) == (secret, "")
    assert (
        await browser().get("/check?audience=rooms", headers=TLS | {"Cookie": f"{NAME}={secret}"})
    ).status_code == 204


async def test_the_cookie_of_this_host_wins_over_one_that_another_host_may_have_set(sign_up, browser):
    (anna_client, anna), (mallory, _) = await sign_up("anna"), await sign_up("mallory")
    own, planted = anna_client.cookies[NAME], mallory.cookies[NAME]
    answer = await get_me(browser, TLS, **{NAME: planted, TLS_NAME: own})
    assert answer.json()["user_id"] == anna["user_id"]


@with_settings(host_cookie=False)
async def test_during_an_update_the_cookie_keeps_the_name_that_old_replicas_know(sign_up, browser):
    _, anna = await sign_up("anna")
    body = {"login": anna["email"], "password": PASSWORD}
    [(name, (secret, attributes))] = [
        cookie
        for cookie in cookies_of(await browser().post("/api/auth/login", json=body, headers=TLS)).items()
        if cookie[0] != "webchat_device"
    ]
    assert (name, "Secure" in attributes) == (NAME, True)
    moved_back = cookies_of(await get_me(browser, TLS, **{TLS_NAME: secret}))
    assert (moved_back[NAME][0], moved_back[TLS_NAME][0]) == (secret, "")


async def test_signing_out_deletes_both_cookies(sign_up, browser):
    client, _ = await sign_up("anna")
    cookie = {"Cookie": f"{TLS_NAME}={client.cookies[NAME]}"}
    answer = await browser().post("/api/auth/logout", headers=TLS | cookie)
    assert {name: value for name, (value, _) in cookies_of(answer).items()} == {NAME: "", TLS_NAME: ""}


@on_each_database
async def test_a_second_sign_in_ends_the_session_that_the_browser_had(sign_up, browser):
    client, anna = await sign_up("anna")
    first = client.cookies[NAME]
    body = {"login": anna["email"], "password": PASSWORD}
    assert (await client.post("/api/auth/login", json={**body, "password": "wrong horse"})).status_code == 401
    assert (await client.get("/api/auth/me")).status_code == 200
    assert (await client.post("/api/auth/login", json=body)).status_code == 200
    assert client.cookies[NAME] != first
    [session] = (await client.get("/api/auth/sessions")).json()["items"]
    assert session["current"]
    assert (await get_me(browser, {}, **{NAME: first})).json()["type"] == "urn:webchat:problem:session_ended"


@pytest.mark.parametrize("same", [True, False], ids=["same user", "another user"])
async def test_sockets_of_another_user_in_the_browser_are_closed_at_once(
    sign_up, redis: AnyRedis, trail: list[dict[str, Any]], same: bool
):
    client, anna = await sign_up("anna")
    _, berta = await sign_up("berta")
    trail.clear()
    body = {"login": (anna if same else berta)["email"], "password": PASSWORD}
    async with subscription(redis, user_channel(anna["user_id"])) as channel:
        assert (await client.post("/api/auth/login", json=body)).status_code == 200
        await publish_notifications(redis, [(anna["user_id"], SessionsRevoked(["the end"]))])
        received: list[bytes] = []

        async def is_complete() -> bool:
            message = await channel.get_message(timeout=0.05)
            received.extend([message["data"]] if message and message["type"] == "smessage" else [])
            return any(b"the end" in one for one in received)

        await eventually(is_complete)
    assert len(received) == (1 if same else 2)
    revoked = [line for line in trail if line["event.action"] == "session-revoke"]
    assert [(line["user.id"], line["event.reason"]) for line in revoked] == [
        (anna["user_id"], "replaced by another sign-in")
    ]


async def test_signing_up_ends_the_session_that_the_browser_had(sign_up, browser, tag):
    client, _ = await sign_up("anna")
    first = client.cookies[NAME]
    names = {"email": f"new{tag}@example.com", "webchat_id": f"new{tag}", "display_name": "New"}
    assert (await client.post("/api/auth/signup", json={"password": PASSWORD, **names})).status_code == 201
    assert (await get_me(browser, {}, **{NAME: first})).status_code == 401
