"""Profiles: creation from auth's events, reading, search, changes, closed accounts."""

import msgspec
import pytest
from sqlalchemy import select

from shared.events.auth import UserClosed, UserRegistered
from shared.ids import new_id
from shared.streams.names import service_stream, user_channel
from shared.testing.fixtures import eventually, on_each_database
from social.consumers import on_auth
from social.storage.tables import person

pytestmark = on_each_database


async def rows(deps) -> dict:
    async with deps.database.read() as db:
        return {row["user_id"]: row for row in (await db.execute(select(person))).mappings()}


async def test_signing_up_creates_a_profile(sign_up, deps):
    anna = await sign_up("anna")
    await eventually(lambda: _is_registered(deps, anna.user_id))
    mine = (await anna.http.get("/profiles/me")).json()
    assert mine == {
        "user_id": anna.user_id, "webchat_id": anna.webchat_id, "display_name": "Anna", "status_message": "",
        "avatar_url": None, "followed": False,
    }  # fmt: skip


async def _is_registered(deps, user_id: str) -> bool:
    return user_id in await rows(deps)


async def test_profiles_are_in_the_order_of_the_ids_without_unknown_ones(sign_up):
    anna, berta = await sign_up("anna"), await sign_up("berta")
    await anna.http.put(f"/following/{berta.user_id}")
    ids = [berta.user_id, new_id(), anna.user_id, berta.user_id]
    page = (await anna.http.get("/profiles", params={"user_ids": ",".join(ids)})).json()
    assert [(one["user_id"], one["followed"]) for one in page["items"]] == [
        (berta.user_id, True), (anna.user_id, False),
    ]  # fmt: skip
    assert page["next"] is None
    assert (await anna.http.get("/profiles?user_ids=")).json() == {"items": [], "next": None}


async def test_at_most_200_profiles_per_request(sign_up, register_many):
    anna, others = await sign_up("anna"), await register_many(201)
    page = await anna.http.get("/profiles", params={"user_ids": ",".join(others[:200])})
    assert page.status_code == 200, page.text
    assert [one["user_id"] for one in page.json()["items"]] == others[:200]
    assert (await anna.http.get("/profiles", params={"user_ids": ",".join(others)})).status_code == 422


async def test_an_unknown_profile(sign_up):
    anna = await sign_up("anna")
    for user_id in (new_id(), "x", anna.user_id.upper()):
        assert (await anna.http.get(f"/profiles/{user_id}")).status_code == 404


async def test_a_change_raises_the_revision_of_followers_only(sign_up, gateway, redis, avatar):
    anna, berta, carla = await sign_up("anna"), await sign_up("berta"), await sign_up("carla")
    await berta.http.put(f"/following/{anna.user_id}")
    await anna.http.put(f"/following/{carla.user_id}")
    ids = [anna.user_id, berta.user_id, carla.user_id]
    before = (await gateway("revisions", user_ids=ids)).json()["revisions"]
    pubsub = redis.pubsub()
    await pubsub.ssubscribe(user_channel(berta.user_id))
    change = {"display_name": "  Anna B ", "status_message": "away", "avatar_attachment_id": avatar}
    answer = await anna.http.patch("/profiles/me", json=change)
    assert (answer.status_code, answer.json()) == (200, {
        "user_id": anna.user_id, "webchat_id": anna.webchat_id, "display_name": "Anna B", "status_message": "away",
        "avatar_url": f"/api/media/attachments/{avatar}/content", "followed": False,
    })  # fmt: skip
    after = (await gateway("revisions", user_ids=ids)).json()["revisions"]
    assert after == before | {berta.user_id: before[berta.user_id] + 1}
    message = await eventually(lambda: pubsub.get_message(ignore_subscribe_messages=True, timeout=1))
    notification = {"hint": "changed", "source": "social", "revision": after[berta.user_id]}
    assert msgspec.json.decode(message["data"]) == notification
    await pubsub.aclose()
    [friend] = (await berta.http.get("/following")).json()["items"]
    assert (friend["display_name"], friend["status_message"]) == ("Anna B", "away")


async def test_a_change_of_the_name_reaches_auth(sign_up, redis):
    anna = await sign_up("anna")

    async def names() -> set[str]:
        accounts = [await anna.account.get("/api/auth/me"), await anna.http.get("/profiles/me")]
        return {one.json()["display_name"] for one in accounts}

    for name in ("Anna B", "Anna C"):
        await anna.http.patch("/profiles/me", json={"display_name": name})
    await eventually(lambda: _equals(names, {"Anna C"}))
    entries = await redis.xrange(service_stream("social"))
    events = [msgspec.json.decode(fields[b"payload"]) for _, fields in entries]
    mine = [event for event in events if event["user_id"] == anna.user_id]
    assert [(event["topic"], event["display_name"], event["version"]) for event in mine] == [
        ("profile.renamed", "Anna B", 1), ("profile.renamed", "Anna C", 2),
    ]  # fmt: skip


async def _equals(read, wanted: set[str]) -> bool:
    return await read() == wanted


@pytest.mark.parametrize(
    "change", [{}, {"display_name": "Anna"}, {"status_message": ""}, {"avatar_attachment_id": None}, {"other": 1}]
)
async def test_a_request_without_changes_raises_no_revision(sign_up, gateway, change):
    anna, berta = await sign_up("anna"), await sign_up("berta")
    await berta.http.put(f"/following/{anna.user_id}")
    assert (await anna.http.patch("/profiles/me", json=change)).json()["display_name"] == "Anna"
    assert (await gateway("revisions", user_ids=[berta.user_id])).json() == {"revisions": {berta.user_id: 1}}


async def test_omitted_fields_stay_and_null_removes_the_avatar(sign_up, avatar):
    anna = await sign_up("anna")
    await anna.http.patch("/profiles/me", json={"status_message": "away", "avatar_attachment_id": avatar})
    answer = (await anna.http.patch("/profiles/me", json={"avatar_attachment_id": None})).json()
    assert (answer["avatar_url"], answer["status_message"], answer["display_name"]) == (None, "away", "Anna")


async def test_an_attachment_that_is_not_an_avatar_is_rejected(sign_up):
    anna = await sign_up("anna")
    answer = await anna.http.patch("/profiles/me", json={"status_message": "x", "avatar_attachment_id": new_id()})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "avatar_attachment_id")
    assert (await anna.http.get("/profiles/me")).json()["status_message"] == ""


async def search(someone, typed: str, **params: object) -> list[str]:
    page = (await someone.http.get("/profiles/search", params={"webchat_id": typed, **params})).json()
    return [one["webchat_id"] for one in page["items"]]


async def test_search_finds_the_exact_id_first_then_longer_ones(sign_up, tag):
    caller = await sign_up("anna.x")
    others = [await sign_up(name) for name in ("anna_1", "annab", "anna", "ann")]
    for one in [caller, *others, await sign_up("hanna", f"h{tag}anna")]:
        await caller.http.get(f"/profiles/{one.user_id}")  # registers them, even if auth's event has not arrived
    found = [f"{tag}{name}" for name in ("anna", "anna.x", "anna_1", "annab")]
    assert await search(caller, f"{tag}ANNA") == found
    assert await search(caller, f"{tag}anna_") == [f"{tag}anna_1"]
    for typed in (f"{tag}an%", f"{tag}änna", f"{tag}anna'--"):
        assert await search(caller, typed) == []


async def test_search_is_paged(sign_up, register_many, tag):
    caller = await sign_up("anna")
    await register_many(45)
    found, cursor = [], None
    while True:
        params = {"webchat_id": f"{tag}crowd", "limit": 20} | ({"cursor": cursor} if cursor else {})
        page = (await caller.http.get("/profiles/search", params=params)).json()
        found.append([one["webchat_id"] for one in page["items"]])
        cursor = page["next"]
        if cursor is None:
            break
    assert list(map(len, found)) == [20, 20, 5]
    assert [one for page in found for one in page] == [f"{tag}crowd{index:05}" for index in range(45)]


async def test_followed_people_are_found_by_initials_and_parts_of_their_names(sign_up, tag):
    anna, names = await sign_up("anna"), {"minji": "김민지", "minjun": "박 민준", "ben": "Ben 민"}
    people = {webchat_id: await sign_up(webchat_id) for webchat_id in [*names, "stranger"]}
    for webchat_id, one in people.items():
        await one.http.patch("/profiles/me", json={"display_name": names.get(webchat_id, "이민지")})
    assert await search(anna, "ㅁㅈ") == []
    for webchat_id in names:
        await anna.http.put(f"/following/{people[webchat_id].user_id}")
    minji, minjun, ben = [people[name].webchat_id for name in names]
    assert await search(anna, "ㅁㅈ") == [minji, minjun]
    assert await search(anna, "ㄱㅁㅈ") == [minji]
    assert await search(anna, "ㄱㅈ") == await search(people["minji"], "ㅁㅈ") == []
    assert await search(anna, "민지") == [minji]
    assert await search(anna, "EN 민") == [ben]
    assert await search(anna, f"{tag}minj") == [minji, minjun]
    page = (await anna.http.get("/profiles/search", params={"webchat_id": "ㅁㅈ", "limit": 1})).json()
    assert [(one["webchat_id"], one["followed"]) for one in page["items"]] == [(minji, True)]
    assert await search(anna, "ㅁㅈ", limit=1, cursor=page["next"]) == [minjun]
    for typed, status in (("ㅁ", 422), (" ㅁ", 422), ("ㄳ", 200), ("ㅁ" * 65, 422)):
        assert (await anna.http.get("/profiles/search", params={"webchat_id": typed})).status_code == status


async def test_a_closed_account_is_removed_everywhere(sign_up, gateway, deps, avatar):
    anna, berta, carla = await sign_up("anna"), await sign_up("berta"), await sign_up("carla")
    await anna.http.patch("/profiles/me", json={"status_message": "away", "avatar_attachment_id": avatar})
    await berta.http.put(f"/following/{anna.user_id}")
    await anna.http.put(f"/following/{berta.user_id}")
    await carla.http.put(f"/blocks/{anna.user_id}")
    searched = f"/profiles/search?webchat_id={anna.webchat_id}"
    paths = ("/following", "/followers", searched, f"/profiles?user_ids={anna.user_id}")
    for path in paths:
        assert [one["user_id"] for one in (await berta.http.get(path)).json()["items"]] == [anna.user_id]
    await anna.close()
    await eventually(lambda: _is_empty(deps, anna.user_id))
    assert (await berta.http.get(f"/profiles/{anna.user_id}")).status_code == 404
    for path in paths:
        assert (await berta.http.get(path)).json() == {"items": [], "next": None}
    assert (await carla.http.get("/blocks")).json() == {"items": [], "next": None}
    assert (await berta.http.put(f"/following/{anna.user_id}")).status_code == 404
    friends = (await gateway("friends", user_ids=[berta.user_id])).json()["users"][berta.user_id]
    assert friends == {"revision": 2, "profiles": []}
    row = (await rows(deps))[anna.user_id]
    personal = ("webchat_id", "display_name", "status_message", "avatar_id")
    assert [row[name] for name in personal] == [None, "", "", None]


async def test_a_token_of_a_closed_account_changes_nothing(sign_up, deps):
    anna, berta = await sign_up("anna"), await sign_up("berta")
    await berta.http.get("/profiles/me")
    await anna.close()
    await eventually(lambda: _is_empty(deps, anna.user_id))
    assert (await anna.http.patch("/profiles/me", json={"status_message": "back"})).status_code == 404
    for kind in ("following", "blocks"):
        assert (await anna.http.put(f"/{kind}/{berta.user_id}")).status_code == 404
    assert (await berta.http.get("/followers")).json()["items"] == []
    assert await _is_empty(deps, anna.user_id)
    assert (await rows(deps))[anna.user_id]["status_message"] == ""


async def _is_empty(deps, user_id: str) -> bool:
    row = (await rows(deps)).get(user_id)
    return row is not None and row["closed_at"] is not None


async def test_duplicate_late_and_reordered_events(deps, sign_up, gateway, tag):
    """After a consumer died, its events arrive late. A closed account stays closed."""
    berta, [user_id] = await sign_up("berta"), [new_id()]
    registered = UserRegistered(user_id=user_id, webchat_id=f"{tag}a", display_name="Anna", version=1, at=1)
    closed = UserClosed(user_id=user_id, version=2, at=2)
    await on_auth(deps, registered)
    await on_auth(deps, registered)
    await berta.http.put(f"/following/{user_id}")
    for event in (closed, closed, registered):
        await on_auth(deps, event)
    assert (await berta.http.get(f"/profiles/{user_id}")).status_code == 404
    assert (await gateway("revisions", user_ids=[berta.user_id])).json() == {"revisions": {berta.user_id: 2}}
    other = new_id()
    for event in (
        UserClosed(user_id=other, version=2, at=2),
        UserRegistered(user_id=other, webchat_id=f"{tag}o", display_name="O", version=1, at=1),
    ):
        await on_auth(deps, event)
    assert (await berta.http.get(f"/profiles/{other}")).status_code == 404
