"""Synchronisation of changes, found by notifications, by the background check, or by a new epoch."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from chat_gateway.driver.user_sync import USERS_PER_ROUND
from chat_gateway.timings import Timings
from shared.contracts.rooms import UserIdsRequest
from shared.contracts.social import Friends
from shared.errors import Unavailable
from shared.metrics import REGISTRY
from shared.roomlog.keys import live_channel
from shared.streams.names import user_channel
from shared.streams.notifications import ConnectionsEvicted, SessionsRevoked, UserChanged
from shared.testing.fixtures import eventually
from shared.tracing.context import new_span_context

from ..harness import FakeClient, GatewayHarness  # noqa: TID252 - the tests of one service


@pytest.fixture
async def harness() -> AsyncIterator[GatewayHarness]:
    harness = GatewayHarness()
    async with harness.running():
        yield harness


async def synced_clients(harness: GatewayHarness, *user_ids: str) -> list[FakeClient]:
    """Create clients with live connections and without pending changes."""
    clients = [await harness.connect(user_id) for user_id in user_ids]
    await harness.gateway.user_sync.started.drain()
    assert not harness.gateway.user_sync.changed
    return clients


async def change(harness: GatewayHarness, user_id: str, traceparent: str = "") -> None:
    """Notify the gateway of a change and wait until it is handled."""
    notification = UserChanged("rooms", 1, traceparent)
    harness.deliver(user_channel(user_id), msgspec.json.encode(notification))
    await harness.gateway.user_sync.changed.run()
    for connection in harness.gateway.connections.all():
        while tasks := harness.gateway.tasks.of(connection):
            await asyncio.wait(tasks)
            await asyncio.sleep(0)


def lost_subscriptions() -> float:
    return REGISTRY.get_sample_value("webchat_subscriptions_lost_total") or 0


# Rooms


async def test_a_new_room_is_announced_and_its_events_arrive(harness: GatewayHarness):
    room_id = harness.rooms.create("junho")
    [minji] = await synced_clients(harness, "minji")
    harness.rooms.add(room_id, "minji")
    await change(harness, "minji")
    [added] = minji.received("room.added")
    assert added["room"] == msgspec.to_builtins(harness.rooms.room_of(room_id, "minji"))
    assert harness.gateway.live_rooms.hub.reads(minji.connection, room_id)
    harness.rooms.add_message(room_id, "junho")
    harness.gateway.live_rooms.feed.mark_dirty(room_id)
    await eventually(lambda: minji.versions(room_id) == [3])
    assert (await minji.request("message.send", room_id=room_id, client_id=room_id, body="hi"))["op"] == "ok"


async def test_all_connections_of_a_user_join_a_new_room(harness: GatewayHarness):
    room_id = harness.rooms.create("junho")
    first, second = await synced_clients(harness, "minji", "minji")
    harness.rooms.add(room_id, "minji")
    await change(harness, "minji")
    for client in (first, second):
        assert len(client.received("room.added")) == 1
        assert harness.gateway.live_rooms.hub.reads(client.connection, room_id)
    assert len(harness.rooms.requests_to("homes")) == 3  # one for each start, and one for both connections


async def test_a_left_room_ends_with_the_users_own_departure(harness: GatewayHarness):
    """`member.left` has not been published yet and is read from the log."""
    room_id = harness.rooms.create("junho", "minji")
    [minji] = await synced_clients(harness, "minji")
    harness.rooms.add_message(room_id, "junho")
    harness.rooms.remove(room_id, "minji")
    harness.rooms.add_message(room_id, "junho", "a secret")
    await change(harness, "minji")
    ops = [frame["op"] for frame in minji.frames[1:]]
    assert ops == ["message.created", "member.left", "room.removed"]
    assert (harness.gateway.live_rooms.hub.rooms, harness.gateway.live_rooms.subscriptions.of(minji.connection)) == (
        {},
        {},
    )
    assert harness.gateway.live_rooms.subscriber._wanted[live_channel("epoch-1", room_id)] == 0


async def test_a_deleted_room_is_removed_without_an_event(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    [minji] = await synced_clients(harness, "minji")
    del harness.rooms.rooms[room_id]
    harness.rooms.revision["minji"] += 1
    await change(harness, "minji")
    assert minji.frames[1:] == [{"op": "room.removed", "room_id": room_id}]
    assert (harness.gateway.live_rooms.hub.rooms, harness.gateway.live_rooms.subscriptions.of(minji.connection)) == (
        {},
        {},
    )
    assert harness.gateway.live_rooms.subscriber._wanted[live_channel("epoch-1", room_id)] == 0


async def test_a_user_who_left_and_rejoined_is_removed_and_added_again(harness: GatewayHarness):
    room_id = harness.rooms.create("junho", "minji")
    [minji] = await synced_clients(harness, "minji")
    harness.rooms.remove(room_id, "minji")
    harness.rooms.add_message(room_id, "junho", "a secret")
    harness.rooms.add(room_id, "minji")
    await change(harness, "minji")
    assert "a secret" not in [frame.get("body") for frame in minji.frames]
    assert harness.gateway.live_rooms.subscriptions.of(minji.connection)[room_id].since == 5
    assert minji.received("room.added")[0]["room"]["version"] == 5
    harness.rooms.add_message(room_id, "junho", "welcome")
    harness.gateway.live_rooms.feed.mark_dirty(room_id)
    await eventually(lambda: minji.versions(room_id)[-1:] == [6])
    assert harness.gateway.live_rooms.subscriber._wanted[live_channel("epoch-1", room_id)] == 1


async def test_a_connection_closed_before_its_new_room_is_loaded_does_not_join_it(harness: GatewayHarness):
    room_id = harness.rooms.create("junho")
    [minji] = await synced_clients(harness, "minji")
    harness.rooms.add(room_id, "minji")
    harness.rooms.on_room_lists = lambda _: minji.disconnect()
    await change(harness, "minji")
    assert (
        minji.received("room.added"),
        harness.gateway.live_rooms.subscriptions.of(minji.connection),
        harness.gateway.live_rooms.hub.rooms,
    ) == ([], {}, {})
    assert +harness.gateway.live_rooms.subscriber._wanted == {}


async def test_a_connection_closed_before_the_subscription_does_not_join_its_new_room(harness: GatewayHarness):
    room_id = harness.rooms.create("junho")
    [minji] = await synced_clients(harness, "minji")
    harness.rooms.add(room_id, "minji")
    harness.confirms.clear()
    harness.gateway.user_sync.user_changed("minji")
    syncing = asyncio.create_task(harness.gateway.user_sync.changed.run())
    await eventually(lambda: harness.gateway.live_rooms.subscriber._wanted[live_channel("epoch-1", room_id)])
    minji.disconnect()
    harness.confirms.set()
    await syncing
    assert (
        minji.received("room.added"),
        harness.gateway.tasks.of(minji.connection),
        harness.gateway.live_rooms.subscriptions.of(minji.connection),
    ) == ([], set(), {})
    assert +harness.gateway.live_rooms.subscriber._wanted == {}


async def test_a_connection_that_fails_to_join_a_new_room_is_closed_with_try_again(harness: GatewayHarness):
    room_id = harness.rooms.create("sora")
    minji, sora = await synced_clients(harness, "minji", "sora")
    harness.rooms.add_message(room_id, "sora")
    await harness.gateway.live_rooms.feed.repair([room_id])
    harness.rooms.add(room_id, "minji")

    def skip_ahead(_: object) -> None:
        """Put the hub ahead of the snapshot while events cannot be read."""
        harness.rooms.add_message(room_id, "sora")
        harness.gateway.live_rooms.hub.skip_to(room_id, 9)
        harness.rooms.errors_at["events"] = Unavailable("away")

    harness.rooms.on_room_lists = skip_ahead
    await change(harness, "minji")
    assert len(minji.received("room.added")) == 1
    assert (minji.transport.closed, sora.transport.closed) == (1013, None)


async def test_a_user_who_leaves_and_rejoins_during_the_join_gets_no_events_in_between(harness: GatewayHarness):
    """The first join must not send events that the second membership may not see."""
    room_id = harness.rooms.create("sora")
    minji, _ = await synced_clients(harness, "minji", "sora")
    harness.rooms.add(room_id, "minji")
    harness.rooms.pause("events")

    def skip_ahead(_: object) -> None:
        """Put the hub ahead of the snapshot, so that events have to be read."""
        harness.rooms.add_message(room_id, "sora", "before")
        harness.gateway.live_rooms.hub.skip_to(room_id, 3)

    harness.rooms.on_room_lists = skip_ahead
    harness.gateway.user_sync.user_changed("minji")
    await harness.gateway.user_sync.changed.run()
    await eventually(lambda: harness.rooms.requests_to("events"))
    harness.rooms.on_room_lists = lambda _: None
    harness.rooms.remove(room_id, "minji")
    harness.rooms.add_message(room_id, "sora", "a secret")
    harness.rooms.add(room_id, "minji")
    harness.gateway.user_sync.user_changed("minji")
    await harness.gateway.user_sync.changed.run()
    harness.rooms.resume("events")
    await minji.settle()
    harness.rooms.add_message(room_id, "sora", "after")
    await harness.gateway.live_rooms.feed.repair([room_id])
    await eventually(lambda: minji.versions(room_id)[-1:] == [7])
    assert [frame["room"]["version"] for frame in minji.received("room.added")] == [2, 6]
    assert minji.versions(room_id) == [7]


async def test_a_user_who_rejoins_before_the_departure_is_written_stays(harness: GatewayHarness):
    """With a slow reader, the first join ends after the second membership has started."""
    room_id = harness.rooms.create("sora")
    minji, _ = await synced_clients(harness, "minji", "sora")
    harness.rooms.add(room_id, "minji")

    def leave(_: object) -> None:
        harness.rooms.on_room_lists = lambda _: None
        harness.rooms.remove(room_id, "minji")
        harness.gateway.live_rooms.hub.skip_to(room_id, 3)
        minji.transport.writable.clear()

    harness.rooms.on_room_lists = leave
    harness.gateway.user_sync.user_changed("minji")
    await harness.gateway.user_sync.changed.run()
    await eventually(lambda: minji.transport.sent == 2)  # `ready`, and the event that is not written yet
    harness.rooms.add(room_id, "minji")
    harness.gateway.user_sync.user_changed("minji")
    await harness.gateway.user_sync.changed.run()
    minji.transport.writable.set()
    await minji.settle()
    assert [frame["room"]["version"] for frame in minji.received("room.added")] == [2, 4]
    assert minji.received("room.removed") == []
    assert harness.gateway.live_rooms.hub.reads(minji.connection, room_id)
    assert harness.gateway.live_rooms.subscriber._wanted[live_channel("epoch-1", room_id)] == 2
    harness.rooms.add_message(room_id, "sora")
    await harness.gateway.live_rooms.feed.repair([room_id])
    await eventually(lambda: minji.versions(room_id)[-1:] == [5])


async def test_a_changed_mute_is_sent_once(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    [minji] = await synced_clients(harness, "minji")
    harness.rooms.mute(room_id, "minji")
    await change(harness, "minji")
    await change(harness, "minji")
    assert minji.frames[1:] == [{"op": "room.muted", "room_id": room_id, "muted": True}]


async def test_typing_of_a_blocked_member_is_dropped_until_the_block_ends(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    harness.rooms.silence(room_id, "minji")
    minji, junho = await synced_clients(harness, "minji", "junho")

    async def type_once(client: FakeClient) -> None:
        client.send("room.typing", room_id=room_id, typing=True)
        harness.gateway.ephemeral.publish("end of the batch", b"")
        await harness.gateway.ephemeral.run()

    await type_once(minji)
    assert junho.received("room.typing") == minji.received("error") == []
    await type_once(junho)
    assert len(minji.received("room.typing")) == 1
    for silenced in (False, True):
        harness.rooms.silence(room_id, "minji", silenced=silenced)
        await change(harness, "minji")
        await type_once(minji)
        assert len(junho.received("room.typing")) == 1  # from when the block was removed
    assert [frame["op"] for frame in minji.frames] == ["ready", "room.typing"]


async def test_users_without_a_connection_are_not_loaded(harness: GatewayHarness):
    await synced_clients(harness, "minji")
    before = len(harness.rooms.requests_to("places"))
    harness.gateway.user_sync.user_changed("junho")
    await harness.gateway.user_sync.changed.run()
    assert len(harness.rooms.requests_to("places")) == before
    assert not harness.gateway.user_sync.changed


async def test_without_changes_there_is_no_round(harness: GatewayHarness):
    await synced_clients(harness, "minji")
    syncing = asyncio.create_task(harness.gateway.user_sync.changed.run())
    await asyncio.sleep(0.02)
    assert not syncing.done()
    harness.gateway.user_sync.user_changed("minji")
    await syncing


async def test_a_failed_round_is_repeated(harness: GatewayHarness):
    room_id = harness.rooms.create("junho")
    [minji] = await synced_clients(harness, "minji")
    harness.rooms.add(room_id, "minji")
    harness.social.error = Unavailable("away")
    with pytest.raises(Unavailable):
        await change(harness, "minji")
    assert set(harness.gateway.user_sync.changed) == {"minji"}
    harness.social.error = None
    await harness.gateway.user_sync.changed.run()
    await minji.settle()
    assert harness.gateway.live_rooms.hub.reads(minji.connection, room_id)


async def test_many_changed_users_take_several_rounds(harness: GatewayHarness):
    names = [f"user-{number}" for number in range(USERS_PER_ROUND + 1)]
    for name in names:
        await harness.connect(name)
        harness.gateway.user_sync.user_changed(name)
    for left in (1, 0):
        await harness.gateway.user_sync.changed.run()
        assert len(harness.gateway.user_sync.changed) == left
    assert harness.rooms.requests_to("places")[0] == UserIdsRequest(harness.rooms.requests_to("places")[0].user_ids)
    assert sorted(len(request.user_ids) for request in harness.rooms.requests_to("places")) == [1, USERS_PER_ROUND]


async def test_a_sampled_change_has_a_span(harness: GatewayHarness, spans: list[dict[str, object]]):
    await synced_clients(harness, "minji", "minji")
    context = new_span_context()
    await change(harness, "minji", context.traceparent)
    [span] = spans
    assert (span["event.action"], span["event.outcome"]) == ("deliver", "success")
    assert (span["trace.id"], span["parent.id"], span["webchat.receivers"]) == (context.trace_id, context.span_id, 1)
    harness.rooms.error = Unavailable("away")
    with pytest.raises(Unavailable):
        await change(harness, "minji", context.traceparent)
    assert [one["event.outcome"] for one in spans] == ["success", "failure"]


# Friends


async def test_changed_friends_and_profiles_are_sent(harness: GatewayHarness):
    harness.social.follow("minji", "junho")
    [minji] = await synced_clients(harness, "minji")
    harness.social.follow("minji", "sora")
    harness.social.rename("junho", "Junho")
    await change(harness, "minji")
    harness.social.unfollow("minji", "junho")
    await change(harness, "minji")
    changes = [(frame["op"], (frame.get("profile") or frame)["user_id"]) for frame in minji.frames[1:]]
    assert changes == [("friend.added", "sora"), ("profile.updated", "junho"), ("friend.removed", "junho")]
    assert minji.frames[2]["profile"]["display_name"] == "Junho"


async def test_an_older_friend_list_changes_nothing(harness: GatewayHarness):
    """Responses may arrive out of order."""
    harness.social.follow("minji", "junho")
    [minji] = await synced_clients(harness, "minji")
    harness.gateway.user_sync.sync_friends("minji", Friends(0, []))
    assert list(harness.gateway.connections.users["minji"].friends) == ["junho"]
    assert minji.received("friend.removed") == []


async def test_changed_friends_are_not_sent_before_ready(harness: GatewayHarness):
    [first] = await synced_clients(harness, "minji")
    starting = harness.client("minji")
    harness.rooms.pause()
    starting.send("hello")
    await eventually(lambda: len(harness.gateway.connections.users["minji"].connections) == 2)
    harness.social.follow("minji", "junho")
    harness.gateway.user_sync.sync_friends(
        "minji", Friends(harness.social.revision["minji"], [harness.social.profile("junho")])
    )
    assert (len(first.received("friend.added")), starting.frames) == (1, [])
    harness.rooms.resume()
    await starting.settle()
    assert [friend["user_id"] for friend in starting.frames[0]["friends"]] == ["junho"]


# Sessions and sockets


async def test_only_connections_of_revoked_sessions_are_closed(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    first, second, junho = await synced_clients(harness, "minji", "minji", "junho")
    harness.deliver(user_channel("minji"), msgspec.json.encode(SessionsRevoked([first.session_id])))
    assert [frame["op"] for frame in first.frames[1:]] == ["session.revoked"]
    assert [one.transport.closed for one in (first, second, junho)] == [4401, None, None]
    first.send("message.send", room_id=room_id, client_id=room_id, body="too late")
    await second.request("message.send", room_id=room_id, client_id=first.connection.id, body="in time")
    assert harness.rooms.bodies(room_id) == ["in time"]
    harness.deliver(user_channel("minji"), msgspec.json.encode(SessionsRevoked([])))  # all sessions of the user
    assert [one.transport.closed for one in (first, second, junho)] == [4401, 4401, None]


async def test_commands_of_a_revoked_session_are_not_sent(harness: GatewayHarness):
    """Covers queued commands, uploads, messages with attachments, and commands deferred by them."""
    room_id = harness.rooms.create("minji", "junho")
    minji, junho = await synced_clients(harness, "minji", "junho")
    harness.rooms.pause()
    harness.media.pause()
    in_flight = minji.send("message.send", room_id=room_id, client_id=room_id, body="in flight")
    await eventually(lambda: harness.rooms.requests_to("commands"))
    file, client_id = harness.media.store(), minji.connection.id
    queued = minji.send("message.send", room_id=room_id, client_id=client_id, body="queued")
    reading = minji.send("room.read", room_id=room_id, seq=1)
    minji.send("file.upload", room_id=room_id, client_id=file.attachment_id, filename="f", data="AAAA", body="upload")
    minji.send(
        "message.send", room_id=room_id, client_id=junho.connection.id, body="file", attachment_ids=[file.attachment_id]
    )
    minji.send("message.send", room_id=room_id, client_id=minji.session_id[8:], body="deferred")
    await eventually(lambda: len(harness.media.requests) == 2)
    junho.send("message.send", room_id=room_id, client_id=junho.session_id[8:], body="other")
    harness.deliver(user_channel("minji"), msgspec.json.encode(SessionsRevoked([minji.session_id])))
    assert minji.transport.closed == 4401
    minji.send("message.send", room_id=room_id, client_id=minji.session_id[8:], body="too late")
    harness.media.resume()
    await minji.settle()
    harness.rooms.resume()
    await eventually(lambda: "other" in harness.rooms.bodies(room_id) and not harness.gateway.command_queues.depth)
    await junho.request("message.send", room_id=room_id, client_id=client_id, body="last")
    assert harness.rooms.bodies(room_id) == ["in flight", "other", "last"]
    rejected = minji.reply(queued)
    assert (rejected or {})["code"] == "unauthenticated"
    assert [minji.reply(in_flight), minji.reply(reading)] == [None, None]  # nothing is written after the close


async def test_the_check_closes_connections_without_a_session_and_rejects_their_commands(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    minji, junho = await synced_clients(harness, "minji", "junho")
    harness.rooms.pause()
    minji.send("message.send", room_id=room_id, client_id=room_id, body="in flight")
    await eventually(lambda: harness.rooms.requests_to("commands"))
    minji.send("message.send", room_id=room_id, client_id=minji.connection.id, body="queued")
    del harness.auth.sessions[minji.session_id]
    check = asyncio.create_task(harness.gateway.user_sync.check())
    await eventually(lambda: minji.transport.closed)
    harness.rooms.resume()
    await check
    await junho.request("message.send", room_id=room_id, client_id=junho.connection.id, body="last")
    assert harness.rooms.bodies(room_id) == ["in flight", "last"]
    assert (minji.transport.closed, minji.received("session.revoked"), junho.transport.closed) == (4401, [], None)


async def test_only_checked_sessions_are_ended(harness: GatewayHarness):
    """A session that starts during the check is missing in the response of auth."""
    [ended] = await synced_clients(harness, "minji")
    harness.auth.sessions.clear()
    harness.auth.pause()
    check = asyncio.create_task(harness.gateway.user_sync.check())
    await eventually(lambda: harness.auth.requests_to("sessions")[1:])
    new = harness.client("minji")
    await harness.gateway.connections.register(new.connection)
    harness.auth.resume()
    await check
    assert (ended.transport.closed, new.transport.closed) == (4401, None)


async def test_only_the_named_connections_are_evicted(harness: GatewayHarness):
    first, second = await synced_clients(harness, "minji", "minji")
    harness.deliver(
        user_channel("minji"), msgspec.json.encode(ConnectionsEvicted([first.connection.id, "another gateway's"]))
    )
    assert [one.transport.closed for one in (first, second)] == [4409, None]


# The background check


@pytest.mark.parametrize("source", ["rooms", "social"])
async def test_the_check_finds_changes_without_a_notification(harness: GatewayHarness, source: str):
    room_id = harness.rooms.create("junho")
    [minji] = await synced_clients(harness, "minji")
    await harness.gateway.user_sync.check()
    assert set(harness.gateway.user_sync.changed) == set()
    if source == "rooms":
        harness.rooms.add(room_id, "minji")
    else:
        harness.social.follow("minji", "junho")
    await harness.gateway.user_sync.check()
    await harness.gateway.user_sync.changed.run()
    await minji.settle()
    assert [frame["op"] for frame in minji.frames[1:]] == [{"rooms": "room.added", "social": "friend.added"}[source]]
    await harness.gateway.user_sync.check()
    assert set(harness.gateway.user_sync.changed) == set()  # a change is found once


async def test_a_lost_subscription_restarts_the_check_at_once():
    harness = GatewayHarness(timings=Timings(user_check=60))
    async with harness.running():
        minji = await harness.connect("minji")
        check = asyncio.create_task(harness.gateway.user_sync.check())
        await eventually(lambda: harness.social.requests_to("revisions"))
        await asyncio.sleep(0.02)
        assert not check.done()
        del harness.auth.sessions[minji.session_id]
        before = lost_subscriptions()
        harness.gateway.live_rooms.subscriber._mark_unconfirmed([user_channel("minji")])
        await check
        again = asyncio.create_task(harness.gateway.user_sync.check())
        await eventually(lambda: minji.transport.closed and lost_subscriptions() - before == 2)  # lost, and restored
        again.cancel()
        assert minji.transport.closed == 4401


async def test_a_subscription_lost_during_the_check_causes_another_check():
    harness = GatewayHarness(timings=Timings(user_check=60))
    async with harness.running():
        await harness.connect("minji")
        harness.gateway.user_sync.check_now.set()
        check = asyncio.create_task(harness.gateway.user_sync.check())
        await eventually(lambda: harness.social.requests_to("revisions"))
        await asyncio.sleep(0.02)
        assert not check.done()
        harness.gateway.user_sync.check_now.set()
        await check


async def test_rooms_are_read_again_when_a_subscription_is_lost_and_when_it_is_restored(harness: GatewayHarness):
    """Events published meanwhile are only in the log."""
    room_id = harness.rooms.create("minji", "junho")
    [minji] = await synced_clients(harness, "minji")
    await eventually(lambda: not harness.gateway.live_rooms.feed._dirty)
    harness.rooms.add_message(room_id, "junho", "while it was lost")
    harness.gateway.live_rooms.subscriber._mark_unconfirmed([live_channel("epoch-1", room_id)])
    await eventually(lambda: minji.versions(room_id) == [3])


async def test_events_published_before_all_subscriptions_are_restored_are_read_afterwards(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    [minji] = await synced_clients(harness, "minji")
    channel = live_channel("epoch-1", room_id)
    before = len(harness.rooms.requests_to("events"))
    harness.gateway.live_rooms.subscriber._subscribe_soon = lambda _: None  # type: ignore[method-assign] - the server is unavailable
    harness.gateway.live_rooms.subscriber._mark_unconfirmed([channel])
    await eventually(
        lambda: len(harness.rooms.requests_to("events")) > before and not harness.gateway.live_rooms.feed._dirty
    )
    harness.rooms.add_message(room_id, "junho", "before it was restored")
    harness.gateway.live_rooms.subscriber._handle(("memory", 0), b"ssubscribe", channel, 1)
    await eventually(lambda: minji.versions(room_id) == [3])


# New epochs


@pytest.mark.parametrize("by", ["changes", "check", "commands", "enter"])
async def test_a_new_epoch_closes_all_connections(harness: GatewayHarness, by: str):
    room_id = harness.rooms.create("minji")
    minji, junho = await synced_clients(harness, "minji", "junho")
    harness.rooms.epoch = "epoch-2"
    if by == "changes":
        await change(harness, "minji")
    elif by == "check":
        await harness.gateway.user_sync.check()
    elif by == "commands":
        minji.send("message.send", room_id=room_id, client_id=room_id, body="x")
    else:
        minji.send("room.enter", room_id=room_id, mark_read=False)
    await eventually(lambda: minji.transport.closed)
    assert (minji.transport.closed, junho.transport.closed) == (4310, 4310)
    assert (
        harness.gateway.connections.users,
        harness.gateway.live_rooms.hub.rooms,
        harness.gateway.live_rooms.feed.epoch,
    ) == ({}, {}, "epoch-2")


async def test_if_the_log_of_a_room_does_not_reach_back_its_readers_are_closed(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    minji, sora = await synced_clients(harness, "minji", "sora")
    harness.rooms.add_message(room_id, "junho")
    harness.rooms.forget_events(room_id)
    resets = REGISTRY.get_sample_value("webchat_room_resets_total") or 0
    await harness.gateway.live_rooms.feed.repair([room_id])
    assert (minji.transport.closed, sora.transport.closed, harness.gateway.live_rooms.hub.version_of(room_id)) == (
        1013,
        None,
        3,
    )
    assert REGISTRY.get_sample_value("webchat_room_resets_total") == resets + 1
