"""Story 10: under every fault, each acknowledged message exists once and in the same order for all members.

The faults are a selection of those of `make chaos`; these tests also check the answers that clients get during a fault.
All tests share one stack, which each of them leaves intact, and a canary that runs all the time.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from canary_figures import Figures, reading
from chaos.faults import FAULTS, SHORT
from chaos.targets import GATEWAYS, Own, own
from chaos.trial import attempt, sign_up_members
from people import Person
from traffic import Scene

from shared.ids import new_id
from shared.testing.fixtures import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    settings = {"CANARY": "on", "CANARY_REPLICAS": "1", "CANARY_SECONDS": "0.5"}
    with own(tmp_path_factory.mktemp("faults") / "own", **settings) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def members(target: Own) -> AsyncIterator[list[Person]]:
    signed_up = await sign_up_members(target.stack.url)
    yield signed_up
    for member in signed_up:
        await member.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module", autouse=True)
async def canary(target: Own) -> AsyncIterator[None]:
    """After all tests, assert that the canary is up and has found no violation."""
    yield
    figures = await settled_figures(target)
    assert figures["acked"]
    assert figures["received"]
    assert figures.broken_since() == {}


async def settled_figures(target: Own) -> Figures:
    read = reading(target.stack)

    def is_well() -> bool:
        return read().all_up and read().waiting == 0

    await eventually(is_well, 60)
    return read()


@pytest_asyncio.fixture(loop_scope="module")
async def scene(target: Own, members: list[Person]) -> AsyncIterator[Scene]:
    running = await Scene.of(*members)
    await running.each_acked()
    yield running
    await running.rest()
    await target.settled()


async def keeps_promises(target: Own, members: list[Person], name: str, **options: Any) -> None:
    verdict = await attempt(target, FAULTS[name], members, **options)
    assert verdict.broken == {}, verdict
    assert set(verdict.received) == {verdict.stored}
    assert verdict.acknowledged == verdict.stored


@pytest.mark.parametrize("name", [one for one in SHORT if one != "auth-paused"])
async def test_promises_are_kept(target: Own, members: list[Person], name: str):
    await keeps_promises(target, members, name)


async def test_rooms_killed_between_publish_and_answer(target: Own, members: list[Person]):
    await keeps_promises(target, members, "rooms-killed-before-answer")


async def test_valkey_killed_and_back_empty(target: Own, members: list[Person]):
    await keeps_promises(target, members, "valkey-killed")


async def test_auth_paused(target: Own, members: list[Person]):
    """Open sockets keep working; new requests get 503 with Retry-After."""
    asked = []

    async def ask() -> None:
        async with httpx.AsyncClient(base_url=target.stack.url, timeout=30, cookies=members[0].http.cookies) as client:
            asked.append(response := await client.get("/api/rooms"))
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) >= 1
        assert response.headers["content-type"].startswith("application/problem+json")

    await keeps_promises(target, members, "auth-paused", meanwhile=ask)
    assert asked


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("auth", "/auth/me"),
        ("auth", "/rooms"),
        ("rooms", "/rooms"),
        ("social", "/social/profiles/me"),
        ("media", "/media/attachments/00000000-0000-7000-8000-000000000000/content"),
    ],
)
async def test_a_service_that_hangs_is_answered_with_503(target: Own, members: list[Person], name: str, path: str):
    """The limit here is higher than the promised 5 s, because machines may be busy, and lower than nginx's default."""
    with target.paused(name):
        async with httpx.AsyncClient(base_url=target.stack.url, timeout=20, cookies=members[0].http.cookies) as client:
            response = await client.get(f"/api{path}")
    assert (response.status_code, response.json()["type"]) == (503, "urn:webchat:problem:unavailable")
    assert int(response.headers["retry-after"]) >= 1
    await target.settled()


async def test_while_valkey_hangs_http_works_and_a_revocation_holds(target: Own, members: list[Person]):
    ana, ben, cho = members
    phone = await ana.log_in_again()
    on_phone = await phone.open()
    [session] = [one for one in (await phone.call("GET", "/auth/sessions"))["items"] if one["current"]]
    room_id = await ana.group("Hanging", ben)
    with target.paused("valkey"):
        for method, path, options in (
            ("GET", "/auth/me", {}),
            ("GET", "/social/profiles/me", {}),
            ("PATCH", "/social/profiles/me", {"json": {"status_message": "waiting"}}),
            ("PUT", f"/social/following/{cho.id}", {"status": 204}),
            ("DELETE", f"/social/following/{cho.id}", {"status": 204}),
            ("GET", "/rooms", {}),
            ("POST", "/rooms", {"json": {"kind": "group", "title": "Now", "user_ids": [ben.id]}, "status": 201}),
            ("POST", f"/rooms/{room_id}/messages", {"json": {"client_id": new_id(), "body": "hi"}, "status": 201}),
            ("GET", f"/rooms/{room_id}/messages", {}),
            ("GET", "/rooms/search", {"params": {"q": "hi"}}),
            ("POST", "/media/attachments", {"files": {"file": b"text"}, "data": {"room_id": room_id}, "status": 201}),
        ):
            await ana.call(method, path, **options)
        laptop = await ana.log_in_again()
        await laptop.call("POST", "/auth/logout", status=204)
        await ana.call("DELETE", f"/auth/sessions/{session['session_id']}", status=204)
        assert await on_phone.closed() == 4401
        assert on_phone.received[-1]["op"] == "session.revoked"
        await phone.call("GET", "/rooms", status=401)
    await target.settled()


async def test_a_stopping_gateway_closes_its_sockets_in_order(target: Own, scene: Scene):
    """The canary counts reconnects, but no loss."""
    before = await settled_figures(target)
    # nginx balances connections, so a gateway that restarted gets the next ones: open enough for both.
    sockets = [await person.open() for person in (scene.ana, scene.ben, scene.cho) for _ in range(7) if person]
    pid = await asyncio.to_thread(target.stack.signal, GATEWAYS[0], signal.SIGTERM)
    codes: list[int | None] = []

    def is_counted() -> bool:
        codes[:] = [one.close_code for one in sockets if one.close_code is not None]
        return 1001 in codes

    await eventually(is_counted, 30)
    assert set(codes) == {1001}
    await target.restarted(GATEWAYS[0], pid)
    await scene.finish()
    read = reading(target.stack)
    await eventually(lambda: read()["reconnects"] > before["reconnects"], 30)
    after = await settled_figures(target)
    await eventually(lambda: read()["acked"] > after["acked"] and read()["received"] > after["received"], 30)
    assert read().broken_since(before) == {}
