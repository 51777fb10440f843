"""Following: idempotency, lists, limits, and revisions that cover every change."""

import asyncio

from shared.ids import new_id
from shared.testing.fixtures import on_each_database
from social.storage.tables import follow

pytestmark = on_each_database


async def ids(someone, path: str, **params: object) -> list[str]:
    return [one["user_id"] for one in (await someone.http.get(path, params=params)).json()["items"]]


async def test_follow_and_unfollow(sign_up, gateway):
    anna, berta = await sign_up("anna"), await sign_up("berta")
    for _ in range(2):
        assert (await anna.http.put(f"/following/{berta.user_id}")).status_code == 204
    assert await ids(anna, "/following") == [berta.user_id]
    assert await ids(berta, "/followers") == [anna.user_id]
    assert await ids(berta, "/following") == []
    assert (await anna.http.get(f"/profiles/{berta.user_id}")).json()["followed"]
    assert not (await berta.http.get(f"/profiles/{anna.user_id}")).json()["followed"]
    for _ in range(2):
        assert (await anna.http.delete(f"/following/{berta.user_id}")).status_code == 204
    assert await ids(anna, "/following") == await ids(berta, "/followers") == []
    revisions = (await gateway("revisions", user_ids=[anna.user_id, berta.user_id])).json()["revisions"]
    assert revisions == {anna.user_id: 2, berta.user_id: 0}


async def test_following_and_blocking_oneself_or_an_unknown_person(sign_up):
    anna = await sign_up("anna")
    for kind in ("following", "blocks"):
        for method in ("PUT", "DELETE"):
            assert (await anna.http.request(method, f"/{kind}/{anna.user_id}")).status_code == 422
            assert (await anna.http.request(method, f"/{kind}/{new_id()}")).status_code == 404
            assert (await anna.http.request(method, f"/{kind}/x")).status_code == 404


async def test_lists_are_paged_newest_first(sign_up, register_many):
    anna, others = await sign_up("anna"), await register_many(5)
    for other in others:
        await anna.http.put(f"/following/{other}")
    paged, cursor = [], None
    for _ in range(3):
        page = (await anna.http.get("/following", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        paged += [one["user_id"] for one in page["items"]]
        cursor = page["next"]
    assert (paged, cursor) == (others[::-1], None)


async def test_a_page_can_end_between_entries_of_the_same_millisecond(sign_up, register_many, deps):
    anna, others = await sign_up("anna"), await register_many(5)
    rows = [{"follower_id": anna.user_id, "followee_id": other, "since": 7} for other in others]
    async with deps.database.write() as db:
        await db.execute(follow.insert(), rows)
    first = (await anna.http.get("/following?limit=3")).json()
    second = (await anna.http.get("/following", params={"limit": 3, "cursor": first["next"]})).json()
    assert sorted(one["user_id"] for one in first["items"] + second["items"]) == sorted(others)


async def test_followers_show_whom_one_follows_back(sign_up):
    anna, berta, carla = await sign_up("anna"), await sign_up("berta"), await sign_up("carla")
    for someone in (berta, carla):
        await someone.http.put(f"/following/{anna.user_id}")
    await anna.http.put(f"/following/{berta.user_id}")
    items = (await anna.http.get("/followers")).json()["items"]
    assert {one["user_id"]: one["followed"] for one in items} == {berta.user_id: True, carla.user_id: False}


async def test_the_limit_of_2000_holds_for_concurrent_requests(sign_up, register_many, deps):
    anna, others = await sign_up("anna"), await register_many(2005)
    await anna.http.get("/profiles/me")
    rows = [{"follower_id": anna.user_id, "followee_id": other, "since": 1} for other in others[:1999]]
    async with deps.database.write() as db:
        await db.execute(follow.insert(), rows)
    answers = await asyncio.gather(*(anna.http.put(f"/following/{other}") for other in others[1999:]))
    assert sorted(answer.status_code for answer in answers) == [204, 409, 409, 409, 409, 409]
    assert (await anna.http.put(f"/following/{others[0]}")).status_code == 204
    assert (await anna.http.delete(f"/following/{others[0]}")).status_code == 204


async def test_fetching_at_each_new_revision_yields_the_current_state(sign_up, gateway):
    """As a gateway does it, while a profile changes and is followed and unfollowed."""
    anna, berta = await sign_up("anna"), await sign_up("berta")
    seen: tuple[int, list] = (0, [])

    async def refresh() -> None:
        nonlocal seen
        revision = (await gateway("revisions", user_ids=[anna.user_id])).json()["revisions"][anna.user_id]
        if revision != seen[0]:
            friends = (await gateway("friends", user_ids=[anna.user_id])).json()["users"][anna.user_id]
            seen = (friends["revision"], friends["profiles"])

    async def watch() -> None:
        for _ in range(6):
            await refresh()

    for index in range(8):
        change = {"status_message": f"status {index}"}
        await asyncio.gather(
            watch(),
            anna.http.request("PUT" if index % 2 == 0 else "DELETE", f"/following/{berta.user_id}"),
            berta.http.patch("/profiles/me", json=change),
        )
        await refresh()
        fresh = (await gateway("friends", user_ids=[anna.user_id])).json()["users"][anna.user_id]
        assert seen == (fresh["revision"], fresh["profiles"])
