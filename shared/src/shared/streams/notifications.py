"""Change notifications on a user's channel. They may be lost: gateways compare revisions in the background."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from shared.redis.client import AnyRedis
from shared.streams.names import user_channel


class UserChanged(msgspec.Struct, tag="changed", tag_field="hint", omit_defaults=True):
    """The user's data in `source` changed; its revision is now `revision`."""

    source: Literal["rooms", "social"]
    revision: int
    traceparent: str = ""


class SessionsRevoked(msgspec.Struct, tag="revoked", tag_field="hint"):
    """These sessions of the user were revoked; an empty list means all sessions."""

    session_ids: list[str]


class ConnectionsEvicted(msgspec.Struct, tag="evicted", tag_field="hint"):
    """The user has too many connections: these, the oldest, must close."""

    client_ids: list[str]


UserNotification = UserChanged | SessionsRevoked | ConnectionsEvicted


async def publish_notifications(redis: AnyRedis, hints: Iterable[tuple[str, UserNotification]]) -> None:
    """Publish pairs of user id and notification in one round trip."""
    pipeline = redis.pipeline(transaction=False)
    for user_id, hint in hints:
        pipeline.execute_command("SPUBLISH", user_channel(user_id), msgspec.json.encode(hint))
    await pipeline.execute()
