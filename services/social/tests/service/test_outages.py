"""Outages of auth and Redis."""

from shared.testing.once import wait_for_readiness
from social.service.profiles import list_profiles

from .conftest import with_settings

UNREACHABLE = "127.0.0.1:1"


@with_settings(redis_endpoint=[UNREACHABLE])
async def test_without_redis_new_accounts_are_requested_from_auth(app, sign_up, gateway):
    await wait_for_readiness(app, status="ready", missing=[], degraded=["redis"])
    anna, berta = await sign_up("anna"), await sign_up("berta")
    assert (await anna.http.get(f"/profiles/{berta.user_id}")).json()["webchat_id"] == berta.webchat_id
    assert (await anna.http.put(f"/following/{berta.user_id}")).status_code == 204
    assert (await berta.http.patch("/profiles/me", json={"status_message": "away"})).status_code == 200
    assert (await anna.http.put(f"/blocks/{berta.user_id}")).status_code == 204
    ids = [anna.user_id, berta.user_id]
    assert (await gateway("revisions", user_ids=ids)).json()["revisions"] == {anna.user_id: 3, berta.user_id: 1}


@with_settings(auth_url=f"http://{UNREACHABLE}", redis_endpoint=[UNREACHABLE])
async def test_without_auth_registered_people_are_still_served(app, deps, register_many, sign_up):
    await wait_for_readiness(app, status="waiting", missing=["keys of auth"], degraded=["redis", "auth"])
    [known] = await register_many(1)
    page = await list_profiles(deps, known, [known])
    assert [one.user_id for one in page.items] == [known]
    anna = await sign_up("anna")
    answer = await anna.http.get("/profiles/me")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert answer.headers["content-type"] == "application/problem+json"
