"""The chat of most tutorials: a socket per room, one commit per message, publish, a loop over sockets. No sign-in.

It is better than some: writers queue instead of failing with "database is locked", and the history has an index.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from redis.asyncio import Redis
from sqlalchemy import desc, event
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlmodel import Field, SQLModel, select


class Message(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    room_id: str = Field(index=True)
    sender: str
    body: str
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))


engine = create_async_engine(f"sqlite+aiosqlite:///{os.environ['BASELINE_DB']}")
new_session = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)
redis: Any = Redis.from_url(os.environ["BASELINE_REDIS"], decode_responses=True)
sockets: dict[str, list[WebSocket]] = defaultdict(list)
writing = asyncio.Lock()


@event.listens_for(engine.sync_engine, "connect")
def prepare(connection: Any, _: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


async def broadcast() -> None:
    async with redis.pubsub() as channel:
        await channel.psubscribe("room:*")
        async for message in channel.listen():
            if message["type"] == "pmessage":
                for socket in list(sockets[message["channel"].removeprefix("room:")]):
                    await socket.send_text(message["data"])


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with engine.begin() as db:
        await db.run_sync(SQLModel.metadata.create_all)
    task = asyncio.create_task(broadcast())
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)


@app.websocket("/ws/{room_id}/{user}")
async def chat(socket: WebSocket, room_id: str, user: str) -> None:
    await socket.accept()
    sockets[room_id].append(socket)
    try:
        while True:
            message = Message(room_id=room_id, sender=user, body=(await socket.receive_json())["body"])
            async with writing, new_session() as session:
                session.add(message)
                await session.commit()
            await redis.publish(f"room:{room_id}", message.model_dump_json())
    except WebSocketDisconnect:
        sockets[room_id].remove(socket)


@app.get("/rooms/{room_id}/messages")
async def history(room_id: str, offset: int = 0, limit: int = 50) -> list[Message]:
    newest = select(Message).where(Message.room_id == room_id).order_by(desc("id")).offset(offset).limit(limit)
    async with new_session() as session:
        return list((await session.execute(newest)).scalars())
