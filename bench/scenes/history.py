"""Pages of 50 messages: the newest one, and pages at random depths of a large room; over HTTP and over the socket.

Over HTTP every page comes from the database, and nginx authenticates each request; a socket is authenticated once.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from bench.client.accounts import Account, open_group
from bench.client.http_client import HttpClient, repeat
from bench.client.socket import Client
from bench.server.fill import fill_baseline, fill_webchat
from bench.server.stack import Server

CALLERS = 16
PAGE = 50


async def webchat(server: Server, accounts: list[Account], messages: int, seconds: float) -> dict[str, Any]:
    room_id = await open_group(accounts[0], accounts[1:3], "a long history")
    await asyncio.to_thread(fill_webchat, server, room_id, [account.user_id for account in accounts[:3]], messages)
    path = f"/api/rooms/{room_id}/messages?limit={PAGE}"
    cookie = accounts[0].cookie
    newest = await _pages(server, "rooms", cookie, lambda: path, seconds)
    deep = await _pages(server, "rooms", cookie, lambda: f"{path}&before={random.randint(PAGE + 1, messages)}", seconds)
    socket = await _over_sockets(server, accounts, room_id, messages, seconds)
    return {"messages": messages, "newest": newest, "deep": deep} | socket


async def baseline(server: Server, messages: int, seconds: float) -> dict[str, Any]:
    await asyncio.to_thread(fill_baseline, server.data / "chat.db", "long", messages)
    path = f"/rooms/long/messages?limit={PAGE}"
    newest = await _pages(server, "baseline", "", lambda: path, seconds)
    deep = await _pages(server, "baseline", "", lambda: f"{path}&offset={random.randint(0, messages - PAGE)}", seconds)
    return {"messages": messages, "newest": newest, "deep": deep}


async def _pages(server: Server, owner: str, cookie: str, path: Callable[[], str], seconds: float) -> dict[str, Any]:
    """Measure pages over HTTP. `owner` is the process that reads the database."""
    connections = [HttpClient(server.port, cookie) for _ in range(CALLERS)]

    async def once(caller: int) -> None:
        status, page = await connections[caller].call("GET", path())
        if status != 200 or page.count(b'"body":"') != PAGE:
            raise RuntimeError(f"a page answered {status}: {page[:200]!r}")

    figures = await _measure(server, owner, once, seconds)
    for web in connections:
        web.close()
    return figures


async def _over_sockets(
    server: Server, accounts: list[Account], room_id: str, messages: int, seconds: float
) -> dict[str, Any]:
    clients = [await Client.join(server.port, accounts[0].cookie) for _ in range(CALLERS)]
    ask = {"op": "message.list", "id": "1", "room_id": room_id, "limit": PAGE}

    async def once(caller: int, **where: int) -> None:
        page = await clients[caller].ask(ask | where)
        if page.count(b'"body":"') != PAGE:
            raise RuntimeError(f"a page was answered with {page[:200]!r}")

    async def deeper(caller: int) -> None:
        await once(caller, before=random.randint(PAGE + 1, messages))

    newest = await _measure(server, "rooms", once, seconds)
    deep = await _measure(server, "rooms", deeper, seconds)
    for client in clients:
        client.socket.close()
    return {"socket_newest": newest, "socket_deep": deep}


async def _measure(
    server: Server, owner: str, once: Callable[[int], Awaitable[object]], seconds: float
) -> dict[str, Any]:
    await once(0)
    before = server.usage()
    done, took = await repeat(seconds, CALLERS, once)
    used = server.usage().since(before)
    return {
        "pages_per_s": done / took,
        "owner_cpu_ms_per_page": used.cpu_of(owner) / max(1, done) * 1000,
        "all_cpu_ms_per_page": used.cpu_of() / max(1, done) * 1000,
        "cpu_s": used.cpu,
    }
