"""Presence: visibility, changes and expiry, with Redis in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from chat_gateway.driver.sync import follow_changes
from chat_gateway.publisher import WAITING_AT_MOST
from shared.errors import Unavailable
from shared.ids import new_id, now_ms
from shared.streams.names import presence_channel, presence_key
from shared.testing.fixtures import eventually

from ..edge import QUICK, Edge, Person  # noqa: TID252 - the tests of one service

ANA, BEN, CHO = sorted(new_id() for _ in range(3))


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    it = Edge()
    async with it.running():
        yield it


async def told(edge: Edge) -> None:
    """Publish pending messages and handle the notifications."""
    if edge.gateway.presence._left:
        await edge.gateway.presence._follow_hints()
    await asyncio.wait_for(edge.gateway.ephemeral.run(), 1)
    if edge.gateway.presence._hint.is_set():
        await edge.gateway.presence._follow_hints()


def shown(person: Person) -> list[tuple[str, str]]:
    return [(frame["user_id"], frame["status"]) for frame in person.of("presence")]


async def watch(person: Person, *user_ids: str) -> dict[str, str]:
    reply = await person.ask("presence.watch", user_ids=list(user_ids))
    assert reply["op"] == "ok", reply
    presence: dict[str, str] = reply["presence"]
    return presence


def in_one_room(edge: Edge) -> None:
    edge.rooms.create(ANA, BEN)


def ana_follows(edge: Edge) -> None:
    edge.social.follow(ANA, BEN)


def ben_follows(edge: Edge) -> None:
    edge.social.follow(BEN, ANA)


def ben_blocked(edge: Edge) -> None:
    edge.social.block(BEN, ANA)


def ana_blocked(edge: Edge) -> None:
    edge.social.block(ANA, BEN)


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
async def test_who_is_shown_to_whom(edge: Edge, ties: list[Callable[[Edge], None]], status: str):
    for tie in ties:
        tie(edge)
    ana, _ = await edge.live(ANA), await edge.live(BEN)
    assert await watch(ana, BEN, ANA, CHO) == {BEN: status, ANA: "online", CHO: "offline"}


async def test_who_comes_and_goes_is_told_to_those_who_watch(edge: Edge):
    in_one_room(edge)
    ana = await edge.live(ANA)
    assert await watch(ana, BEN, CHO) == {BEN: "offline", CHO: "offline"}
    first, second = await edge.live(BEN), await edge.live(BEN)
    await edge.live(CHO)  # a stranger
    await told(edge)
    assert shown(ana) == [(BEN, "online")]
    first.leave()
    await told(edge)
    assert shown(ana) == [(BEN, "online")]  # the other connection is there
    second.leave()
    await told(edge)
    assert shown(ana) == [(BEN, "online"), (BEN, "offline")]
    assert edge.memory.sets[presence_key(BEN)] == {}


async def test_watching_others_replaces_whom_one_watched(edge: Edge):
    in_one_room(edge)
    edge.social.follow(ANA, CHO)
    ana = await edge.live(ANA)
    await watch(ana, BEN)
    assert await watch(ana, CHO) == {CHO: "offline"}
    assert edge.gateway.subscriber._wanted[presence_channel(BEN)] == 0
    assert edge.gateway.subscriber._wanted[presence_channel(CHO)] == 1
    await edge.live(BEN)
    await edge.live(CHO)
    await told(edge)
    assert shown(ana) == [(CHO, "online")]
    assert await watch(ana) == {}
    assert edge.gateway.subscriber._wanted[presence_channel(CHO)] == 0
    ana.leave()
    assert edge.gateway.presence._visible == edge.gateway.presence._watchers == {}


async def test_whoever_goes_watches_nobody_any_more(edge: Edge):
    in_one_room(edge)
    first, second = await edge.live(ANA), await edge.live(ANA)
    for person in (first, second):
        await watch(person, BEN)
    first.leave()
    await edge.live(BEN)
    await told(edge)
    assert (shown(first), shown(second)) == ([], [(BEN, "online")])
    second.leave()
    assert edge.gateway.presence._visible == edge.gateway.presence._watchers == {}
    assert edge.gateway.subscriber._wanted[presence_channel(BEN)] == 0


async def test_who_goes_while_its_question_is_answered_leaves_nothing(edge: Edge):
    ana = await edge.live(ANA)
    edge.social.gate.clear()
    watching = asyncio.create_task(edge.gateway.presence.watch(ana.client, [BEN]))
    await eventually(lambda: edge.social.of("pairs"))
    ana.leave()
    edge.social.gate.set()
    assert await watching == {}
    assert edge.gateway.presence._watchers == edge.gateway.presence._visible == {}


async def test_what_is_no_user_is_refused(edge: Edge):
    ana = await edge.live(ANA)
    reply = await ana.ask("presence.watch", user_ids=[BEN, "nobody"])
    assert (reply["code"], edge.social.of("pairs"), ana.client.watching) == ("not_found", [], {})


@pytest.mark.parametrize("away", ["social", "rooms", "redis"])
async def test_where_it_cannot_be_told_what_one_watched_stays(edge: Edge, away: str):
    in_one_room(edge)
    ana, _ = await edge.live(ANA), await edge.live(BEN)
    await watch(ana, BEN)
    if away == "redis":
        edge.memory.away = True
    else:
        getattr(edge, away).problem = Unavailable("away")
    reply = await ana.ask("presence.watch", user_ids=[CHO, BEN])
    assert (reply["op"], reply["code"], reply["retry_after"]) == ("error", "unavailable", 1)
    assert ana.client.watching == {BEN: True}


async def test_a_block_hides_although_the_follow_and_the_room_are_still_there(edge: Edge):
    """The block alone hides: the follow and the shared room remain."""
    for tie in (in_one_room, ana_follows):
        tie(edge)
    ana, ben = await edge.live(ANA), await edge.live(BEN)
    await follow_changes(edge.gateway)
    assert await watch(ana, BEN) == {BEN: "online"}
    ben_blocked(edge)
    edge.gateway.user_changed(ANA)
    await follow_changes(edge.gateway)
    assert shown(ana) == [(BEN, "offline")]
    ben.leave()
    await told(edge)
    await edge.live(BEN)
    await told(edge)
    assert shown(ana) == [(BEN, "offline")]
    edge.social.blocks.clear()
    edge.gateway.user_changed(ANA)
    await follow_changes(edge.gateway)
    assert shown(ana) == [(BEN, "offline"), (BEN, "online")]


async def test_a_room_that_ends_hides_and_one_that_begins_shows(edge: Edge):
    room_id = edge.rooms.create(ANA, BEN)
    ana, _ = await edge.live(ANA), await edge.live(BEN)
    await follow_changes(edge.gateway)
    await watch(ana, BEN)
    edge.rooms.remove(room_id, ANA)
    edge.gateway.user_changed(ANA)
    await follow_changes(edge.gateway)
    assert shown(ana) == [(BEN, "offline")]
    edge.rooms.add(room_id, ANA)
    edge.gateway.user_changed(ANA)
    await follow_changes(edge.gateway)
    assert shown(ana) == [(BEN, "offline"), (BEN, "online")]


async def test_a_gateway_that_crashed_is_noticed_at_the_next_look(edge: Edge):
    """Its connections stay in the sets until they expire, without a notification."""
    in_one_room(edge)
    edge.memory.sets[presence_key(BEN)]["elsewhere"] = now_ms() + 60_000
    ana = await edge.live(ANA)
    assert await watch(ana, BEN) == {BEN: "online"}
    await edge.gateway.presence._look()
    assert shown(ana) == []
    edge.memory.sets[presence_key(BEN)]["elsewhere"] = now_ms() - 1
    await edge.gateway.presence._look()
    assert shown(ana) == [(BEN, "offline")]
    await edge.gateway.presence._look()
    assert len(shown(ana)) == 1


async def test_what_expired_is_no_socket_of_the_user():
    edge = Edge(limits={"sockets_per_user": 1})
    async with edge.running():
        edge.memory.sets[presence_key(ANA)]["0-crashed"] = now_ms() - 1
        ana = await edge.live(ANA)
        assert list(edge.memory.sets[presence_key(ANA)]) == [ana.client.id]
        assert (ana.wire.closed, edge.memory.published) == (None, [])


async def test_connections_that_are_here_are_refreshed(edge: Edge):
    begun = now_ms()
    ana = await edge.live(ANA)
    scores, expiry_ms = edge.memory.sets[presence_key(ANA)], QUICK.presence_expiry * 1000
    assert begun + expiry_ms <= scores[ana.client.id] <= now_ms() + expiry_ms
    scores[ana.client.id] = 1
    edge.memory.expiries.clear()
    await edge.gateway.presence._refresh()
    assert begun + expiry_ms <= scores[ana.client.id] <= now_ms() + expiry_ms
    assert edge.memory.expiries == {presence_key(ANA): QUICK.presence_expiry}
    ana.leave()
    scores[ana.client.id] = 1
    await edge.gateway.presence._refresh()
    assert scores[ana.client.id] == 1


async def test_those_who_are_left_at_the_end_are_forgotten(edge: Edge):
    """Sockets close before presence stops."""
    async with edge.gateway.presence.running():
        ana = await edge.live(ANA)
        ana.leave()
    assert edge.memory.sets[presence_key(ANA)] == {}


async def test_under_load_nothing_is_told_and_a_later_look_tells(edge: Edge):
    in_one_room(edge)
    ana = await edge.live(ANA)
    await watch(ana, BEN)
    edge.overload.load = 1
    ben = await edge.live(BEN)
    await told(edge)
    assert shown(ana) == []
    edge.overload.load = 0
    await edge.gateway.presence._look()
    assert shown(ana) == [(BEN, "online")]
    assert ben.wire.closed is None


async def test_refresh_look_and_hints_run_by_themselves(edge: Edge):
    in_one_room(edge)
    async with edge.gateway.presence.running():
        ana = await edge.live(ANA)
        await watch(ana, BEN)
        edge.memory.sets[presence_key(BEN)]["elsewhere"] = now_ms() + 60_000
        await eventually(lambda: shown(ana) == [(BEN, "online")])  # a look
        edge.memory.sets[presence_key(ANA)][ana.client.id] = 1
        await eventually(lambda: edge.memory.sets[presence_key(ANA)][ana.client.id] > 1)  # a refresh
        ben = await edge.live(BEN)
        ben.leave()
        await eventually(lambda: ben.client.id not in edge.memory.sets[presence_key(BEN)])  # hints


async def test_a_hint_alone_makes_a_look(edge: Edge):
    in_one_room(edge)
    ana = await edge.live(ANA)
    await watch(ana, BEN)
    edge.memory.sets[presence_key(BEN)]["elsewhere"] = now_ms() + 60_000
    edge.hear(presence_channel(BEN), b"")
    await asyncio.wait_for(edge.gateway.presence._follow_hints(), 1)
    assert shown(ana) == [(BEN, "online")]


async def test_too_much_that_may_be_lost_is(edge: Edge):
    for number in range(WAITING_AT_MOST + 5):
        edge.gateway.ephemeral.publish("channel", b"%d" % number)
    await edge.gateway.ephemeral.run()
    assert edge.memory.published == [("channel", b"%d" % number) for number in range(WAITING_AT_MOST)]
    edge.gateway.ephemeral.publish("channel", b"again")
    await edge.gateway.ephemeral.run()
    assert edge.memory.published[-1] == ("channel", b"again")
