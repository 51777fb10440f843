"""Notifications on a user's channel. One may be lost: revisions and the gateways' background check repair it."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from shared.redis.client import AnyRedis
from shared.streams.names import user_channel


class UserChanged(msgspec.Struct, tag="changed", tag_field="hint", omit_defaults=True):
    """The user's rooms or friends changed in the service `source`: the user's revision is now `revision`."""

    source: Literal["rooms", "social"]
    revision: int
    traceparent: str = ""


class SessionsRevoked(msgspec.Struct, tag="revoked", tag_field="hint"):
    """These sessions of the user were revoked. An empty list means all sessions of the user."""

    session_ids: list[str]


class ConnectionsEvicted(msgspec.Struct, tag="evicted", tag_field="hint", rename={"connection_ids": "client_ids"}):
    """The user has more connections than allowed. These, the oldest, are closed."""

    connection_ids: list[str]


UserNotification = UserChanged | SessionsRevoked | ConnectionsEvicted


async def publish_notifications(redis: AnyRedis, notifications: Iterable[tuple[str, UserNotification]]) -> None:
    """Publish (user id, notification) pairs in one round trip."""
    pipeline = redis.pipeline(transaction=False)
    for user_id, notification in notifications:
        pipeline.execute_command("SPUBLISH", user_channel(user_id), msgspec.json.encode(notification))
    await pipeline.execute()
