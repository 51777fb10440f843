"""`python -m bench.growth`: measure the cost of a message and a page on MySQL as rooms and histories grow.

`TEST_MYSQL_URL` names the server, which must be otherwise idle: `mysql://root:password@host:port`.
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
from bench.growth.measure import CostMeter, rooms_on
from bench.growth.report import render
from rooms.settings import RoomsSettings

REPORT = Path(__file__).parents[1] / "report"
FULL = {"rooms": [1_000, 100_000, 1_000_000], "messages": 1_000_000, "times": 400}
QUICK: dict[str, Any] = {"rooms": [100, 200, 400], "messages": 30_000, "times": 12}


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    options.add_argument("--quick", action="store_true", help="take a few seconds; the figures mean nothing")
    options.add_argument("--report", type=Path, default=REPORT, help="folder for the report")
    chosen = options.parse_args()
    if "TEST_MYSQL_URL" not in os.environ:
        sys.exit("set TEST_MYSQL_URL to a MySQL server: mysql://root:password@host:port")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="webchat-growth-") as folder, _schema() as (url, server):
        found = asyncio.run(_run(url, server, Path(folder), **(QUICK if chosen.quick else FULL)))
        machine = _machine(server, time.monotonic() - began, quick=chosen.quick)
    chosen.report.mkdir(parents=True, exist_ok=True)
    (chosen.report / "growth.md").write_text(render(machine, found))


@contextmanager
def _schema() -> Iterator[tuple[URL, "pymysql.Connection[Cursor]"]]:
    """Create a schema, dropped at the end, and a connection to a server that counts CPU per statement."""
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
        costs = CostMeter(deps, server, times)
        await asyncio.to_thread(fill.prepare, server)
        there = 0
        for count in rooms:
            await _filled(server, fill.add_rooms, there + 1, count)
            there, everyone = count, range(1, count + 1)
            found["rooms"][f"{count:,}"] = figures = await costs.by_rooms(everyone)
            print(f"{count} rooms: {figures['a send']}", flush=True)
        active = random.sample(everyone, rooms[0])
        found["rooms"][f"{count:,}, {rooms[0]:,} of them active"] = await costs.by_rooms(active)
        found["size"] = _size(server)
        await _filled(server, fill.add_history, messages)
        found["messages"], found["depth"] = messages, await costs.by_depth(messages)
    return found


async def _filled(server: "pymysql.Connection[Cursor]", work: Any, *arguments: int) -> None:
    """Fill tables without a flush per commit, then update the statistics, as the server does itself over time."""
    with server.cursor() as cursor:
        cursor.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 2")
        await asyncio.to_thread(work, server, *arguments)
        cursor.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
        cursor.execute("ANALYZE TABLE room, member, message, room_event")


def _size(server: "pymysql.Connection[Cursor]") -> float:
    """Return the size of tables and indexes in gigabytes."""
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
    return f"{what}MySQL {version}, buffer pool {pool} MiB, {load}; {seconds:.0f} s in total."


if __name__ == "__main__":
    main()
