"""The relay publishes the outbox to the service's stream, in the order of `position`, which becomes the entry's id.

A script appends only at the expected head of the stream. So any number of relays may publish concurrently and crash
without leaving a gap, and a stream that lost entries is refilled from the outbox.
"""

import asyncio
import itertools
import logging
from pathlib import Path

from redis.exceptions import ResponseError
from sqlalchemy import bindparam, delete, func, select, update

from shared import metrics
from shared.database.engine import Database
from shared.ids import now_ms
from shared.outbox.table import outbox
from shared.redis.client import AnyRedis, Script
from shared.streams.names import service_stream

log = logging.getLogger(__name__)

KEPT_MS = 7 * 24 * 3600 * 1000
BATCH = 500
POLL_S = 1.0
TRIM_EVERY_MS = 3600 * 1000

_PUBLISHED = metrics.counter(
    "webchat_outbox_published_total", "Events published from the outbox to the service's stream."
)
_APPEND_NEXT = Script(Path(__file__).parent / "append_next.lua")


class Relay:
    def __init__(self, database: Database, redis: AnyRedis, service: str) -> None:
        self._database, self._redis, self._stream = database, redis, service_stream(service)
        self._woken = asyncio.Event()
        self._trimmed_at = 0

    def wake(self) -> None:
        """Publish at once instead of at the next poll. Call it after a commit that recorded events."""
        self._woken.set()

    async def run(self) -> None:
        """Number new rows and publish what the stream lacks. If there is nothing, wait for up to `POLL_S`."""
        self._woken.clear()
        numbered = await self._number()
        published = await self._publish()
        await self._trim()
        if numbered == published == 0:
            try:
                async with asyncio.timeout(POLL_S):
                    await self._woken.wait()
            except TimeoutError:
                return

    async def _number(self) -> int:
        pending = select(outbox.c.id).where(outbox.c.position.is_(None)).order_by(outbox.c.id).limit(BATCH)
        async with self._database.read() as db:
            if (await db.execute(pending.limit(1))).first() is None:
                return 0
        async with self._database.write() as db:
            ids = list((await db.execute(pending.with_for_update())).scalars())
            last = (await db.execute(select(func.max(outbox.c.position)))).scalar_one() or 0
            rows = [{"row_id": row_id, "new": last + index} for index, row_id in enumerate(ids, 1)]
            if rows:
                statement = update(outbox).where(outbox.c.id == bindparam("row_id")).values(position=bindparam("new"))
                await db.execute(statement, rows)
        return len(ids)

    async def _publish(self) -> int:
        head = await self._stream_head()
        columns = (outbox.c.position, outbox.c.topic, outbox.c.payload)
        async with self._database.read() as db:
            rows = (
                await db.execute(
                    select(*columns).where(outbox.c.position > head).order_by(outbox.c.position).limit(BATCH)
                )
            ).all()
        if not rows:
            return 0
        await _APPEND_NEXT(self._redis, [self._stream], head, *itertools.chain.from_iterable(rows))
        _PUBLISHED.inc(len(rows))
        return len(rows)

    async def _stream_head(self) -> int:
        try:
            info = await self._redis.xinfo_stream(self._stream)
        except ResponseError as error:
            if "no such key" not in str(error):
                raise
            return 0
        last = info["last-generated-id"]
        return int(bytes(last).split(b"-")[0])

    async def _trim(self) -> None:
        now = now_ms()
        if now - self._trimmed_at < TRIM_EVERY_MS:
            return
        self._trimmed_at = now
        async with self._database.write() as db:
            newest = (await db.execute(select(func.max(outbox.c.position)))).scalar_one()
            if newest is None:
                return
            old = outbox.c.created_at < now - KEPT_MS
            await db.execute(delete(outbox).where(old, outbox.c.position < newest))
            first = (await db.execute(select(func.min(outbox.c.position)))).scalar_one()
        await self._redis.xtrim(self._stream, minid=f"{first}-0")
