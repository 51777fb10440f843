"""What goes on while auth or Redis is away."""

import pytest

from shared.testing.servers import free_port
from social.service.profiles import list_profiles

pytestmark = pytest.mark.parametrize("database_env", ["sqlite"], indirect=True)
AWAY = f"127.0.0.1:{free_port()}"


@pytest.mark.parametrize("overrides", [{"redis_endpoint": [AWAY]}])
async def test_without_redis_nobody_waits_for_an_event(sign_up, gateway):
    anna, berta = await sign_up("anna"), await sign_up("berta")
    assert (await anna.http.get(f"/profiles/{berta.user_id}")).json()["webchat_id"] == "berta"
    assert (await anna.http.put(f"/following/{berta.user_id}")).status_code == 204
    assert (await berta.http.patch("/profiles/me", json={"status_message": "away"})).status_code == 200
    assert (await anna.http.put(f"/blocks/{berta.user_id}")).status_code == 204
    ids = [anna.user_id, berta.user_id]
    assert (await gateway("revisions", user_ids=ids)).json()["revisions"] == {anna.user_id: 3, berta.user_id: 1}


@pytest.mark.parametrize("overrides", [{"auth_url": f"http://{AWAY}", "redis_endpoint": [AWAY]}])
async def test_without_auth_those_who_are_known_stay_known(parts, crowd, sign_up):
    [known] = await crowd(1)
    page = await list_profiles(parts, known, [known])
    assert [one.user_id for one in page.items] == [known]
    anna = await sign_up("anna")
    answer = await anna.http.get("/profiles/me")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert answer.headers["content-type"] == "application/problem+json"
