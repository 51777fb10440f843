"""Presence: visibility, changes and expiry, with Redis in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from chat_gateway import presence
from chat_gateway.ephemeral import MAX_QUEUED
from shared.errors import Unavailable
from shared.ids import new_id, now_ms
from shared.streams.names import presence_channel, presence_key
from shared.testing.fixtures import eventually

from ..harness import QUICK, FakeClient, GatewayHarness  # noqa: TID252 - the tests of one service

ANA, BEN, CHO = sorted(new_id() for _ in range(3))


@pytest.fixture
async def harness() -> AsyncIterator[GatewayHarness]:
    harness = GatewayHarness()
    async with harness.running():
        yield harness


async def process_changes(harness: GatewayHarness) -> None:
    """Publish pending messages and handle the notifications."""
    await harness.gateway.presence._unregistered.drain()
    await asyncio.wait_for(harness.gateway.ephemeral.run(), 1)
    await harness.gateway.presence._changed.drain()


async def synchronise(harness: GatewayHarness) -> None:
    """Handle the changes of users, and what follows for whom they may see."""
    await harness.gateway.user_sync.changed.run()
    await harness.gateway.presence._rechecks.drain()


def shown(client: FakeClient) -> list[tuple[str, str]]:
    return [(frame["user_id"], frame["status"]) for frame in client.received("presence")]


async def watch(client: FakeClient, *user_ids: str) -> dict[str, str]:
    reply = await client.request("presence.watch", user_ids=list(user_ids))
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
    ("relationships", "status"),
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
    ids=lambda value: value if isinstance(value, str) else "+".join(relate.__name__ for relate in value) or "strangers",
)
async def test_visibility_of_the_status_of_a_user(
    harness: GatewayHarness, relationships: list[Callable[[GatewayHarness], None]], status: str
):
    for relate in relationships:
        relate(harness)
    ana, _ = await harness.connect(ANA), await harness.connect(BEN)
    assert await watch(ana, BEN, ANA, CHO) == {BEN: status, ANA: "online", CHO: "offline"}


async def test_watchers_get_the_changed_status_of_a_user(harness: GatewayHarness):
    in_one_room(harness)
    ana = await harness.connect(ANA)
    assert await watch(ana, BEN, CHO) == {BEN: "offline", CHO: "offline"}
    first, second = await harness.connect(BEN), await harness.connect(BEN)
    await harness.connect(CHO)  # a stranger
    await process_changes(harness)
    assert shown(ana) == [(BEN, "online")]
    first.disconnect()
    await process_changes(harness)
    assert shown(ana) == [(BEN, "online")]  # the other connection is still online
    second.disconnect()
    await process_changes(harness)
    assert shown(ana) == [(BEN, "online"), (BEN, "offline")]
    assert harness.memory.sets[presence_key(BEN)] == {}


async def test_watching_replaces_the_earlier_set(harness: GatewayHarness):
    in_one_room(harness)
    harness.social.follow(ANA, CHO)
    ana = await harness.connect(ANA)
    await watch(ana, BEN)
    assert await watch(ana, CHO) == {CHO: "offline"}
    assert harness.gateway.live_rooms.subscriber._wanted[presence_channel(BEN)] == 0
    assert harness.gateway.live_rooms.subscriber._wanted[presence_channel(CHO)] == 1
    await harness.connect(BEN)
    await harness.connect(CHO)
    await process_changes(harness)
    assert shown(ana) == [(CHO, "online")]
    assert await watch(ana) == {}
    assert harness.gateway.live_rooms.subscriber._wanted[presence_channel(CHO)] == 0
    ana.disconnect()
    assert harness.gateway.presence._watches == harness.gateway.presence._watchers == {}


async def test_a_closed_connection_no_longer_watches(harness: GatewayHarness):
    in_one_room(harness)
    first, second = await harness.connect(ANA), await harness.connect(ANA)
    for client in (first, second):
        await watch(client, BEN)
    first.disconnect()
    await harness.connect(BEN)
    await process_changes(harness)
    assert (shown(first), shown(second)) == ([], [(BEN, "online")])
    second.disconnect()
    assert harness.gateway.presence._watches == harness.gateway.presence._watchers == {}
    assert harness.gateway.live_rooms.subscriber._wanted[presence_channel(BEN)] == 0


async def test_a_connection_closed_while_watching_leaves_no_state(harness: GatewayHarness):
    ana = await harness.connect(ANA)
    harness.social.pause()
    watching = asyncio.create_task(harness.gateway.presence.watch(ana.connection, [BEN]))
    await eventually(lambda: harness.social.requests_to("pairs"))
    ana.disconnect()
    harness.social.resume()
    assert await watching == {}
    assert harness.gateway.presence._watchers == harness.gateway.presence._watches == {}


async def test_watching_an_invalid_user_id_is_rejected(harness: GatewayHarness):
    ana = await harness.connect(ANA)
    reply = await ana.request("presence.watch", user_ids=[BEN, "nobody"])
    assert (
        reply["code"],
        harness.social.requests_to("pairs"),
        harness.gateway.presence.watched_by(ana.connection),
    ) == ("not_found", [], {})


@pytest.mark.parametrize("unavailable", ["social", "rooms", "redis"])
async def test_if_presence_is_unavailable_the_watched_set_is_unchanged(harness: GatewayHarness, unavailable: str):
    in_one_room(harness)
    ana, _ = await harness.connect(ANA), await harness.connect(BEN)
    await watch(ana, BEN)
    if unavailable == "redis":
        harness.memory.away = True
    else:
        getattr(harness, unavailable).error = Unavailable("away")
    reply = await ana.request("presence.watch", user_ids=[CHO, BEN])
    assert (reply["op"], reply["code"], reply["retry_after"]) == ("error", "unavailable", 1)
    assert harness.gateway.presence.watched_by(ana.connection) == {BEN: True}


async def test_a_block_hides_the_status_in_spite_of_a_follow_and_a_shared_room(harness: GatewayHarness):
    """Also after the user reconnects. Without the block the status is visible again."""
    for relate in (in_one_room, ana_follows):
        relate(harness)
    ana, ben = await harness.connect(ANA), await harness.connect(BEN)
    assert await watch(ana, BEN) == {BEN: "online"}
    ben_blocked(harness)
    harness.gateway.user_sync.user_changed(ANA)
    await synchronise(harness)
    assert shown(ana) == [(BEN, "offline")]
    ben.disconnect()
    await process_changes(harness)
    await harness.connect(BEN)
    await process_changes(harness)
    assert shown(ana) == [(BEN, "offline")]
    harness.social.blocks.clear()
    harness.gateway.user_sync.user_changed(ANA)
    await synchronise(harness)
    assert shown(ana) == [(BEN, "offline"), (BEN, "online")]


async def test_the_reads_of_one_person_do_not_stop_the_synchronisation_of_others(
    harness: GatewayHarness, monkeypatch: pytest.MonkeyPatch
):
    """Too many of her reads are waiting, so it cannot be determined whom Ana may see."""
    monkeypatch.setattr(presence, "RECHECK_PAUSE_S", 0.01)
    room_id = harness.rooms.create(ANA, BEN)
    ana, ben, cho = [await harness.connect(user) for user in (ANA, BEN, CHO)]
    await watch(ana, BEN)
    harness.rooms.errors_at["shared"] = Unavailable("Too many of your requests are waiting.")
    harness.rooms.remove(room_id, ANA)
    harness.rooms.add(room_id, CHO)
    for user in (ANA, CHO):
        harness.gateway.user_sync.user_changed(user)
    await synchronise(harness)
    await cho.settle()
    assert [frame["op"] for frame in cho.frames] == ["ready", "room.added"]
    assert shown(ana) == []
    del harness.rooms.errors_at["shared"]
    await eventually(lambda: len(harness.gateway.presence._rechecks) == 1)
    await harness.gateway.presence._rechecks.drain()
    assert shown(ana) == [(BEN, "offline")]
    assert ben.transport.closed is None


async def test_leaving_the_shared_room_hides_the_status_and_joining_shows_it(harness: GatewayHarness):
    room_id = harness.rooms.create(ANA, BEN)
    ana, _ = await harness.connect(ANA), await harness.connect(BEN)
    await watch(ana, BEN)
    harness.rooms.remove(room_id, ANA)
    harness.gateway.user_sync.user_changed(ANA)
    await synchronise(harness)
    assert shown(ana) == [(BEN, "offline")]
    harness.rooms.add(room_id, ANA)
    harness.gateway.user_sync.user_changed(ANA)
    await synchronise(harness)
    assert shown(ana) == [(BEN, "offline"), (BEN, "online")]


async def test_the_next_poll_notices_a_crashed_gateway(harness: GatewayHarness):
    """Its connections stay in the sets until they expire, without a notification."""
    in_one_room(harness)
    harness.memory.sets[presence_key(BEN)]["elsewhere"] = now_ms() + 60_000
    ana = await harness.connect(ANA)
    assert await watch(ana, BEN) == {BEN: "online"}
    await harness.gateway.presence._poll()
    assert shown(ana) == []
    harness.memory.sets[presence_key(BEN)]["elsewhere"] = now_ms() - 1
    await harness.gateway.presence._poll()
    assert shown(ana) == [(BEN, "offline")]
    await harness.gateway.presence._poll()
    assert len(shown(ana)) == 1


async def test_an_expired_connection_does_not_count():
    harness = GatewayHarness(limits={"sockets_per_user": 1})
    async with harness.running():
        harness.memory.sets[presence_key(ANA)]["0-crashed"] = now_ms() - 1
        ana = await harness.connect(ANA)
        assert list(harness.memory.sets[presence_key(ANA)]) == [ana.presence_entry]
        assert (ana.transport.closed, harness.memory.published) == (None, [])


async def test_the_connections_of_this_gateway_are_refreshed(harness: GatewayHarness):
    started = now_ms()
    ana = await harness.connect(ANA)
    scores, expiry_ms = harness.memory.sets[presence_key(ANA)], QUICK.presence_expiry * 1000
    assert started + expiry_ms <= scores[ana.presence_entry] <= now_ms() + expiry_ms
    scores[ana.presence_entry] = 1
    harness.memory.expiries.clear()
    await harness.gateway.presence._refresh()
    assert started + expiry_ms <= scores[ana.presence_entry] <= now_ms() + expiry_ms
    assert harness.memory.expiries == {presence_key(ANA): QUICK.presence_expiry}
    ana.disconnect()
    scores[ana.presence_entry] = 1
    await harness.gateway.presence._refresh()
    assert scores[ana.presence_entry] == 1


async def test_unregistered_connections_are_removed_at_shutdown(harness: GatewayHarness):
    """Connections close before presence stops."""
    async with harness.gateway.presence.running():
        ana = await harness.connect(ANA)
        ana.disconnect()
    assert harness.memory.sets[presence_key(ANA)] == {}


async def test_a_connection_that_ends_before_it_is_registered_leaves_no_entry(harness: GatewayHarness):
    """Its registration waits for an earlier one, and its removal does not."""
    async with harness.gateway.presence.running():
        harness.memory.answers.clear()
        first, second = harness.client(ANA), harness.client(ANA)
        for client in (first, second):
            client.send("hello")
            await eventually(lambda one=client: one.connection in harness.gateway.presence._connections)
        second.disconnect()
        harness.memory.answers.set()
        await first.settle()
    assert list(harness.memory.sets[presence_key(ANA)]) == [first.presence_entry]


async def test_under_load_changes_are_sent_by_a_later_poll(harness: GatewayHarness):
    in_one_room(harness)
    ana = await harness.connect(ANA)
    await watch(ana, BEN)
    harness.overload.load = 1
    ben = await harness.connect(BEN)
    await process_changes(harness)
    assert shown(ana) == []
    harness.overload.load = 0
    await harness.gateway.presence._poll()
    assert shown(ana) == [(BEN, "online")]
    assert ben.transport.closed is None


async def test_refresh_poll_and_changes_run_in_the_background(harness: GatewayHarness):
    in_one_room(harness)
    async with harness.gateway.presence.running():
        ana = await harness.connect(ANA)
        await watch(ana, BEN)
        harness.memory.sets[presence_key(BEN)]["elsewhere"] = now_ms() + 60_000
        await eventually(lambda: shown(ana) == [(BEN, "online")])  # a poll
        harness.memory.sets[presence_key(ANA)][ana.presence_entry] = 1
        await eventually(lambda: harness.memory.sets[presence_key(ANA)][ana.presence_entry] > 1)  # a refresh
        ben = await harness.connect(BEN)
        ben.disconnect()
        await eventually(lambda: ben.presence_entry not in harness.memory.sets[presence_key(BEN)])  # a change


async def test_a_notification_alone_updates_the_watchers(harness: GatewayHarness):
    in_one_room(harness)
    ana = await harness.connect(ANA)
    await watch(ana, BEN)
    harness.memory.sets[presence_key(BEN)]["elsewhere"] = now_ms() + 60_000
    harness.deliver(presence_channel(BEN), b"")
    await asyncio.wait_for(harness.gateway.presence._changed.run(), 1)
    assert shown(ana) == [(BEN, "online")]


async def test_ephemeral_messages_beyond_the_limit_are_dropped(harness: GatewayHarness):
    for number in range(MAX_QUEUED + 5):
        harness.gateway.ephemeral.publish("channel", b"%d" % number)
    await harness.gateway.ephemeral.run()
    assert harness.memory.published == [("channel", b"%d" % number) for number in range(MAX_QUEUED)]
    harness.gateway.ephemeral.publish("channel", b"again")
    await harness.gateway.ephemeral.run()
    assert harness.memory.published[-1] == ("channel", b"again")
