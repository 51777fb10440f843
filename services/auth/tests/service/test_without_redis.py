"""auth works without Redis: slower, and each process counts attempts by itself."""

from .conftest import with_settings

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
