"""The authentication requests of nginx, and the Origin rule."""

import pytest

from shared import VERSION
from shared.errors import Unauthenticated
from shared.rpc.tokens import token_key_id, verify_token

from .conftest import with_settings

LISTED = "https://app.example"
pytestmark = with_settings(backend_cors_origins=[LISTED])


async def keys_of(client) -> dict:
    answer = await client.post("/internal/keys")
    assert (await client.get("/internal/jwks")).json() == answer.json()
    return {key["kid"]: key for key in answer.json()["keys"]}


async def test_the_token_names_user_session_and_audience(sign_up):
    client, anna = await sign_up("anna")
    [session] = (await client.get("/api/auth/sessions")).json()["items"]
    answer = await client.get("/check?audience=rooms")
    assert (answer.status_code, answer.content) == (204, b"")
    token = answer.headers["X-WebChat-Token"]
    key = (await keys_of(client))[token_key_id(token)]
    assert "d" not in key
    principal = verify_token(token, key, "rooms")
    assert principal.use == "user"
    assert (principal.subject, principal.session_id) == (anna["user_id"], session["session_id"])
    with pytest.raises(Unauthenticated):
        verify_token(token, key, "social")


async def test_a_token_is_cached_for_each_audience(sign_up):
    client, _ = await sign_up("anna")
    tokens = [
        (await client.get(f"/check?audience={a}")).headers["X-WebChat-Token"] for a in ("rooms", "rooms", "media")
    ]
    assert tokens[0] == tokens[1] != tokens[2]


async def test_without_the_setting_nobody_gets_a_token_for_ops(sign_up):
    client, _ = await sign_up("anna")
    answer = await client.get("/check?audience=ops")
    assert answer.status_code == 204
    assert "X-WebChat-Token" not in answer.headers


async def test_without_a_session_there_is_no_token(client):
    answer = await client.get("/check?audience=rooms")
    assert answer.status_code == 401
    assert "X-WebChat-Token" not in answer.headers


@pytest.mark.parametrize("query", ["", "?audience=", "?audience=nginx", "?audience=rooms%00"])
async def test_an_unknown_audience_is_rejected(sign_up, query):
    client, _ = await sign_up("anna")
    assert (await client.get(f"/check{query}")).status_code == 422


ORIGINS = [
    ({}, True),
    ({"Origin": "http://chat.example"}, True),
    ({"Origin": "http://chat.example:80"}, True),
    ({"Origin": "HTTP://Chat.Example"}, True),
    ({"Origin": LISTED}, True),
    ({"Origin": LISTED, "Sec-Fetch-Site": "cross-site"}, True),
    ({"Origin": "http://chat.example", "Sec-Fetch-Site": "same-origin"}, True),
    ({"Sec-Fetch-Site": "same-origin"}, True),
    ({"Sec-Fetch-Site": "none"}, True),
    ({"Origin": "null"}, False),
    ({"Origin": ""}, False),
    ({"Origin": "https://chat.example"}, False),
    ({"Origin": "http://chat.example:8080"}, False),
    ({"Origin": "http://chat.example.evil.example"}, False),
    ({"Origin": "http://evil@chat.example"}, False),
    ({"Origin": "http://app.example"}, False),
    ({"Origin": "file://"}, False),
    ({"Sec-Fetch-Site": "cross-site"}, False),
    ({"Sec-Fetch-Site": "same-site"}, False),
    ({"Origin": "https://chat.example", "X-Forwarded-Proto": "https"}, True),
    ({"Origin": "http://chat.example", "X-Forwarded-Proto": "https"}, False),
    ({"Origin": "http://127.0.0.1:8080", "Host": "127.0.0.1:8080"}, True),
    ({"Origin": "http://[::1]:8080", "Host": "[::1]:8080"}, True),
]


@pytest.mark.parametrize(("headers", "allowed"), ORIGINS)
async def test_which_origins_are_allowed(sign_up, headers, allowed):
    client, _ = await sign_up("anna")
    cookie = {"Cookie": f"webchat_session={client.cookies['webchat_session']}"}
    checked = await client.get("/check?audience=rooms", headers=headers | cookie)
    assert checked.status_code == (204 if allowed else 403)
    own = await client.get("/api/auth/me", headers=headers | cookie)
    assert own.status_code == (200 if allowed else 403)


@pytest.mark.parametrize("path", ["signup", "login", "logout", "password"])
async def test_a_page_of_another_origin_signs_nobody_in(client, path):
    answer = await client.post(f"/api/auth/{path}", json={}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert "access-control-allow-origin" not in answer.headers


async def test_a_listed_origin_may_use_the_cookie(client):
    ask = {"Origin": LISTED, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    answer = await client.options("/api/auth/login", headers=ask)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == LISTED
    assert answer.headers["access-control-allow-credentials"] == "true"
    foreign = await client.options("/api/auth/login", headers=ask | {"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert "access-control-allow-origin" not in foreign.headers


async def test_the_version_is_public(client):
    answer = await client.get("/api/version")
    assert (answer.status_code, answer.json()) == (200, {"version": VERSION})
