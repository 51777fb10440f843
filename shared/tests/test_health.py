"""Readiness: failed checks are named in time, whatever a store does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import URL, text

from shared.database.engine import Database
from shared.database.migrations import OutdatedSchemaError, check_schema
from shared.redis.client import check_redis, close_redis, redis_at
from shared.web.health import health_router
from shared.web.overload import Overload
from shared.web.state import AppState

NO_SHEDDING = Overload(ephemeral_at=1, history_at=1)


@asynccontextmanager
async def hanging_store() -> AsyncIterator[int]:
    """The port of a store that accepts connections and never answers."""
    connections: list[asyncio.StreamWriter] = []

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in connections:
            writer.close()
        await server.wait_closed()


async def readiness(state: AppState, *, check_s: float = 5) -> httpx.Response:
    app = FastAPI()
    app.include_router(health_router(state, check_s=check_s))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.get("/readyz")


async def test_a_hanging_store_is_named_without_waiting_for_it(redis_endpoint: list[str]):
    async with hanging_store() as port:
        held, here = redis_at([f"127.0.0.1:{port}"], timeout_s=3600), redis_at(redis_endpoint)
        database = Database(URL.create("mysql+aiomysql", "nobody", host="127.0.0.1", port=port, database="none"))
        state = AppState(
            NO_SHEDDING,
            required_checks={"database": database.ping, "redis": partial(check_redis, here)},
            optional_checks={"other redis": partial(check_redis, held)},
        )
        await check_redis(here)
        answer = await readiness(state, check_s=0.3)
        assert answer.status_code == 503
        assert answer.json() == {"status": "waiting", "missing": ["database"], "degraded": ["other redis"]}
        for redis in (held, here):
            await close_redis(redis)
        await database.close()


async def test_a_failed_optional_check_leaves_it_ready():
    async def fail() -> None:
        raise ConnectionError

    answer = await readiness(AppState(NO_SHEDDING, optional_checks={"redis": fail}))
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "missing": [], "degraded": ["redis"]})


async def test_an_outdated_schema_is_not_ready(tmp_path: Path):
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "0002_more.py").touch()
    database = Database(URL.create("sqlite+aiosqlite", database=str(tmp_path / "db")))
    with pytest.raises(OutdatedSchemaError):
        await check_schema(database, tmp_path)
    for version in ("0001", "0002", "0003"):  # 0003 is of the next version, during a rolling update
        async with database.write() as db:
            await db.execute(text("CREATE TABLE IF NOT EXISTS alembic_version (version_num TEXT)"))
            await db.execute(text("DELETE FROM alembic_version"))
            await db.execute(text(f"INSERT INTO alembic_version VALUES ('{version}')"))
        if version == "0001":
            with pytest.raises(OutdatedSchemaError, match="0001"):
                await check_schema(database, tmp_path)
        else:
            await check_schema(database, tmp_path)
    await database.close()
