"""Tell the gateways whose friends changed, after the commit: a hint, the revisions in the table are the fact."""

import logging
from collections.abc import Mapping

from shared.redis.client import REDIS_DOWN
from shared.streams.notifications import UserChanged, publish_notifications
from shared.tracing.context import sampled_span_context
from social.service.dependencies import Dependencies
from social.storage.revisions import follower_revisions

log = logging.getLogger(__name__)

CHUNK = 1000
MAX_FOLLOWERS_TOLD = 20_000
"""The others see the change at the background check of their gateway, within 30 s."""


async def announce(deps: Dependencies, revisions: Mapping[str, int]) -> None:
    place = sampled_span_context()
    traceparent = place.traceparent if place is not None else ""
    hints = [(user_id, UserChanged("social", revision, traceparent)) for user_id, revision in revisions.items()]
    try:
        await publish_notifications(deps.redis, hints)
    except REDIS_DOWN as error:
        log.warning("gateways learn of changed friends at their next check: %r", error)


async def announce_to_followers(deps: Dependencies, user_id: str) -> None:
    """A chunk at a time, so that a person with many followers holds nobody up."""
    after: str | None = None
    for _ in range(MAX_FOLLOWERS_TOLD // CHUNK):
        async with deps.database.read() as db:
            revisions = await follower_revisions(db, user_id, CHUNK, after)
        if revisions:
            await announce(deps, revisions)
        if len(revisions) < CHUNK:
            return
        after = max(revisions)
