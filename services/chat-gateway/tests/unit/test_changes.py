"""Changes for connected users, found by notifications, by the background check, or by a new epoch."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from chat_gateway.driver.sync import USERS_AT_ONCE, check_users, follow_changes, sync_friends
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

from ..edge import Edge, Person  # noqa: TID252 - the tests of one service


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    it = Edge()
    async with it.running():
        yield it


async def settled(edge: Edge, *user_ids: str) -> list[Person]:
    """Create live connections without pending changes."""
    people = [await edge.live(user_id) for user_id in user_ids]
    await follow_changes(edge.gateway)
    assert not edge.gateway.users_changed.is_set()
    return people


async def change(edge: Edge, user_id: str, traceparent: str = "") -> None:
    """Notify the gateway of a change and wait until it is handled."""
    hint = UserChanged("rooms", 1, traceparent)
    edge.hear(user_channel(user_id), msgspec.json.encode(hint))
    await follow_changes(edge.gateway)
    for client in edge.gateway.clients():
        while client.tasks:
            await asyncio.wait(client.tasks)
            await asyncio.sleep(0)


def changes() -> float:
    return REGISTRY.get_sample_value("webchat_subscriptions_lost_total") or 0


# Rooms


async def test_a_room_that_one_is_added_to_is_told_and_heard(edge: Edge):
    room_id = edge.rooms.create("junho")
    [minji] = await settled(edge, "minji")
    edge.rooms.add(room_id, "minji")
    await change(edge, "minji")
    [added] = minji.of("room.added")
    assert added["room"] == msgspec.to_builtins(edge.rooms.shown(room_id, "minji"))
    assert edge.gateway.hub.reads(minji.client, room_id)
    edge.rooms.say(room_id, "junho")
    edge.gateway.subscriber.tear(room_id)
    await eventually(lambda: minji.versions(room_id) == [3])
    assert (await minji.ask("message.send", room_id=room_id, client_id=room_id, body="hi"))["op"] == "ok"


async def test_all_connections_of_a_user_are_brought_in(edge: Edge):
    room_id = edge.rooms.create("junho")
    first, second = await settled(edge, "minji", "minji")
    edge.rooms.add(room_id, "minji")
    await change(edge, "minji")
    for person in (first, second):
        assert len(person.of("room.added")) == 1
        assert edge.gateway.hub.reads(person.client, room_id)
    assert len(edge.rooms.of("homes")) == 3  # two starts, and one for both


async def test_a_room_that_one_is_out_of_ends_with_ones_own_leaving(edge: Edge):
    """`member.left` has not been published yet and is read from the log."""
    room_id = edge.rooms.create("junho", "minji")
    [minji] = await settled(edge, "minji")
    edge.rooms.say(room_id, "junho")
    edge.rooms.remove(room_id, "minji")
    edge.rooms.say(room_id, "junho", "a secret")
    await change(edge, "minji")
    ops = [frame["op"] for frame in minji.frames[1:]]
    assert ops == ["message.created", "member.left", "room.removed"]
    assert (edge.gateway.hub.rooms, minji.client.memberships) == ({}, {})
    assert edge.gateway.subscriber._wanted[live_channel("epoch-1", room_id)] == 0


async def test_a_room_that_is_gone_is_removed_without_an_event(edge: Edge):
    room_id = edge.rooms.create("minji")
    [minji] = await settled(edge, "minji")
    del edge.rooms.rooms[room_id]
    edge.rooms.revision["minji"] += 1
    await change(edge, "minji")
    assert minji.frames[1:] == [{"op": "room.removed", "room_id": room_id}]
    assert (edge.gateway.hub.rooms, minji.client.memberships) == ({}, {})
    assert edge.gateway.subscriber._wanted[live_channel("epoch-1", room_id)] == 0


async def test_who_left_and_is_back_is_removed_and_added_again(edge: Edge):
    room_id = edge.rooms.create("junho", "minji")
    [minji] = await settled(edge, "minji")
    edge.rooms.remove(room_id, "minji")
    edge.rooms.say(room_id, "junho", "a secret")
    edge.rooms.add(room_id, "minji")
    await change(edge, "minji")
    assert "a secret" not in [frame.get("body") for frame in minji.frames]
    assert minji.client.memberships[room_id].since == 5
    assert minji.of("room.added")[0]["room"]["version"] == 5
    edge.rooms.say(room_id, "junho", "welcome")
    edge.gateway.subscriber.tear(room_id)
    await eventually(lambda: minji.versions(room_id)[-1:] == [6])
    assert edge.gateway.subscriber._wanted[live_channel("epoch-1", room_id)] == 1


async def test_who_goes_before_its_new_room_is_known_is_not_brought_into_it(edge: Edge):
    room_id = edge.rooms.create("junho")
    [minji] = await settled(edge, "minji")
    edge.rooms.add(room_id, "minji")
    edge.rooms.on_homes = lambda _: minji.leave()
    await change(edge, "minji")
    assert (minji.of("room.added"), minji.client.memberships, edge.gateway.hub.rooms) == ([], {}, {})
    assert +edge.gateway.subscriber._wanted == {}


async def test_who_goes_before_its_new_room_is_listened_to_is_not_brought_into_it(edge: Edge):
    room_id = edge.rooms.create("junho")
    [minji] = await settled(edge, "minji")
    edge.rooms.add(room_id, "minji")
    edge.confirms.clear()
    edge.gateway.user_changed("minji")
    following = asyncio.create_task(follow_changes(edge.gateway))
    await eventually(lambda: edge.gateway.subscriber._wanted[live_channel("epoch-1", room_id)])
    minji.leave()
    edge.confirms.set()
    await following
    assert (minji.of("room.added"), minji.client.tasks, minji.client.memberships) == ([], set(), {})
    assert +edge.gateway.subscriber._wanted == {}


async def test_who_cannot_be_brought_into_a_new_room_is_closed_to_come_back(edge: Edge):
    room_id = edge.rooms.create("sora")
    minji, sora = await settled(edge, "minji", "sora")
    edge.rooms.say(room_id, "sora")
    await edge.gateway.subscriber.repair([room_id])
    edge.rooms.add(room_id, "minji")

    def fall_behind(_: object) -> None:
        """Put the hub ahead of the snapshot while events cannot be read."""
        edge.rooms.say(room_id, "sora")
        edge.gateway.hub.jump(room_id, 9)
        edge.rooms.problems_at["events"] = Unavailable("away")

    edge.rooms.on_homes = fall_behind
    await change(edge, "minji")
    assert len(minji.of("room.added")) == 1
    assert (minji.wire.closed, sora.wire.closed) == (1013, None)


async def test_who_is_removed_and_added_while_it_is_brought_in_sees_nothing_of_between(edge: Edge):
    """The first join must not send events that the second membership may not see."""
    room_id = edge.rooms.create("sora")
    minji, _ = await settled(edge, "minji", "sora")
    edge.rooms.add(room_id, "minji")
    edge.rooms.gates["events"] = asyncio.Event()

    def fall_behind(_: object) -> None:
        """Put the hub ahead of the snapshot, so that events have to be read."""
        edge.rooms.say(room_id, "sora", "before")
        edge.gateway.hub.jump(room_id, 3)

    edge.rooms.on_homes = fall_behind
    edge.gateway.user_changed("minji")
    await follow_changes(edge.gateway)
    await eventually(lambda: edge.rooms.of("events"))
    edge.rooms.on_homes = lambda _: None
    edge.rooms.remove(room_id, "minji")
    edge.rooms.say(room_id, "sora", "a secret")
    edge.rooms.add(room_id, "minji")
    edge.gateway.user_changed("minji")
    await follow_changes(edge.gateway)
    edge.rooms.gates["events"].set()
    await minji.settle()
    edge.rooms.say(room_id, "sora", "after")
    await edge.gateway.subscriber.repair([room_id])
    await eventually(lambda: minji.versions(room_id)[-1:] == [7])
    assert [frame["room"]["version"] for frame in minji.of("room.added")] == [2, 6]
    assert minji.versions(room_id) == [7]


async def test_who_is_back_before_its_leaving_is_written_stays(edge: Edge):
    """With a slow reader, the first join ends after the second membership has started."""
    room_id = edge.rooms.create("sora")
    minji, _ = await settled(edge, "minji", "sora")
    edge.rooms.add(room_id, "minji")

    def leave(_: object) -> None:
        edge.rooms.on_homes = lambda _: None
        edge.rooms.remove(room_id, "minji")
        edge.gateway.hub.jump(room_id, 3)
        minji.wire.gate.clear()

    edge.rooms.on_homes = leave
    edge.gateway.user_changed("minji")
    await follow_changes(edge.gateway)
    await eventually(lambda: minji.wire.sent == 2)  # `ready`, and what is not written yet
    edge.rooms.add(room_id, "minji")
    edge.gateway.user_changed("minji")
    await follow_changes(edge.gateway)
    minji.wire.gate.set()
    await minji.settle()
    assert [frame["room"]["version"] for frame in minji.of("room.added")] == [2, 4]
    assert minji.of("room.removed") == []
    assert edge.gateway.hub.reads(minji.client, room_id)
    assert edge.gateway.subscriber._wanted[live_channel("epoch-1", room_id)] == 2
    edge.rooms.say(room_id, "sora")
    await edge.gateway.subscriber.repair([room_id])
    await eventually(lambda: minji.versions(room_id)[-1:] == [5])


async def test_a_mute_mark_is_told_once(edge: Edge):
    room_id = edge.rooms.create("minji")
    [minji] = await settled(edge, "minji")
    edge.rooms.mute(room_id, "minji")
    await change(edge, "minji")
    await change(edge, "minji")
    assert minji.frames[1:] == [{"op": "room.muted", "room_id": room_id, "muted": True}]


async def test_who_is_not_here_is_not_asked_for(edge: Edge):
    await settled(edge, "minji")
    asked = len(edge.rooms.of("places"))
    edge.gateway.user_changed("junho")
    await follow_changes(edge.gateway)
    assert len(edge.rooms.of("places")) == asked
    assert not edge.gateway.users_changed.is_set()


async def test_where_nothing_changed_there_is_no_round(edge: Edge):
    await settled(edge, "minji")
    following = asyncio.create_task(follow_changes(edge.gateway))
    await asyncio.sleep(0.02)
    assert not following.done()
    edge.gateway.user_changed("minji")
    await following


async def test_a_round_that_fails_is_done_again(edge: Edge):
    room_id = edge.rooms.create("junho")
    [minji] = await settled(edge, "minji")
    edge.rooms.add(room_id, "minji")
    edge.social.problem = Unavailable("away")
    with pytest.raises(Unavailable):
        await change(edge, "minji")
    assert (edge.gateway.changed_users, edge.gateway.users_changed.is_set()) == ({"minji"}, True)
    edge.social.problem = None
    await follow_changes(edge.gateway)
    await minji.settle()
    assert edge.gateway.hub.reads(minji.client, room_id)


async def test_many_changed_users_take_several_rounds(edge: Edge):
    names = [f"user-{number}" for number in range(USERS_AT_ONCE + 1)]
    for name in names:
        await edge.live(name)
    for left in (1, 0):
        await follow_changes(edge.gateway)
        assert len(edge.gateway.changed_users) == left
        assert edge.gateway.users_changed.is_set() == bool(left)
    assert edge.rooms.of("places")[0] == UserIdsRequest(edge.rooms.of("places")[0].user_ids)
    assert sorted(len(asked.user_ids) for asked in edge.rooms.of("places")) == [1, USERS_AT_ONCE]


async def test_a_change_whose_way_is_sampled_ends_its_span(edge: Edge, spans: list[dict[str, object]]):
    await settled(edge, "minji", "minji")
    context = new_span_context()
    await change(edge, "minji", context.traceparent)
    [span] = spans
    assert (span["event.action"], span["event.outcome"]) == ("deliver", "success")
    assert (span["trace.id"], span["parent.id"], span["webchat.receivers"]) == (context.trace_id, context.span_id, 1)
    edge.rooms.problem = Unavailable("away")
    with pytest.raises(Unavailable):
        await change(edge, "minji", context.traceparent)
    assert [one["event.outcome"] for one in spans] == ["success", "failure"]


# Friends


async def test_friends_and_their_profiles_are_told_as_they_change(edge: Edge):
    edge.social.follow("minji", "junho")
    [minji] = await settled(edge, "minji")
    edge.social.follow("minji", "sora")
    edge.social.rename("junho", "Junho")
    await change(edge, "minji")
    edge.social.unfollow("minji", "junho")
    await change(edge, "minji")
    told = [(frame["op"], (frame.get("profile") or frame)["user_id"]) for frame in minji.frames[1:]]
    assert told == [("friend.added", "sora"), ("profile.updated", "junho"), ("friend.removed", "junho")]
    assert minji.frames[2]["profile"]["display_name"] == "Junho"


async def test_an_older_answer_about_friends_changes_nothing(edge: Edge):
    """Answers may overtake each other."""
    edge.social.follow("minji", "junho")
    [minji] = await settled(edge, "minji")
    sync_friends(edge.gateway, "minji", Friends(0, []))
    assert list(edge.gateway.users["minji"].friends) == ["junho"]
    assert minji.of("friend.removed") == []


async def test_who_had_no_ready_yet_is_not_told_of_friends(edge: Edge):
    [first] = await settled(edge, "minji")
    starting = edge.person("minji")
    edge.rooms.gate.clear()
    starting.say("hello")
    await eventually(lambda: len(edge.gateway.users["minji"].clients) == 2)
    edge.social.follow("minji", "junho")
    sync_friends(edge.gateway, "minji", Friends(edge.social.revision["minji"], [edge.social.profile("junho")]))
    assert (len(first.of("friend.added")), starting.frames) == (1, [])
    edge.rooms.gate.set()
    await starting.settle()
    assert [friend["user_id"] for friend in starting.frames[0]["friends"]] == ["junho"]


# Sessions and sockets


async def test_revoked_sessions_are_ended_and_the_others_go_on(edge: Edge):
    room_id = edge.rooms.create("minji")
    first, second, junho = await settled(edge, "minji", "minji", "junho")
    edge.hear(user_channel("minji"), msgspec.json.encode(SessionsRevoked([first.session_id])))
    assert [frame["op"] for frame in first.frames[1:]] == ["session.revoked"]
    assert [one.wire.closed for one in (first, second, junho)] == [4401, None, None]
    first.say("message.send", room_id=room_id, client_id=room_id, body="too late")
    await second.ask("message.send", room_id=room_id, client_id=first.client.id, body="in time")
    assert edge.rooms.bodies(room_id) == ["in time"]
    edge.hear(user_channel("minji"), msgspec.json.encode(SessionsRevoked([])))  # all of the user's
    assert [one.wire.closed for one in (first, second, junho)] == [4401, 4401, None]


async def test_what_a_revoked_session_queued_does_not_go_out(edge: Edge):
    """Covers queued commands, uploads, messages with attachments, and messages held behind them."""
    room_id = edge.rooms.create("minji", "junho")
    minji, junho = await settled(edge, "minji", "junho")
    edge.rooms.gate.clear()
    edge.media.gate.clear()
    under_way = minji.say("message.send", room_id=room_id, client_id=room_id, body="under way")
    await eventually(lambda: edge.rooms.of("commands"))
    file, client_id = edge.media.store(), minji.client.id
    queued = minji.say("message.send", room_id=room_id, client_id=client_id, body="queued")
    reading = minji.say("room.read", room_id=room_id, seq=1)
    minji.say("file.upload", room_id=room_id, client_id=file.attachment_id, filename="f", data="AAAA", body="upload")
    minji.say(
        "message.send", room_id=room_id, client_id=junho.client.id, body="file", attachment_ids=[file.attachment_id]
    )
    minji.say("message.send", room_id=room_id, client_id=minji.session_id[8:], body="held")
    await eventually(lambda: len(edge.media.asked) == 2)
    junho.say("message.send", room_id=room_id, client_id=junho.session_id[8:], body="other")
    edge.hear(user_channel("minji"), msgspec.json.encode(SessionsRevoked([minji.session_id])))
    assert minji.wire.closed == 4401
    minji.say("message.send", room_id=room_id, client_id=minji.session_id[8:], body="too late")
    edge.media.gate.set()
    await minji.settle()
    edge.rooms.gate.set()
    await eventually(lambda: "other" in edge.rooms.bodies(room_id) and not edge.gateway.lanes.depth)
    await junho.ask("message.send", room_id=room_id, client_id=client_id, body="last")
    assert edge.rooms.bodies(room_id) == ["under way", "other", "last"]
    refused = minji.reply(queued)
    assert (refused or {})["code"] == "unauthenticated"
    assert [minji.reply(under_way), minji.reply(reading)] == [None, None]  # nothing is written after the close


async def test_the_check_ends_sessions_that_are_gone_and_refuses_what_they_queued(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    minji, junho = await settled(edge, "minji", "junho")
    edge.rooms.gate.clear()
    minji.say("message.send", room_id=room_id, client_id=room_id, body="under way")
    await eventually(lambda: edge.rooms.of("commands"))
    minji.say("message.send", room_id=room_id, client_id=minji.client.id, body="queued")
    del edge.auth.sessions[minji.session_id]
    check = asyncio.create_task(check_users(edge.gateway))
    await eventually(lambda: minji.wire.closed)
    edge.rooms.gate.set()
    await check
    await junho.ask("message.send", room_id=room_id, client_id=junho.client.id, body="last")
    assert edge.rooms.bodies(room_id) == ["under way", "last"]
    assert (minji.wire.closed, minji.of("session.revoked"), junho.wire.closed) == (4401, [], None)


async def test_only_sessions_that_were_asked_about_are_ended(edge: Edge):
    """A connection that starts during the check is missing in its answer."""
    [gone] = await settled(edge, "minji")
    edge.auth.sessions.clear()
    edge.auth.gate.clear()
    check = asyncio.create_task(check_users(edge.gateway))
    await eventually(lambda: edge.auth.of("sessions")[1:])
    new = edge.person("minji")
    await edge.gateway.enter(new.client)
    edge.auth.gate.set()
    await check
    assert (gone.wire.closed, new.wire.closed) == (4401, None)


async def test_only_the_named_sockets_are_evicted(edge: Edge):
    first, second = await settled(edge, "minji", "minji")
    edge.hear(user_channel("minji"), msgspec.json.encode(ConnectionsEvicted([first.client.id, "another gateway's"])))
    assert [one.wire.closed for one in (first, second)] == [4409, None]


# The background check


@pytest.mark.parametrize("source", ["rooms", "social"])
async def test_the_check_finds_what_no_hint_told(edge: Edge, source: str):
    room_id = edge.rooms.create("junho")
    [minji] = await settled(edge, "minji")
    await check_users(edge.gateway)
    assert edge.gateway.changed_users == set()
    if source == "rooms":
        edge.rooms.add(room_id, "minji")
    else:
        edge.social.follow("minji", "junho")
    await check_users(edge.gateway)
    await follow_changes(edge.gateway)
    await minji.settle()
    assert [frame["op"] for frame in minji.frames[1:]] == [{"rooms": "room.added", "social": "friend.added"}[source]]
    await check_users(edge.gateway)
    assert edge.gateway.changed_users == set()  # it is found once


async def test_the_check_begins_anew_at_once_where_a_subscription_was_lost():
    edge = Edge(timings=Timings(user_check=60))
    async with edge.running():
        minji = await edge.live("minji")
        check = asyncio.create_task(check_users(edge.gateway))
        await eventually(lambda: edge.social.of("revisions"))
        await asyncio.sleep(0.02)
        assert not check.done()
        del edge.auth.sessions[minji.session_id]
        before = changes()
        edge.gateway.subscriber._doubt([user_channel("minji")])
        await check
        again = asyncio.create_task(check_users(edge.gateway))
        await eventually(lambda: minji.wire.closed and changes() - before == 2)  # lost, and back
        again.cancel()
        assert minji.wire.closed == 4401


async def test_a_lost_subscription_makes_one_check_more():
    edge = Edge(timings=Timings(user_check=60))
    async with edge.running():
        await edge.live("minji")
        edge.gateway.check_now.set()
        check = asyncio.create_task(check_users(edge.gateway))
        await eventually(lambda: edge.social.of("revisions"))
        await asyncio.sleep(0.02)
        assert not check.done()
        edge.gateway.check_now.set()
        await check


async def test_rooms_are_read_again_when_a_subscription_is_lost_and_again_when_it_is_back(edge: Edge):
    """Events published meanwhile are only in the log."""
    room_id = edge.rooms.create("minji", "junho")
    [minji] = await settled(edge, "minji")
    await eventually(lambda: not edge.gateway.subscriber._torn)
    edge.rooms.say(room_id, "junho", "while it was lost")
    edge.gateway.subscriber._doubt([live_channel("epoch-1", room_id)])
    await eventually(lambda: minji.versions(room_id) == [3])


async def test_what_is_published_until_all_subscriptions_are_back_is_read_when_they_are(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    [minji] = await settled(edge, "minji")
    channel = live_channel("epoch-1", room_id)
    asked = len(edge.rooms.of("events"))
    edge.gateway.subscriber._ask_for = lambda _: None  # type: ignore[method-assign] - the server is away
    edge.gateway.subscriber._doubt([channel])
    await eventually(lambda: len(edge.rooms.of("events")) > asked and not edge.gateway.subscriber._torn)
    edge.rooms.say(room_id, "junho", "before it was back")
    message = {"type": "ssubscribe", "channel": channel.encode(), "data": 1}
    edge.gateway.subscriber._handle(None, message)  # type: ignore[arg-type]
    await eventually(lambda: minji.versions(room_id) == [3])


# A new epoch is noticed wherever rooms tells it


@pytest.mark.parametrize("by", ["changes", "check", "commands", "enter"])
async def test_a_new_epoch_closes_all(edge: Edge, by: str):
    room_id = edge.rooms.create("minji")
    minji, junho = await settled(edge, "minji", "junho")
    edge.rooms.epoch = "epoch-2"
    if by == "changes":
        await change(edge, "minji")
    elif by == "check":
        await check_users(edge.gateway)
    elif by == "commands":
        minji.say("message.send", room_id=room_id, client_id=room_id, body="x")
    else:
        minji.say("room.enter", room_id=room_id, mark_read=False)
    await eventually(lambda: minji.wire.closed)
    assert (minji.wire.closed, junho.wire.closed) == (4310, 4310)
    assert (edge.gateway.users, edge.gateway.hub.rooms, edge.gateway.subscriber.epoch) == ({}, {}, "epoch-2")


async def test_a_room_whose_log_does_not_reach_back_sends_its_readers_away(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    minji, sora = await settled(edge, "minji", "sora")
    edge.rooms.say(room_id, "junho")
    edge.rooms.forget_events(room_id)
    resets = REGISTRY.get_sample_value("webchat_room_resets_total") or 0
    await edge.gateway.subscriber.repair([room_id])
    assert (minji.wire.closed, sora.wire.closed, edge.gateway.hub.version_of(room_id)) == (1013, None, 3)
    assert REGISTRY.get_sample_value("webchat_room_resets_total") == resets + 1
