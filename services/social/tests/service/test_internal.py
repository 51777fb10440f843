"""Requests of the gateways, and their authorization."""

import httpx
import pytest
from fastapi import FastAPI

from shared.ids import new_id
from shared.testing.fixtures import on_each_database
from shared.testing.nested_json import check_nested_bodies

from .conftest import SECRET


@on_each_database
async def test_friends_are_the_people_whom_one_follows(sign_up, gateway):
    anna, berta, carla = await sign_up("anna"), await sign_up("berta"), await sign_up("carla")
    await anna.http.put(f"/following/{berta.user_id}")
    await berta.http.put(f"/following/{anna.user_id}")
    await berta.http.put(f"/following/{carla.user_id}")
    stranger = new_id()
    users = (await gateway("friends", user_ids=[anna.user_id, berta.user_id, stranger])).json()["users"]
    assert users[anna.user_id] == {
        "revision": 1, "profiles": [(await anna.http.get(f"/profiles/{berta.user_id}")).json()],
    }  # fmt: skip
    assert users[anna.user_id]["profiles"][0]["followed"] is True
    assert {one["user_id"] for one in users[berta.user_id]["profiles"]} == {anna.user_id, carla.user_id}
    assert users[stranger] == {"revision": 0, "profiles": []}


@on_each_database
async def test_relationships(sign_up, gateway):
    anna, berta, carla, dora = [await sign_up(name) for name in ("anna", "berta", "carla", "dora")]
    await anna.http.put(f"/following/{berta.user_id}")
    await carla.http.put(f"/following/{anna.user_id}")
    await dora.http.put(f"/blocks/{anna.user_id}")
    await anna.http.put(f"/blocks/{carla.user_id}")
    await carla.http.put(f"/blocks/{anna.user_id}")
    await carla.http.delete(f"/blocks/{anna.user_id}")
    others = [berta.user_id, carla.user_id, dora.user_id, new_id()]
    answer = (await gateway("pairs", user_id=anna.user_id, other_ids=others)).json()
    assert answer == {"followed": [berta.user_id], "blocked_by": [dora.user_id]}
    answer = (await gateway("pairs", user_id=carla.user_id, other_ids=[anna.user_id])).json()
    assert answer == {"followed": [], "blocked_by": [anna.user_id]}
    assert (await gateway("pairs", user_id=anna.user_id, other_ids=[])).json() == {"followed": [], "blocked_by": []}


EMPTY = {
    "friends": lambda ids: {"users": {one: {"revision": 0, "profiles": []} for one in ids}},
    "revisions": lambda ids: {"revisions": dict.fromkeys(ids, 0)},
    "pairs": lambda _: {"followed": [], "blocked_by": []},
}
"""Answers about people who do not exist."""


@on_each_database
@pytest.mark.parametrize("path", EMPTY)
async def test_limits(gateway, path):
    many = [new_id() for _ in range(1001)]
    assert (await gateway(path, user_ids=many, user_id=new_id(), other_ids=many)).status_code == 422
    most = many[:1000]
    answer = await gateway(path, user_ids=most, user_id=new_id(), other_ids=most)
    assert (answer.status_code, answer.json()) == (200, EMPTY[path](most))
    for wrong in (["x"], ["\x00"], [1], "x", None):
        assert (await gateway(path, user_ids=wrong, user_id=new_id(), other_ids=wrong)).status_code == 422


async def test_only_services_are_authorized(app, sign_up):
    anna = await sign_up("anna")
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://social")
    async with client:
        for path in ("friends", "revisions", "pairs"):
            body = {"user_ids": [], "user_id": anna.user_id, "other_ids": []}
            assert (await client.post(f"/internal/{path}", json=body)).status_code == 401
            headers = {"X-WebChat-Token": anna.http.headers["X-WebChat-Token"]}
            assert (await client.post(f"/internal/{path}", json=body, headers=headers)).status_code == 403
        assert (await client.get("/api/social/profiles/me")).status_code == 401


async def test_a_token_for_another_audience_is_rejected(app, sign_up):
    anna = await sign_up("anna")
    as_user = (await anna.account.get("/check?audience=rooms")).headers["X-WebChat-Token"]
    body = {"service": "chat-gateway", "secret": SECRET, "audience": "rooms"}
    as_service = (await anna.account.post("/internal/token", json=body)).json()["token"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://social") as client:
        answer = await client.get("/api/social/profiles/me", headers={"X-WebChat-Token": as_user})
        assert answer.status_code == 401
        answer = await client.post("/internal/friends", json={"user_ids": []}, headers={"X-WebChat-Token": as_service})
        assert answer.status_code == 401


async def test_nested_bodies_are_invalid(app: FastAPI, sign_up):
    anna = await sign_up("anna")
    body = {"service": "chat-gateway", "secret": SECRET, "audience": "social"}
    token = (await anna.account.post("/internal/token", json=body)).json()["token"]
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://social"
    ) as client:
        user = {"X-WebChat-Token": anna.http.headers["X-WebChat-Token"]}
        assert await check_nested_bodies(app, client, user, {"X-WebChat-Token": token}) >= 3
