"""The outbox: a change and its event commit in one transaction.

The relay assigns `position` without gaps. It orders the published events and is the entry's id in the stream.
"""

import msgspec
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String
from sqlmodel import Field, SQLModel

from shared.database.engine import Db, run_insert, table_of
from shared.ids import now_ms
from shared.tracing.context import sampled_span_context


class Outbox(SQLModel, table=True):
    id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    )
    position: int | None = Field(default=None, sa_column=Column(BigInteger, unique=True, nullable=True))
    topic: str = Field(sa_column=Column(String(64), nullable=False))
    payload: bytes = Field(sa_column=Column(LargeBinary(65535), nullable=False))
    created_at: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))


outbox = table_of(Outbox)


async def record_events(db: Db, *events: msgspec.Struct) -> None:
    """Add events to the outbox in the caller's transaction. Events are tagged structs; the tag is the topic."""
    now = now_ms()
    rows = [
        {"topic": str(event.__struct_config__.tag), "payload": _payload(event), "created_at": now} for event in events
    ]
    await run_insert(db, outbox, rows)


def _payload(event: msgspec.Struct) -> bytes:
    """Encode the event. If this is sampled, add a `traceparent`, which only consumers' tracing reads."""
    payload, context = msgspec.json.encode(event), sampled_span_context()
    return payload if context is None else b'%b,"traceparent":"%b"}' % (payload[:-1], context.traceparent.encode())
