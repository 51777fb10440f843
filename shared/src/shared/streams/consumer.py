"""Consumers of another service's stream: read, handle, acknowledge; retry, and give up after `TRIES`.

An event may arrive twice and, after a failure, late and out of order: handlers ignore outdated events.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import msgspec
from redis.exceptions import ResponseError

from shared import metrics
from shared.redis.client import AnyRedis
from shared.streams.names import dead_letters, service_stream
from shared.tracing.spans import Fields, span

log = logging.getLogger(__name__)

E = TypeVar("E")
Entry = tuple[bytes, dict[bytes, bytes]]

RECLAIM_AFTER_MS = 30_000
BLOCK_MS = 1_000
TRIES = 10

_HANDLED = metrics.counter(
    "webchat_stream_events_total",
    "Events of another service that were handled, or whose handler failed.",
    ["source", "outcome"],
)
_DEAD = metrics.counter("webchat_dead_letters_total", "Events that failed repeatedly and were given up.", ["source"])


class _Envelope(msgspec.Struct):
    traceparent: str = ""


_envelope_decoder = msgspec.json.Decoder(_Envelope)


def _topic_of(fields: dict[bytes, bytes]) -> Fields:
    return {"event.code": fields[b"topic"].decode()}


def _trace_of(fields: dict[bytes, bytes]) -> str:
    """Return the traceparent that the outbox added to the event, if any."""
    payload = fields[b"payload"]
    return _envelope_decoder.decode(payload).traceparent if b'"traceparent"' in payload else ""


class Consumer(Generic[E]):
    """Reads the events of `source` for the service `group`; handles those of `event_type`, a struct or tagged union."""

    def __init__(
        self,
        redis: AnyRedis,
        source: str,
        group: str,
        name: str,
        event_type: Any,
        handle: Callable[[E], Awaitable[None]],
        *,
        reclaim_after_ms: int = RECLAIM_AFTER_MS,
        block_ms: int = BLOCK_MS,
    ) -> None:
        """An event that is not acknowledged within `reclaim_after_ms` is delivered again."""
        self._redis, self._group, self._name = redis, group, name
        self._stream, self._dead = service_stream(source), dead_letters(source, group)
        self._decoder: msgspec.json.Decoder[E] = msgspec.json.Decoder(event_type)
        members = event_type.__args__ if hasattr(event_type, "__args__") else (event_type,)
        self._topics = {str(member.__struct_config__.tag).encode() for member in members}
        self._handle = handle
        self._handled, self._failed = _HANDLED.labels(source, "handled"), _HANDLED.labels(source, "failed")
        self._died = _DEAD.labels(source)
        self._reclaim_after_ms, self._block_ms = reclaim_after_ms, block_ms

    async def run(self) -> None:
        """Process one batch: unacknowledged events of dead consumers, then new ones (waiting up to `block_ms`)."""
        try:
            await self._reclaim()
            answer: Any = await self._redis.xreadgroup(
                self._group, self._name, {self._stream: ">"}, count=100, block=self._block_ms
            )
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            await self._create_group()
            return
        streams = answer.items() if isinstance(answer, dict) else answer or []
        for _, entries in streams:
            batches = entries if entries and isinstance(entries[0], list) else [entries]
            for batch in batches:
                await self._handle_all(batch)

    async def _create_group(self) -> None:
        try:
            await self._redis.xgroup_create(self._stream, self._group, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def _handle_all(self, entries: list[Entry]) -> None:
        for entry_id, fields in entries:
            if fields[b"topic"] in self._topics:
                try:
                    with span("consume", "consumer", _topic_of(fields), after=_trace_of(fields)):
                        await self._handle(self._decoder.decode(fields[b"payload"]))
                except Exception:  # not acknowledged, so it is retried and finally becomes a dead letter
                    log.exception("event %s of %s failed", entry_id.decode(), self._stream)
                    self._failed.inc()
                    continue
                self._handled.inc()
            await self._redis.xack(self._stream, self._group, entry_id)

    async def _reclaim(self) -> None:
        pending: Any = await self._redis.xpending_range(
            self._stream, self._group, min="-", max="+", count=50, idle=self._reclaim_after_ms
        )
        for item in pending:
            entry_id, tries = item["message_id"], item["times_delivered"]
            claimed: Any = await self._redis.xclaim(
                self._stream, self._group, self._name, self._reclaim_after_ms, [entry_id]
            )
            if claimed and claimed[0][1] and tries >= TRIES:
                log.error("event %s of %s goes to the dead letters", entry_id, self._stream)
                self._died.inc()
                await self._redis.xadd(self._dead, claimed[0][1], maxlen=10_000)
                await self._redis.xack(self._stream, self._group, entry_id)
            elif claimed:
                await self._handle_all([entry for entry in claimed if entry[1]])
