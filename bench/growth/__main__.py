"""`python -m bench.growth`: what a message and a page cost on MySQL as rooms and histories grow.

`TEST_MYSQL_URL` names the server, which does nothing else meanwhile: `mysql://root:password@host:port`.
"""

import argparse
import asyncio
import os
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
from pymysql.cursors import Cursor
from sqlalchemy import URL, make_url

from bench.growth import fill
from bench.growth.measure import Meter, rooms_on
from bench.growth.report import written
from rooms.settings import RoomsSettings

REPORT = Path(__file__).parents[1] / "report"
FULL = {"rooms": [1_000, 100_000, 1_000_000], "messages": 1_000_000, "times": 400}
QUICK: dict[str, Any] = {"rooms": [100, 200, 400], "messages": 30_000, "times": 12}


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    options.add_argument("--quick", action="store_true", help="a few seconds, for figures that mean nothing")
    options.add_argument("--report", type=Path, default=REPORT, help="folder for the report")
    chosen = options.parse_args()
    if "TEST_MYSQL_URL" not in os.environ:
        sys.exit("TEST_MYSQL_URL names no MySQL: mysql://root:password@host:port")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="webchat-growth-") as folder, _schema() as (url, server):
        found = asyncio.run(_run(url, server, Path(folder), **(QUICK if chosen.quick else FULL)))
        machine = _machine(server, time.monotonic() - began, quick=chosen.quick)
    chosen.report.mkdir(parents=True, exist_ok=True)
    (chosen.report / "growth.md").write_text(written(machine, found))


@contextmanager
def _schema() -> Iterator[tuple[URL, "pymysql.Connection[Cursor]"]]:
    """A new one, dropped at the end, and a connection that counts the server's CPU."""
    url, name = make_url(os.environ["TEST_MYSQL_URL"]), f"g{secrets.token_hex(4)}"
    with pymysql.connect(
        host=url.host or "127.0.0.1", port=url.port or 3306, user=url.username, password=url.password or ""
    ) as server:
        with server.cursor() as cursor:
            cursor.execute(
                "UPDATE performance_schema.setup_consumers SET enabled = 'YES' WHERE name = 'events_statements_cpu'"
            )
            cursor.execute(f"CREATE DATABASE {name}_rooms")
            cursor.execute(f"USE {name}_rooms")
        try:
            yield url.set(database=name), server
        finally:
            with server.cursor() as cursor:
                cursor.execute(f"DROP DATABASE {name}_rooms")


async def _run(
    url: URL, server: "pymysql.Connection[Cursor]", folder: Path, rooms: list[int], messages: int, times: int
) -> dict[str, Any]:
    given: dict[str, Any] = {
        "_env_file": None, "service_secret": secrets.token_hex(), "webchat_data": folder, "db_name": url.database,
        "db_host": url.host, "db_port": url.port or 3306, "db_username": url.username,
        "db_password": url.password or "",
    }  # fmt: skip
    settings = RoomsSettings(**given)
    found: dict[str, Any] = {"rooms": {}}
    async with rooms_on(settings, folder) as deps:
        meter = Meter(deps, server, times)
        await asyncio.to_thread(fill.prepare, server)
        there = 0
        for count in rooms:
            await _filled(server, fill.add_rooms, there + 1, count)
            there, everyone = count, range(1, count + 1)
            found["rooms"][f"{count:,}"] = figures = await meter.by_rooms(everyone)
            print(f"{count} rooms: {figures['a send']}", flush=True)
        active = random.sample(everyone, rooms[0])
        found["rooms"][f"{count:,}, {rooms[0]:,} of them active"] = await meter.by_rooms(active)
        found["size"] = _size(server)
        await _filled(server, fill.add_history, messages)
        found["messages"], found["depth"] = messages, await meter.by_depth(messages)
    return found


async def _filled(server: "pymysql.Connection[Cursor]", work: Any, *arguments: int) -> None:
    """Without a flush for each commit, and with the statistics that the server comes to have by itself."""
    with server.cursor() as cursor:
        cursor.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 2")
        await asyncio.to_thread(work, server, *arguments)
        cursor.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
        cursor.execute("ANALYZE TABLE room, member, message, room_event")


def _size(server: "pymysql.Connection[Cursor]") -> float:
    """Gigabytes of tables and indexes."""
    with server.cursor() as cursor:
        cursor.execute(
            "SELECT SUM(data_length + index_length) FROM information_schema.tables WHERE table_schema = DATABASE()"
        )
        row = cursor.fetchone()
    assert row
    return float(row[0]) / 1e9


def _machine(server: "pymysql.Connection[Cursor]", seconds: float, *, quick: bool) -> str:
    with server.cursor() as cursor:
        cursor.execute("SELECT VERSION(), @@innodb_buffer_pool_size >> 20")
        version, pool = cursor.fetchone() or ("", "")
    what = "A quick run: its figures mean nothing. " if quick else ""
    load = f"{os.cpu_count()} cores, load {os.getloadavg()[1]:.0f}"
    return f"{what}MySQL {version}, buffer pool {pool} MiB, {load}; {seconds:.0f} s in all."


if __name__ == "__main__":
    main()
