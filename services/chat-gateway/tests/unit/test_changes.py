"""Changes for connected users, found by notifications, by the background check, or by a new epoch."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from chat_gateway.driver.sync import USERS_AT_ONCE, check_users, sync_changed_users, sync_friends
from chat_gateway.settings import Timings
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
    it = GatewayHarness()
    async with it.running():
        yield it


async def settled(harness: GatewayHarness, *user_ids: str) -> list[FakeClient]:
    """Create live connections without pending changes."""
    people = [await harness.live(user_id) for user_id in user_ids]
    await sync_changed_users(harness.gateway)
    assert not harness.gateway.users_changed.is_set()
    return people


async def change(harness: GatewayHarness, user_id: str, traceparent: str = "") -> None:
    """Notify the gateway of a change and wait until it is handled."""
    hint = UserChanged("rooms", 1, traceparent)
    harness.hear(user_channel(user_id), msgspec.json.encode(hint))
    await sync_changed_users(harness.gateway)
    for connection in harness.gateway.connections():
        while connection.tasks:
            await asyncio.wait(connection.tasks)
            await asyncio.sleep(0)


def changes() -> float:
    return REGISTRY.get_sample_value("webchat_subscriptions_lost_total") or 0


# Rooms


async def test_a_room_that_one_is_added_to_is_told_and_heard(harness: GatewayHarness):
    room_id = harness.rooms.create("junho")
    [minji] = await settled(harness, "minji")
    harness.rooms.add(room_id, "minji")
    await change(harness, "minji")
    [added] = minji.of("room.added")
    assert added["room"] == msgspec.to_builtins(harness.rooms.shown(room_id, "minji"))
    assert harness.gateway.hub.reads(minji.connection, room_id)
    harness.rooms.say(room_id, "junho")
    harness.gateway.subscriber.mark_dirty(room_id)
    await eventually(lambda: minji.versions(room_id) == [3])
    assert (await minji.ask("message.send", room_id=room_id, client_id=room_id, body="hi"))["op"] == "ok"


async def test_all_connections_of_a_user_are_brought_in(harness: GatewayHarness):
    room_id = harness.rooms.create("junho")
    first, second = await settled(harness, "minji", "minji")
    harness.rooms.add(room_id, "minji")
    await change(harness, "minji")
    for client in (first, second):
        assert len(client.of("room.added")) == 1
        assert harness.gateway.hub.reads(client.connection, room_id)
    assert len(harness.rooms.of("homes")) == 3  # two starts, and one for both


async def test_a_room_that_one_is_out_of_ends_with_ones_own_leaving(harness: GatewayHarness):
    """`member.left` has not been published yet and is read from the log."""
    room_id = harness.rooms.create("junho", "minji")
    [minji] = await settled(harness, "minji")
    harness.rooms.say(room_id, "junho")
    harness.rooms.remove(room_id, "minji")
    harness.rooms.say(room_id, "junho", "a secret")
    await change(harness, "minji")
    ops = [frame["op"] for frame in minji.frames[1:]]
    assert ops == ["message.created", "member.left", "room.removed"]
    assert (harness.gateway.hub.rooms, minji.connection.memberships) == ({}, {})
    assert harness.gateway.subscriber._wanted[live_channel("epoch-1", room_id)] == 0


async def test_a_room_that_is_gone_is_removed_without_an_event(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    [minji] = await settled(harness, "minji")
    del harness.rooms.rooms[room_id]
    harness.rooms.revision["minji"] += 1
    await change(harness, "minji")
    assert minji.frames[1:] == [{"op": "room.removed", "room_id": room_id}]
    assert (harness.gateway.hub.rooms, minji.connection.memberships) == ({}, {})
    assert harness.gateway.subscriber._wanted[live_channel("epoch-1", room_id)] == 0


async def test_who_left_and_is_back_is_removed_and_added_again(harness: GatewayHarness):
    room_id = harness.rooms.create("junho", "minji")
    [minji] = await settled(harness, "minji")
    harness.rooms.remove(room_id, "minji")
    harness.rooms.say(room_id, "junho", "a secret")
    harness.rooms.add(room_id, "minji")
    await change(harness, "minji")
    assert "a secret" not in [frame.get("body") for frame in minji.frames]
    assert minji.connection.memberships[room_id].since == 5
    assert minji.of("room.added")[0]["room"]["version"] == 5
    harness.rooms.say(room_id, "junho", "welcome")
    harness.gateway.subscriber.mark_dirty(room_id)
    await eventually(lambda: minji.versions(room_id)[-1:] == [6])
    assert harness.gateway.subscriber._wanted[live_channel("epoch-1", room_id)] == 1


async def test_who_goes_before_its_new_room_is_known_is_not_brought_into_it(harness: GatewayHarness):
    room_id = harness.rooms.create("junho")
    [minji] = await settled(harness, "minji")
    harness.rooms.add(room_id, "minji")
    harness.rooms.on_homes = lambda _: minji.leave()
    await change(harness, "minji")
    assert (minji.of("room.added"), minji.connection.memberships, harness.gateway.hub.rooms) == ([], {}, {})
    assert +harness.gateway.subscriber._wanted == {}


async def test_who_goes_before_its_new_room_is_listened_to_is_not_brought_into_it(harness: GatewayHarness):
    room_id = harness.rooms.create("junho")
    [minji] = await settled(harness, "minji")
    harness.rooms.add(room_id, "minji")
    harness.confirms.clear()
    harness.gateway.user_changed("minji")
    following = asyncio.create_task(sync_changed_users(harness.gateway))
    await eventually(lambda: harness.gateway.subscriber._wanted[live_channel("epoch-1", room_id)])
    minji.leave()
    harness.confirms.set()
    await following
    assert (minji.of("room.added"), minji.connection.tasks, minji.connection.memberships) == ([], set(), {})
    assert +harness.gateway.subscriber._wanted == {}


async def test_who_cannot_be_brought_into_a_new_room_is_closed_to_come_back(harness: GatewayHarness):
    room_id = harness.rooms.create("sora")
    minji, sora = await settled(harness, "minji", "sora")
    harness.rooms.say(room_id, "sora")
    await harness.gateway.subscriber.repair([room_id])
    harness.rooms.add(room_id, "minji")

    def fall_behind(_: object) -> None:
        """Put the hub ahead of the snapshot while events cannot be read."""
        harness.rooms.say(room_id, "sora")
        harness.gateway.hub.skip_to(room_id, 9)
        harness.rooms.problems_at["events"] = Unavailable("away")

    harness.rooms.on_homes = fall_behind
    await change(harness, "minji")
    assert len(minji.of("room.added")) == 1
    assert (minji.transport.closed, sora.transport.closed) == (1013, None)


async def test_who_is_removed_and_added_while_it_is_brought_in_sees_nothing_of_between(harness: GatewayHarness):
    """The first join must not send events that the second membership may not see."""
    room_id = harness.rooms.create("sora")
    minji, _ = await settled(harness, "minji", "sora")
    harness.rooms.add(room_id, "minji")
    harness.rooms.gates["events"] = asyncio.Event()

    def fall_behind(_: object) -> None:
        """Put the hub ahead of the snapshot, so that events have to be read."""
        harness.rooms.say(room_id, "sora", "before")
        harness.gateway.hub.skip_to(room_id, 3)

    harness.rooms.on_homes = fall_behind
    harness.gateway.user_changed("minji")
    await sync_changed_users(harness.gateway)
    await eventually(lambda: harness.rooms.of("events"))
    harness.rooms.on_homes = lambda _: None
    harness.rooms.remove(room_id, "minji")
    harness.rooms.say(room_id, "sora", "a secret")
    harness.rooms.add(room_id, "minji")
    harness.gateway.user_changed("minji")
    await sync_changed_users(harness.gateway)
    harness.rooms.gates["events"].set()
    await minji.settle()
    harness.rooms.say(room_id, "sora", "after")
    await harness.gateway.subscriber.repair([room_id])
    await eventually(lambda: minji.versions(room_id)[-1:] == [7])
    assert [frame["room"]["version"] for frame in minji.of("room.added")] == [2, 6]
    assert minji.versions(room_id) == [7]


async def test_who_is_back_before_its_leaving_is_written_stays(harness: GatewayHarness):
    """With a slow reader, the first join ends after the second membership has started."""
    room_id = harness.rooms.create("sora")
    minji, _ = await settled(harness, "minji", "sora")
    harness.rooms.add(room_id, "minji")

    def leave(_: object) -> None:
        harness.rooms.on_homes = lambda _: None
        harness.rooms.remove(room_id, "minji")
        harness.gateway.hub.skip_to(room_id, 3)
        minji.transport.gate.clear()

    harness.rooms.on_homes = leave
    harness.gateway.user_changed("minji")
    await sync_changed_users(harness.gateway)
    await eventually(lambda: minji.transport.sent == 2)  # `ready`, and what is not written yet
    harness.rooms.add(room_id, "minji")
    harness.gateway.user_changed("minji")
    await sync_changed_users(harness.gateway)
    minji.transport.gate.set()
    await minji.settle()
    assert [frame["room"]["version"] for frame in minji.of("room.added")] == [2, 4]
    assert minji.of("room.removed") == []
    assert harness.gateway.hub.reads(minji.connection, room_id)
    assert harness.gateway.subscriber._wanted[live_channel("epoch-1", room_id)] == 2
    harness.rooms.say(room_id, "sora")
    await harness.gateway.subscriber.repair([room_id])
    await eventually(lambda: minji.versions(room_id)[-1:] == [5])


async def test_a_mute_mark_is_told_once(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    [minji] = await settled(harness, "minji")
    harness.rooms.mute(room_id, "minji")
    await change(harness, "minji")
    await change(harness, "minji")
    assert minji.frames[1:] == [{"op": "room.muted", "room_id": room_id, "muted": True}]


async def test_who_is_not_here_is_not_asked_for(harness: GatewayHarness):
    await settled(harness, "minji")
    asked = len(harness.rooms.of("places"))
    harness.gateway.user_changed("junho")
    await sync_changed_users(harness.gateway)
    assert len(harness.rooms.of("places")) == asked
    assert not harness.gateway.users_changed.is_set()


async def test_where_nothing_changed_there_is_no_round(harness: GatewayHarness):
    await settled(harness, "minji")
    following = asyncio.create_task(sync_changed_users(harness.gateway))
    await asyncio.sleep(0.02)
    assert not following.done()
    harness.gateway.user_changed("minji")
    await following


async def test_a_round_that_fails_is_done_again(harness: GatewayHarness):
    room_id = harness.rooms.create("junho")
    [minji] = await settled(harness, "minji")
    harness.rooms.add(room_id, "minji")
    harness.social.problem = Unavailable("away")
    with pytest.raises(Unavailable):
        await change(harness, "minji")
    assert (harness.gateway.changed_users, harness.gateway.users_changed.is_set()) == ({"minji"}, True)
    harness.social.problem = None
    await sync_changed_users(harness.gateway)
    await minji.settle()
    assert harness.gateway.hub.reads(minji.connection, room_id)


async def test_many_changed_users_take_several_rounds(harness: GatewayHarness):
    names = [f"user-{number}" for number in range(USERS_AT_ONCE + 1)]
    for name in names:
        await harness.live(name)
    for left in (1, 0):
        await sync_changed_users(harness.gateway)
        assert len(harness.gateway.changed_users) == left
        assert harness.gateway.users_changed.is_set() == bool(left)
    assert harness.rooms.of("places")[0] == UserIdsRequest(harness.rooms.of("places")[0].user_ids)
    assert sorted(len(asked.user_ids) for asked in harness.rooms.of("places")) == [1, USERS_AT_ONCE]


async def test_a_change_whose_way_is_sampled_ends_its_span(harness: GatewayHarness, spans: list[dict[str, object]]):
    await settled(harness, "minji", "minji")
    context = new_span_context()
    await change(harness, "minji", context.traceparent)
    [span] = spans
    assert (span["event.action"], span["event.outcome"]) == ("deliver", "success")
    assert (span["trace.id"], span["parent.id"], span["webchat.receivers"]) == (context.trace_id, context.span_id, 1)
    harness.rooms.problem = Unavailable("away")
    with pytest.raises(Unavailable):
        await change(harness, "minji", context.traceparent)
    assert [one["event.outcome"] for one in spans] == ["success", "failure"]


# Friends


async def test_friends_and_their_profiles_are_told_as_they_change(harness: GatewayHarness):
    harness.social.follow("minji", "junho")
    [minji] = await settled(harness, "minji")
    harness.social.follow("minji", "sora")
    harness.social.rename("junho", "Junho")
    await change(harness, "minji")
    harness.social.unfollow("minji", "junho")
    await change(harness, "minji")
    told = [(frame["op"], (frame.get("profile") or frame)["user_id"]) for frame in minji.frames[1:]]
    assert told == [("friend.added", "sora"), ("profile.updated", "junho"), ("friend.removed", "junho")]
    assert minji.frames[2]["profile"]["display_name"] == "Junho"


async def test_an_older_answer_about_friends_changes_nothing(harness: GatewayHarness):
    """Answers may overtake each other."""
    harness.social.follow("minji", "junho")
    [minji] = await settled(harness, "minji")
    sync_friends(harness.gateway, "minji", Friends(0, []))
    assert list(harness.gateway.users["minji"].friends) == ["junho"]
    assert minji.of("friend.removed") == []


async def test_who_had_no_ready_yet_is_not_told_of_friends(harness: GatewayHarness):
    [first] = await settled(harness, "minji")
    starting = harness.client("minji")
    harness.rooms.gate.clear()
    starting.say("hello")
    await eventually(lambda: len(harness.gateway.users["minji"].connections) == 2)
    harness.social.follow("minji", "junho")
    sync_friends(harness.gateway, "minji", Friends(harness.social.revision["minji"], [harness.social.profile("junho")]))
    assert (len(first.of("friend.added")), starting.frames) == (1, [])
    harness.rooms.gate.set()
    await starting.settle()
    assert [friend["user_id"] for friend in starting.frames[0]["friends"]] == ["junho"]


# Sessions and sockets


async def test_revoked_sessions_are_ended_and_the_others_go_on(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    first, second, junho = await settled(harness, "minji", "minji", "junho")
    harness.hear(user_channel("minji"), msgspec.json.encode(SessionsRevoked([first.session_id])))
    assert [frame["op"] for frame in first.frames[1:]] == ["session.revoked"]
    assert [one.transport.closed for one in (first, second, junho)] == [4401, None, None]
    first.say("message.send", room_id=room_id, client_id=room_id, body="too late")
    await second.ask("message.send", room_id=room_id, client_id=first.connection.id, body="in time")
    assert harness.rooms.bodies(room_id) == ["in time"]
    harness.hear(user_channel("minji"), msgspec.json.encode(SessionsRevoked([])))  # all of the user's
    assert [one.transport.closed for one in (first, second, junho)] == [4401, 4401, None]


async def test_what_a_revoked_session_queued_does_not_go_out(harness: GatewayHarness):
    """Covers queued commands, uploads, messages with attachments, and messages held behind them."""
    room_id = harness.rooms.create("minji", "junho")
    minji, junho = await settled(harness, "minji", "junho")
    harness.rooms.gate.clear()
    harness.media.gate.clear()
    under_way = minji.say("message.send", room_id=room_id, client_id=room_id, body="under way")
    await eventually(lambda: harness.rooms.of("commands"))
    file, client_id = harness.media.store(), minji.connection.id
    queued = minji.say("message.send", room_id=room_id, client_id=client_id, body="queued")
    reading = minji.say("room.read", room_id=room_id, seq=1)
    minji.say("file.upload", room_id=room_id, client_id=file.attachment_id, filename="f", data="AAAA", body="upload")
    minji.say(
        "message.send", room_id=room_id, client_id=junho.connection.id, body="file", attachment_ids=[file.attachment_id]
    )
    minji.say("message.send", room_id=room_id, client_id=minji.session_id[8:], body="held")
    await eventually(lambda: len(harness.media.asked) == 2)
    junho.say("message.send", room_id=room_id, client_id=junho.session_id[8:], body="other")
    harness.hear(user_channel("minji"), msgspec.json.encode(SessionsRevoked([minji.session_id])))
    assert minji.transport.closed == 4401
    minji.say("message.send", room_id=room_id, client_id=minji.session_id[8:], body="too late")
    harness.media.gate.set()
    await minji.settle()
    harness.rooms.gate.set()
    await eventually(lambda: "other" in harness.rooms.bodies(room_id) and not harness.gateway.command_queues.depth)
    await junho.ask("message.send", room_id=room_id, client_id=client_id, body="last")
    assert harness.rooms.bodies(room_id) == ["under way", "other", "last"]
    refused = minji.reply(queued)
    assert (refused or {})["code"] == "unauthenticated"
    assert [minji.reply(under_way), minji.reply(reading)] == [None, None]  # nothing is written after the close


async def test_the_check_ends_sessions_that_are_gone_and_refuses_what_they_queued(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    minji, junho = await settled(harness, "minji", "junho")
    harness.rooms.gate.clear()
    minji.say("message.send", room_id=room_id, client_id=room_id, body="under way")
    await eventually(lambda: harness.rooms.of("commands"))
    minji.say("message.send", room_id=room_id, client_id=minji.connection.id, body="queued")
    del harness.auth.sessions[minji.session_id]
    check = asyncio.create_task(check_users(harness.gateway))
    await eventually(lambda: minji.transport.closed)
    harness.rooms.gate.set()
    await check
    await junho.ask("message.send", room_id=room_id, client_id=junho.connection.id, body="last")
    assert harness.rooms.bodies(room_id) == ["under way", "last"]
    assert (minji.transport.closed, minji.of("session.revoked"), junho.transport.closed) == (4401, [], None)


async def test_only_sessions_that_were_asked_about_are_ended(harness: GatewayHarness):
    """A connection that starts during the check is missing in its answer."""
    [gone] = await settled(harness, "minji")
    harness.auth.sessions.clear()
    harness.auth.gate.clear()
    check = asyncio.create_task(check_users(harness.gateway))
    await eventually(lambda: harness.auth.of("sessions")[1:])
    new = harness.client("minji")
    await harness.gateway.register(new.connection)
    harness.auth.gate.set()
    await check
    assert (gone.transport.closed, new.transport.closed) == (4401, None)


async def test_only_the_named_sockets_are_evicted(harness: GatewayHarness):
    first, second = await settled(harness, "minji", "minji")
    harness.hear(
        user_channel("minji"), msgspec.json.encode(ConnectionsEvicted([first.connection.id, "another gateway's"]))
    )
    assert [one.transport.closed for one in (first, second)] == [4409, None]


# The background check


@pytest.mark.parametrize("source", ["rooms", "social"])
async def test_the_check_finds_what_no_hint_told(harness: GatewayHarness, source: str):
    room_id = harness.rooms.create("junho")
    [minji] = await settled(harness, "minji")
    await check_users(harness.gateway)
    assert harness.gateway.changed_users == set()
    if source == "rooms":
        harness.rooms.add(room_id, "minji")
    else:
        harness.social.follow("minji", "junho")
    await check_users(harness.gateway)
    await sync_changed_users(harness.gateway)
    await minji.settle()
    assert [frame["op"] for frame in minji.frames[1:]] == [{"rooms": "room.added", "social": "friend.added"}[source]]
    await check_users(harness.gateway)
    assert harness.gateway.changed_users == set()  # it is found once


async def test_the_check_begins_anew_at_once_where_a_subscription_was_lost():
    harness = GatewayHarness(timings=Timings(user_check=60))
    async with harness.running():
        minji = await harness.live("minji")
        check = asyncio.create_task(check_users(harness.gateway))
        await eventually(lambda: harness.social.of("revisions"))
        await asyncio.sleep(0.02)
        assert not check.done()
        del harness.auth.sessions[minji.session_id]
        before = changes()
        harness.gateway.subscriber._mark_unconfirmed([user_channel("minji")])
        await check
        again = asyncio.create_task(check_users(harness.gateway))
        await eventually(lambda: minji.transport.closed and changes() - before == 2)  # lost, and back
        again.cancel()
        assert minji.transport.closed == 4401


async def test_a_lost_subscription_makes_one_check_more():
    harness = GatewayHarness(timings=Timings(user_check=60))
    async with harness.running():
        await harness.live("minji")
        harness.gateway.check_now.set()
        check = asyncio.create_task(check_users(harness.gateway))
        await eventually(lambda: harness.social.of("revisions"))
        await asyncio.sleep(0.02)
        assert not check.done()
        harness.gateway.check_now.set()
        await check


async def test_rooms_are_read_again_when_a_subscription_is_lost_and_again_when_it_is_back(harness: GatewayHarness):
    """Events published meanwhile are only in the log."""
    room_id = harness.rooms.create("minji", "junho")
    [minji] = await settled(harness, "minji")
    await eventually(lambda: not harness.gateway.subscriber._dirty)
    harness.rooms.say(room_id, "junho", "while it was lost")
    harness.gateway.subscriber._mark_unconfirmed([live_channel("epoch-1", room_id)])
    await eventually(lambda: minji.versions(room_id) == [3])


async def test_what_is_published_until_all_subscriptions_are_back_is_read_when_they_are(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    [minji] = await settled(harness, "minji")
    channel = live_channel("epoch-1", room_id)
    asked = len(harness.rooms.of("events"))
    harness.gateway.subscriber._subscribe_soon = lambda _: None  # type: ignore[method-assign] - the server is away
    harness.gateway.subscriber._mark_unconfirmed([channel])
    await eventually(lambda: len(harness.rooms.of("events")) > asked and not harness.gateway.subscriber._dirty)
    harness.rooms.say(room_id, "junho", "before it was back")
    message = {"type": "ssubscribe", "channel": channel.encode(), "data": 1}
    harness.gateway.subscriber._handle(None, message)  # type: ignore[arg-type]
    await eventually(lambda: minji.versions(room_id) == [3])


# A new epoch is noticed wherever rooms tells it


@pytest.mark.parametrize("by", ["changes", "check", "commands", "enter"])
async def test_a_new_epoch_closes_all(harness: GatewayHarness, by: str):
    room_id = harness.rooms.create("minji")
    minji, junho = await settled(harness, "minji", "junho")
    harness.rooms.epoch = "epoch-2"
    if by == "changes":
        await change(harness, "minji")
    elif by == "check":
        await check_users(harness.gateway)
    elif by == "commands":
        minji.say("message.send", room_id=room_id, client_id=room_id, body="x")
    else:
        minji.say("room.enter", room_id=room_id, mark_read=False)
    await eventually(lambda: minji.transport.closed)
    assert (minji.transport.closed, junho.transport.closed) == (4310, 4310)
    assert (harness.gateway.users, harness.gateway.hub.rooms, harness.gateway.subscriber.epoch) == ({}, {}, "epoch-2")


async def test_a_room_whose_log_does_not_reach_back_sends_its_readers_away(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    minji, sora = await settled(harness, "minji", "sora")
    harness.rooms.say(room_id, "junho")
    harness.rooms.forget_events(room_id)
    resets = REGISTRY.get_sample_value("webchat_room_resets_total") or 0
    await harness.gateway.subscriber.repair([room_id])
    assert (minji.transport.closed, sora.transport.closed, harness.gateway.hub.version_of(room_id)) == (1013, None, 3)
    assert REGISTRY.get_sample_value("webchat_room_resets_total") == resets + 1
