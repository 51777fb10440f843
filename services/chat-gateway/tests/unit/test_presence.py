"""Presence: visibility, changes and expiry, with Redis in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from chat_gateway.driver.sync import sync_changed_users
from chat_gateway.publisher import WAITING_AT_MOST
from shared.errors import Unavailable
from shared.ids import new_id, now_ms
from shared.streams.names import presence_channel, presence_key
from shared.testing.fixtures import eventually

from ..harness import QUICK, FakeClient, GatewayHarness  # noqa: TID252 - the tests of one service

ANA, BEN, CHO = sorted(new_id() for _ in range(3))


@pytest.fixture
async def harness() -> AsyncIterator[GatewayHarness]:
    it = GatewayHarness()
    async with it.running():
        yield it


async def told(harness: GatewayHarness) -> None:
    """Publish pending messages and handle the notifications."""
    if harness.gateway.presence._left:
        await harness.gateway.presence._follow_hints()
    await asyncio.wait_for(harness.gateway.ephemeral.run(), 1)
    if harness.gateway.presence._hint.is_set():
        await harness.gateway.presence._follow_hints()


def shown(client: FakeClient) -> list[tuple[str, str]]:
    return [(frame["user_id"], frame["status"]) for frame in client.of("presence")]


async def watch(client: FakeClient, *user_ids: str) -> dict[str, str]:
    reply = await client.ask("presence.watch", user_ids=list(user_ids))
    assert reply["op"] == "ok", reply
    presence: dict[str, str] = reply["presence"]
    return presence


def in_one_room(harness: GatewayHarness) -> None:
    harness.rooms.create(ANA, BEN)


def ana_follows(harness: GatewayHarness) -> None:
    harness.social.follow(ANA, BEN)


def ben_follows(harness: GatewayHarness) -> None:
    harness.social.follow(BEN, ANA)


def ben_blocked(harness: GatewayHarness) -> None:
    harness.social.block(BEN, ANA)


def ana_blocked(harness: GatewayHarness) -> None:
    harness.social.block(ANA, BEN)


@pytest.mark.parametrize(
    ("ties", "status"),
    [
        ([], "offline"),
        ([in_one_room], "online"),
        ([ana_follows], "online"),
        ([ben_follows], "online"),
        ([ana_follows, ben_blocked], "offline"),
        ([in_one_room, ben_blocked], "offline"),
        ([in_one_room, ana_follows, ben_follows, ben_blocked], "offline"),
        ([in_one_room, ana_blocked], "online"),
    ],
    ids=lambda value: value if isinstance(value, str) else "+".join(tie.__name__ for tie in value) or "strangers",
)
async def test_who_is_shown_to_whom(harness: GatewayHarness, ties: list[Callable[[GatewayHarness], None]], status: str):
    for tie in ties:
        tie(harness)
    ana, _ = await harness.live(ANA), await harness.live(BEN)
    assert await watch(ana, BEN, ANA, CHO) == {BEN: status, ANA: "online", CHO: "offline"}


async def test_who_comes_and_goes_is_told_to_those_who_watch(harness: GatewayHarness):
    in_one_room(harness)
    ana = await harness.live(ANA)
    assert await watch(ana, BEN, CHO) == {BEN: "offline", CHO: "offline"}
    first, second = await harness.live(BEN), await harness.live(BEN)
    await harness.live(CHO)  # a stranger
    await told(harness)
    assert shown(ana) == [(BEN, "online")]
    first.leave()
    await told(harness)
    assert shown(ana) == [(BEN, "online")]  # the other connection is there
    second.leave()
    await told(harness)
    assert shown(ana) == [(BEN, "online"), (BEN, "offline")]
    assert harness.memory.sets[presence_key(BEN)] == {}


async def test_watching_others_replaces_whom_one_watched(harness: GatewayHarness):
    in_one_room(harness)
    harness.social.follow(ANA, CHO)
    ana = await harness.live(ANA)
    await watch(ana, BEN)
    assert await watch(ana, CHO) == {CHO: "offline"}
    assert harness.gateway.subscriber._wanted[presence_channel(BEN)] == 0
    assert harness.gateway.subscriber._wanted[presence_channel(CHO)] == 1
    await harness.live(BEN)
    await harness.live(CHO)
    await told(harness)
    assert shown(ana) == [(CHO, "online")]
    assert await watch(ana) == {}
    assert harness.gateway.subscriber._wanted[presence_channel(CHO)] == 0
    ana.leave()
    assert harness.gateway.presence._visible == harness.gateway.presence._watchers == {}


async def test_whoever_goes_watches_nobody_any_more(harness: GatewayHarness):
    in_one_room(harness)
    first, second = await harness.live(ANA), await harness.live(ANA)
    for client in (first, second):
        await watch(client, BEN)
    first.leave()
    await harness.live(BEN)
    await told(harness)
    assert (shown(first), shown(second)) == ([], [(BEN, "online")])
    second.leave()
    assert harness.gateway.presence._visible == harness.gateway.presence._watchers == {}
    assert harness.gateway.subscriber._wanted[presence_channel(BEN)] == 0


async def test_who_goes_while_its_question_is_answered_leaves_nothing(harness: GatewayHarness):
    ana = await harness.live(ANA)
    harness.social.gate.clear()
    watching = asyncio.create_task(harness.gateway.presence.watch(ana.connection, [BEN]))
    await eventually(lambda: harness.social.of("pairs"))
    ana.leave()
    harness.social.gate.set()
    assert await watching == {}
    assert harness.gateway.presence._watchers == harness.gateway.presence._visible == {}


async def test_what_is_no_user_is_refused(harness: GatewayHarness):
    ana = await harness.live(ANA)
    reply = await ana.ask("presence.watch", user_ids=[BEN, "nobody"])
    assert (reply["code"], harness.social.of("pairs"), ana.connection.watching) == ("not_found", [], {})


@pytest.mark.parametrize("away", ["social", "rooms", "redis"])
async def test_where_it_cannot_be_told_what_one_watched_stays(harness: GatewayHarness, away: str):
    in_one_room(harness)
    ana, _ = await harness.live(ANA), await harness.live(BEN)
    await watch(ana, BEN)
    if away == "redis":
        harness.memory.away = True
    else:
        getattr(harness, away).problem = Unavailable("away")
    reply = await ana.ask("presence.watch", user_ids=[CHO, BEN])
    assert (reply["op"], reply["code"], reply["retry_after"]) == ("error", "unavailable", 1)
    assert ana.connection.watching == {BEN: True}


async def test_a_block_hides_although_the_follow_and_the_room_are_still_there(harness: GatewayHarness):
    """The block alone hides: the follow and the shared room remain."""
    for tie in (in_one_room, ana_follows):
        tie(harness)
    ana, ben = await harness.live(ANA), await harness.live(BEN)
    await sync_changed_users(harness.gateway)
    assert await watch(ana, BEN) == {BEN: "online"}
    ben_blocked(harness)
    harness.gateway.user_changed(ANA)
    await sync_changed_users(harness.gateway)
    assert shown(ana) == [(BEN, "offline")]
    ben.leave()
    await told(harness)
    await harness.live(BEN)
    await told(harness)
    assert shown(ana) == [(BEN, "offline")]
    harness.social.blocks.clear()
    harness.gateway.user_changed(ANA)
    await sync_changed_users(harness.gateway)
    assert shown(ana) == [(BEN, "offline"), (BEN, "online")]


async def test_a_room_that_ends_hides_and_one_that_begins_shows(harness: GatewayHarness):
    room_id = harness.rooms.create(ANA, BEN)
    ana, _ = await harness.live(ANA), await harness.live(BEN)
    await sync_changed_users(harness.gateway)
    await watch(ana, BEN)
    harness.rooms.remove(room_id, ANA)
    harness.gateway.user_changed(ANA)
    await sync_changed_users(harness.gateway)
    assert shown(ana) == [(BEN, "offline")]
    harness.rooms.add(room_id, ANA)
    harness.gateway.user_changed(ANA)
    await sync_changed_users(harness.gateway)
    assert shown(ana) == [(BEN, "offline"), (BEN, "online")]


async def test_a_gateway_that_crashed_is_noticed_at_the_next_look(harness: GatewayHarness):
    """Its connections stay in the sets until they expire, without a notification."""
    in_one_room(harness)
    harness.memory.sets[presence_key(BEN)]["elsewhere"] = now_ms() + 60_000
    ana = await harness.live(ANA)
    assert await watch(ana, BEN) == {BEN: "online"}
    await harness.gateway.presence._look()
    assert shown(ana) == []
    harness.memory.sets[presence_key(BEN)]["elsewhere"] = now_ms() - 1
    await harness.gateway.presence._look()
    assert shown(ana) == [(BEN, "offline")]
    await harness.gateway.presence._look()
    assert len(shown(ana)) == 1


async def test_what_expired_is_no_socket_of_the_user():
    harness = GatewayHarness(limits={"sockets_per_user": 1})
    async with harness.running():
        harness.memory.sets[presence_key(ANA)]["0-crashed"] = now_ms() - 1
        ana = await harness.live(ANA)
        assert list(harness.memory.sets[presence_key(ANA)]) == [ana.connection.id]
        assert (ana.transport.closed, harness.memory.published) == (None, [])


async def test_connections_that_are_here_are_refreshed(harness: GatewayHarness):
    begun = now_ms()
    ana = await harness.live(ANA)
    scores, expiry_ms = harness.memory.sets[presence_key(ANA)], QUICK.presence_expiry * 1000
    assert begun + expiry_ms <= scores[ana.connection.id] <= now_ms() + expiry_ms
    scores[ana.connection.id] = 1
    harness.memory.expiries.clear()
    await harness.gateway.presence._refresh()
    assert begun + expiry_ms <= scores[ana.connection.id] <= now_ms() + expiry_ms
    assert harness.memory.expiries == {presence_key(ANA): QUICK.presence_expiry}
    ana.leave()
    scores[ana.connection.id] = 1
    await harness.gateway.presence._refresh()
    assert scores[ana.connection.id] == 1


async def test_those_who_are_left_at_the_end_are_forgotten(harness: GatewayHarness):
    """Sockets close before presence stops."""
    async with harness.gateway.presence.running():
        ana = await harness.live(ANA)
        ana.leave()
    assert harness.memory.sets[presence_key(ANA)] == {}


async def test_under_load_nothing_is_told_and_a_later_look_tells(harness: GatewayHarness):
    in_one_room(harness)
    ana = await harness.live(ANA)
    await watch(ana, BEN)
    harness.overload.load = 1
    ben = await harness.live(BEN)
    await told(harness)
    assert shown(ana) == []
    harness.overload.load = 0
    await harness.gateway.presence._look()
    assert shown(ana) == [(BEN, "online")]
    assert ben.transport.closed is None


async def test_refresh_look_and_hints_run_by_themselves(harness: GatewayHarness):
    in_one_room(harness)
    async with harness.gateway.presence.running():
        ana = await harness.live(ANA)
        await watch(ana, BEN)
        harness.memory.sets[presence_key(BEN)]["elsewhere"] = now_ms() + 60_000
        await eventually(lambda: shown(ana) == [(BEN, "online")])  # a look
        harness.memory.sets[presence_key(ANA)][ana.connection.id] = 1
        await eventually(lambda: harness.memory.sets[presence_key(ANA)][ana.connection.id] > 1)  # a refresh
        ben = await harness.live(BEN)
        ben.leave()
        await eventually(lambda: ben.connection.id not in harness.memory.sets[presence_key(BEN)])  # hints


async def test_a_hint_alone_makes_a_look(harness: GatewayHarness):
    in_one_room(harness)
    ana = await harness.live(ANA)
    await watch(ana, BEN)
    harness.memory.sets[presence_key(BEN)]["elsewhere"] = now_ms() + 60_000
    harness.hear(presence_channel(BEN), b"")
    await asyncio.wait_for(harness.gateway.presence._follow_hints(), 1)
    assert shown(ana) == [(BEN, "online")]


async def test_too_much_that_may_be_lost_is(harness: GatewayHarness):
    for number in range(WAITING_AT_MOST + 5):
        harness.gateway.ephemeral.publish("channel", b"%d" % number)
    await harness.gateway.ephemeral.run()
    assert harness.memory.published == [("channel", b"%d" % number) for number in range(WAITING_AT_MOST)]
    harness.gateway.ephemeral.publish("channel", b"again")
    await harness.gateway.ephemeral.run()
    assert harness.memory.published[-1] == ("channel", b"again")
