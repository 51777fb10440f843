"""auth works without Redis: slower, and each process counts attempts by itself."""

import asyncio

import httpx

from auth.main import create_app

from .conftest import PASSWORD, with_settings

pytestmark = with_settings(redis_endpoint=["127.0.0.1:1"], rate_limits=True)


async def test_everything_works(sign_up, log_in):
    here, anna = await sign_up("anna")
    there = await log_in(anna["webchat_id"])
    assert (await there.get("/api/auth/me")).json() == anna
    assert (await here.get("/check?audience=social")).status_code == 204
    assert (await here.delete("/api/auth/sessions")).status_code == 204
    assert (await there.get("/api/auth/me")).status_code == 401
    ready = await here.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "missing": [], "degraded": ["redis"]})


async def test_guessing_is_still_limited(sign_up, client):
    _, anna = await sign_up("anna")
    guess = {"login": anna["webchat_id"], "password": "wrong horse battery"}
    answers = [(await client.post("/api/auth/login", json=guess)).status_code for _ in range(12)]
    assert answers == [401] * 10 + [429] * 2


async def test_a_revocation_holds_while_redis_accepts_calls_and_never_answers(settings, tmp_path):
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    app = create_app(settings.model_copy(update={"webchat_data": tmp_path, "redis_endpoint": [f"127.0.0.1:{port}"]}))
    user = {"email": "anna@example.com", "password": PASSWORD, "webchat_id": "anna", "display_name": "Anna"}
    async with app.router.lifespan_context(app):
        here, there = (
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://chat.example") for _ in range(2)
        )
        assert (await here.post("/api/auth/signup", json=user)).status_code == 201
        assert (await there.post("/api/auth/login", json={"login": "anna", "password": PASSWORD})).status_code == 200
        assert (await there.get("/check?audience=rooms")).status_code == 204
        async with asyncio.timeout(5):  # a call of Redis gives up after 2 s and is repeated
            assert (await here.delete("/api/auth/sessions")).status_code == 204
        assert (await there.get("/check?audience=rooms")).status_code == 401
    server.close()
