"""The names and the encoding of what services publish for each other."""

import msgspec

from shared.redis.client import AnyRedis
from shared.roomlog.frames import PLAIN, EventBatch, Publication, parse_publication, text_frame
from shared.roomlog.keys import live_channel
from shared.roomlog.stream import append_events
from shared.streams.names import dead_letters, presence_channel, presence_key, service_stream, user_channel
from shared.streams.notifications import ConnectionsEvicted, SessionsRevoked, UserChanged, publish_notifications


def test_the_names_of_a_service_and_of_a_user_share_a_hash_tag() -> None:
    assert service_stream("auth") == "events:{auth}"
    assert dead_letters("auth", "rooms") == "events:{auth}:dead:rooms"
    assert user_channel("u") == "user:{u}"
    assert (presence_channel("u"), presence_key("u")) == ("presence:{u}", "presence:{u}:sockets")


def test_notifications_keep_the_names_of_older_releases() -> None:
    assert msgspec.to_builtins(UserChanged(source="rooms", revision=3)) == {
        "hint": "changed", "source": "rooms", "revision": 3,
    }  # fmt: skip
    assert msgspec.to_builtins(SessionsRevoked(session_ids=["s"])) == {"hint": "revoked", "session_ids": ["s"]}
    assert msgspec.to_builtins(ConnectionsEvicted(connection_ids=["c"])) == {"hint": "evicted", "client_ids": ["c"]}


async def test_notifications_reach_the_channels_of_their_users(redis: AnyRedis) -> None:
    channel = redis.pubsub()
    await channel.execute_command("SSUBSCRIBE", user_channel("a"))
    await channel.parse_response()
    await publish_notifications(
        redis, [("b", SessionsRevoked(session_ids=[])), ("a", SessionsRevoked(session_ids=["s"]))]
    )
    _, name, payload = await channel.parse_response()
    await channel.aclose()
    assert (name, payload) == (b"user:{a}", b'{"hint":"revoked","session_ids":["s"]}')


async def test_a_sampled_event_is_published_with_its_traceparent(redis: AnyRedis) -> None:
    traceparent, frame = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", text_frame(b"{}")
    channel = redis.pubsub()
    await channel.execute_command("SSUBSCRIBE", live_channel("e", "r"))
    await channel.parse_response()
    batches = [EventBatch(1, PLAIN, [frame], traceparent), EventBatch(2, PLAIN, [frame, frame])]
    assert await append_events(redis, "e", [("r", batch) for batch in batches]) == {}
    published = [parse_publication((await channel.parse_response())[2]) for _ in batches]
    await channel.aclose()
    assert published == [Publication(1, 1, PLAIN, frame, traceparent), Publication(2, 3, PLAIN, frame * 2)]
