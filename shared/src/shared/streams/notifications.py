"""Hints on a user's channel. One may be lost: revisions and the gateways' background check repair it."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from shared.redis.client import AnyRedis
from shared.streams.names import user_channel


class UserChanged(msgspec.Struct, tag="changed", tag_field="hint", omit_defaults=True):
    """What `source` keeps of this user changed: its revision is now `revision`."""

    source: Literal["rooms", "social"]
    revision: int
    traceparent: str = ""


class SessionsRevoked(msgspec.Struct, tag="revoked", tag_field="hint"):
    """These sessions of the user are gone; all of its sessions where the list is empty."""

    session_ids: list[str]


class ConnectionsEvicted(msgspec.Struct, tag="evicted", tag_field="hint"):
    """The user has more sockets than allowed: these, the oldest, are closed."""

    client_ids: list[str]


UserNotification = UserChanged | SessionsRevoked | ConnectionsEvicted


async def publish_notifications(redis: AnyRedis, hints: Iterable[tuple[str, UserNotification]]) -> None:
    """Publish (user id, hint) pairs in one round trip."""
    pipeline = redis.pipeline(transaction=False)
    for user_id, hint in hints:
        pipeline.execute_command("SPUBLISH", user_channel(user_id), msgspec.json.encode(hint))
    await pipeline.execute()
