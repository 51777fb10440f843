"""Notify gateways of changed friends, after the commit. The source of truth are the revisions in the table."""

from collections.abc import Mapping

from shared.streams.notifications import UserChanged, publish_notifications
from shared.tracing.context import sampled_span_context
from social.service.dependencies import Dependencies
from social.storage.revisions import follower_revisions

CHUNK = 1000
MAX_NOTIFIED_FOLLOWERS = 20_000
"""Further followers see the change at the background check of their gateway, within 30 s."""


async def notify(deps: Dependencies, revisions: Mapping[str, int]) -> None:
    """Without Redis, gateways find the changes at their background check."""
    context = sampled_span_context()
    traceparent = context.traceparent if context is not None else ""
    notifications = [(user_id, UserChanged("social", revision, traceparent)) for user_id, revision in revisions.items()]
    await deps.redis.call(lambda redis: publish_notifications(redis, notifications))


async def notify_followers(deps: Dependencies, user_id: str) -> None:
    """Notify in chunks, so that a person with many followers does not delay others."""
    after: str | None = None
    for _ in range(MAX_NOTIFIED_FOLLOWERS // CHUNK):
        async with deps.database.read() as db:
            revisions = await follower_revisions(db, user_id, CHUNK, after)
        if revisions:
            await notify(deps, revisions)
        if len(revisions) < CHUNK:
            return
        after = max(revisions)
