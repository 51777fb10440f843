"""The permission to see /ops: auth gives a token for `ops` only to the users in `OPERATORS`."""

from shared.logging.setup import USER_HEADER
from shared.rpc.tokens import TOKEN_HEADER, token_key_id, verify_token

from .conftest import PASSWORD, with_settings

CHECK = "/check?audience=ops"
pytestmark = with_settings(operators="nobody_yet, Anna.Ops,BEN_OPS ,cleo_ops")


async def test_an_operator_gets_a_token_for_ops_only(sign_up):
    client, anna = await sign_up("anna", webchat_id="anna.ops")
    answer = await client.get(CHECK)
    assert answer.status_code == 204
    keys = {key["kid"]: key for key in (await client.get("/internal/jwks")).json()["keys"]}
    token = answer.headers[TOKEN_HEADER]
    principal = verify_token(token, keys[token_key_id(token)], "ops")
    assert (principal.use, principal.subject) == ("user", anna["user_id"])


async def test_another_user_passes_without_a_token(sign_up):
    """The answer is 404 from ops. nginx would turn a 404 from here into 500."""
    client, _ = await sign_up("dora")
    answer = await client.get(CHECK)
    assert answer.status_code == 204
    assert TOKEN_HEADER not in answer.headers
    assert answer.headers[USER_HEADER] == (await client.get("/check?audience=rooms")).headers[USER_HEADER]


async def test_without_a_session_it_is_401(client):
    answer = await client.get(CHECK)
    assert (answer.status_code, TOKEN_HEADER in answer.headers) == (401, False)


async def test_an_operators_revoked_session_is_401_at_once(sign_up, log_in):
    first, _ = await sign_up("ben", webchat_id="ben_ops")
    second = await log_in("ben_ops")
    assert TOKEN_HEADER in (await second.get(CHECK)).headers
    assert (await first.delete("/api/auth/sessions")).status_code == 204
    answer = await second.get(CHECK)
    assert (answer.status_code, TOKEN_HEADER in answer.headers) == (401, False)
    assert TOKEN_HEADER in (await first.get(CHECK)).headers


async def test_an_operator_who_closed_the_account_is_none(sign_up):
    client, _ = await sign_up("cleo", webchat_id="cleo_ops")
    secret = client.cookies["webchat_session"]
    closed = await client.request("DELETE", "/api/auth/me", json={"password": PASSWORD})
    assert closed.status_code == 204
    client.cookies.set("webchat_session", secret, domain="chat.example")
    answer = await client.get(CHECK)
    assert (answer.status_code, TOKEN_HEADER in answer.headers) == (401, False)


async def test_a_page_of_another_origin_gets_403(sign_up):
    client, _ = await sign_up("emma")
    assert (await client.get(CHECK, headers={"Origin": "https://evil.example"})).status_code == 403


async def test_no_service_gets_a_token_for_ops(client, settings):
    body = {"service": "rooms", "secret": settings.secret_of("rooms"), "audience": "ops"}
    assert (await client.post("/internal/token", json=body)).status_code == 422
