"""Blocks end follows, prevent new ones, and are published in order."""

import msgspec

from shared.streams.names import service_stream
from shared.testing.fixtures import eventually, on_each_database

pytestmark = on_each_database


async def published(redis, number: int, *users) -> list[dict]:
    """Wait for at least `number` events of these people in social's stream; return them."""
    ids = {one.user_id for one in users}

    async def read() -> list[dict]:
        entries = await redis.xrange(service_stream("social"))
        events = [msgspec.json.decode(fields[b"payload"]) for _, fields in entries]
        found = [event for event in events if event["user_id"] in ids]
        return found if len(found) >= number else []

    return await eventually(read)


async def test_a_block_ends_both_follows_and_unblocking_restores_none(sign_up, gateway):
    anna, berta = await sign_up("anna"), await sign_up("berta")
    await anna.http.put(f"/following/{berta.user_id}")
    await berta.http.put(f"/following/{anna.user_id}")
    assert (await anna.http.put(f"/blocks/{berta.user_id}")).status_code == 204
    [blocked] = (await anna.http.get("/blocks")).json()["items"]
    assert (blocked["user_id"], blocked["followed"]) == (berta.user_id, False)
    assert (await berta.http.get("/blocks")).json()["items"] == []
    ids = [anna.user_id, berta.user_id]
    assert (await gateway("revisions", user_ids=ids)).json()["revisions"] == dict.fromkeys(ids, 2)
    assert (await anna.http.delete(f"/blocks/{berta.user_id}")).status_code == 204
    for someone in (anna, berta):
        for path in ("/following", "/followers", "/blocks"):
            assert (await someone.http.get(path)).json()["items"] == []


async def test_a_block_prevents_follows(sign_up):
    anna, berta = await sign_up("anna"), await sign_up("berta")
    await anna.http.put(f"/blocks/{berta.user_id}")
    assert (await berta.http.put(f"/following/{anna.user_id}")).status_code == 403
    assert (await anna.http.put(f"/following/{berta.user_id}")).status_code == 409
    await anna.http.delete(f"/blocks/{berta.user_id}")
    assert (await berta.http.put(f"/following/{anna.user_id}")).status_code == 204


async def test_each_change_is_published_once_with_the_version_of_the_pair(sign_up, redis, gateway):
    anna, berta = await sign_up("anna"), await sign_up("berta")
    for method in ("PUT", "PUT", "DELETE", "DELETE", "PUT"):
        assert (await anna.http.request(method, f"/blocks/{berta.user_id}")).status_code == 204
    await berta.http.put(f"/blocks/{anna.user_id}")
    pair = {"user_id": anna.user_id, "blocked_id": berta.user_id}
    assert await published(redis, 4, anna, berta) == [
        {"topic": "user.blocked", **pair, "version": 1},
        {"topic": "user.unblocked", **pair, "version": 2},
        {"topic": "user.blocked", **pair, "version": 3},
        {"topic": "user.blocked", "user_id": berta.user_id, "blocked_id": anna.user_id, "version": 1},
    ]
    ids = [anna.user_id, berta.user_id]
    assert (await gateway("revisions", user_ids=ids)).json()["revisions"] == dict.fromkeys(ids, 4)
