"""auth goes on while Redis is away: slower, and with throttles of each process's own."""

import pytest

from shared.testing.servers import free_port

pytestmark = pytest.mark.parametrize("database_env", ["sqlite"], indirect=True)


@pytest.fixture
def overrides():
    return {"redis_endpoint": [f"127.0.0.1:{free_port()}"], "rate_limits": True}


async def test_everything_works(sign_up, log_in):
    here, anna = await sign_up("anna")
    there = await log_in("anna")
    assert (await there.get("/api/auth/me")).json() == anna
    assert (await here.get("/check?audience=social")).status_code == 204
    assert (await here.delete("/api/auth/sessions")).status_code == 204
    assert (await there.get("/api/auth/me")).status_code == 401
    assert (await here.get("/readyz")).status_code == 200


async def test_guessing_is_slowed_down_all_the_same(sign_up, client):
    await sign_up("anna")
    guess = {"login": "anna", "password": "wrong horse battery"}
    answers = [(await client.post("/api/auth/login", json=guess)).status_code for _ in range(12)]
    assert answers == [401] * 10 + [429] * 2
