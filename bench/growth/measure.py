"""Measures what a send, a page or a search costs MySQL: CPU time, buffer pool reads, disk reads, duration."""

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pymysql
from pymysql.cursors import Cursor

from bench.growth.fill import BEGAN, DEEP, PEOPLE, room_id, user_id
from bench.tally import BODY
from rooms.main import MIGRATIONS
from rooms.service.dependencies import Dependencies, create_dependencies
from rooms.service.pipeline import commands
from rooms.service.queries import reading, room_lists, searching
from rooms.settings import RoomsSettings
from shared.contracts.rooms import Accepted, PageChoice, SendMessage
from shared.database.engine import Database
from shared.database.migrations import migrate
from shared.ids import new_id
from shared.redis.client import connect_redis
from shared.rpc.client import Peer, ServiceTokens, http_client
from shared.testing.servers import valkey
from shared.web.cursors import cursor_of

Figures = dict[str, float]
BATCH = 64
ACTIVE = 1_000
_STATUS = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Innodb_buffer_pool_read_requests', 'Innodb_buffer_pool_reads')"
_CPU = "SELECT SUM(sum_cpu_time) FROM performance_schema.events_statements_summary_global_by_event_name"


@asynccontextmanager
async def rooms_on(settings: RoomsSettings, folder: Path) -> AsyncIterator[Dependencies]:
    """Open rooms without its background tasks, so that only the measured requests are counted."""
    async with AsyncExitStack() as stack:
        port = stack.enter_context(valkey(folder))
        settings = settings.model_copy(update={"redis_endpoint": [f"127.0.0.1:{port}"]})
        database = Database(settings.database_url)
        stack.push_async_callback(database.close)
        redis = connect_redis(settings)
        stack.push_async_callback(redis.aclose)
        client = await stack.enter_async_context(http_client())
        await migrate(database, MIGRATIONS)
        tokens = ServiceTokens(client, settings)
        auth, media = (Peer(client, tokens, name, settings.auth_url) for name in ("auth", "media"))
        deps = create_dependencies(settings, database, redis, auth=auth, media=media)
        await deps.publisher.open()
        yield deps


class CostMeter:
    """Measures operations, each `times` times."""

    def __init__(self, deps: Dependencies, server: "pymysql.Connection[Cursor]", times: int) -> None:
        self._deps, self._server, self._times = deps, server, times

    async def by_rooms(self, rooms: Sequence[int]) -> dict[str, Figures]:
        """Measure in rooms chosen at random. A few rooms are first loaded into the buffer pool."""
        for start in range(0, len(rooms) if len(rooms) <= ACTIVE else 0, BATCH):
            await self._send(list(rooms[start : start + BATCH]))

        async def send() -> None:
            await self._send([random.choice(rooms)])

        async def send_batch() -> None:
            await self._send(random.sample(rooms, BATCH))

        async def page() -> None:
            k = random.choice(rooms)
            await reading.get_page(self._deps, room_id(k), user_id(k, 0), PageChoice())

        async def room_list() -> None:
            await room_lists.list_room_lists(self._deps, {user_id(random.choice(rooms), 0): None})

        return {
            "a page": await self._cost(page),
            "a list of rooms": await self._cost(room_list),
            "a send": await self._cost(send),
            f"a send among {BATCH}": await self._cost(send_batch, share=BATCH),
        }

    async def by_depth(self, count: int) -> dict[str, Figures]:
        """Measure in the room with `count` messages."""

        def at(choice: Callable[[], PageChoice]) -> Callable[[], Awaitable[None]]:
            async def page() -> None:
                found = await reading.get_page(self._deps, room_id(DEEP), user_id(1, 0), choice())
                assert len(found.messages) == choice().limit

            return page

        def search(cursor: str | None) -> Callable[[], Awaitable[None]]:
            async def find() -> None:
                await searching.search(self._deps, user_id(1, 0), "nowhere to be found", room_id(DEEP), cursor)

            return find

        async def send() -> None:
            await self._send([DEEP])

        return {
            "a page, newest": await self._cost(at(PageChoice)),
            "a page, middle": await self._cost(at(lambda: PageChoice(before=count // 2 + random.randint(0, 9999)))),
            "a page, oldest": await self._cost(at(lambda: PageChoice(before=51 + random.randint(0, 99)))),
            "a page, by time": await self._cost(at(lambda: PageChoice(at=_moment(count)))),
            "a search, newest": await self._cost(search(None), seldom=10),
            "a search, middle": await self._cost(search(_cursor_after(count // 2)), seldom=10),
            "a send": await self._cost(send),
        }

    async def _send(self, rooms: list[int]) -> None:
        batch = [self._message(k) for k in rooms]
        done = await commands.execute(self._deps, list(batch), time.monotonic() + 60)
        assert all(isinstance(one, Accepted) for one in done.results), done.results

    def _message(self, k: int) -> SendMessage:
        user = user_id(max(k, 1), random.randrange(PEOPLE))
        return SendMessage(command_id=new_id(), room_id=room_id(k), user_id=user, body=BODY, client_id=new_id())

    async def _cost(self, once: Callable[[], Awaitable[None]], *, share: int = 1, seldom: int = 1) -> Figures:
        """Measure an operation. Divide by `share` parts. `seldom` reduces how often a slow one is measured."""
        times = max(3, self._times // share // seldom)
        for _ in range(times // 2):
            await once()
        before, took = self._counters(), []
        for _ in range(times):
            began = time.perf_counter()
            await once()
            took.append(time.perf_counter() - began)
        used = {name: (value - before[name]) / times / share for name, value in self._counters().items()}
        return used | {"p50_ms": median(took) * 1000 / share}

    def _counters(self) -> dict[str, float]:
        with self._server.cursor() as cursor:
            cursor.execute(_CPU)
            cpu = cursor.fetchone()
            cursor.execute(_STATUS)
            status: dict[str, Any] = dict(cursor.fetchall())
        assert cpu
        return {
            "cpu_ms": float(cpu[0]) / 1e9,
            "pages": float(status["Innodb_buffer_pool_read_requests"]),
            "from_disk": float(status["Innodb_buffer_pool_reads"]),
        }


def _moment(count: int) -> int:
    return BEGAN + random.randint(1, count // 2)


def _cursor_after(seq: int) -> str:
    """Return a search cursor after this message of the long history."""
    return cursor_of([BEGAN + seq, room_id(DEEP), seq])
