"""The canary's day: a room, in it one client of either account at every gateway; each round a message through each.

A room per day (UTC) keeps rooms small; both leave yesterday's. A day ends with everything settled or judged.
"""

import asyncio
import logging
import time
from collections import Counter
from datetime import UTC, datetime

import aiohttp

from canary.account import Account, RefusedError
from canary.client import PAGE, Client, RoomGoneError
from canary.gateways import Gateways
from canary.ledger import Ledger
from canary.meter import UNKNOWN, Meter
from canary.settings import CanarySettings

log = logging.getLogger(__name__)

NO_ANSWER = (aiohttp.ClientError, TimeoutError, RefusedError)
FIND_ROUNDS = 6
"""What nobody misses is looked for in history once in so many rounds."""


def title_of(day: datetime) -> str:
    return f"canary {day:%Y-%m-%d}"


class Watch:
    def __init__(self, settings: CanarySettings, meter: Meter, gateways: Gateways, accounts: list[Account]) -> None:
        self._settings, self._meter, self._gateways = settings, meter, gateways
        self._accounts = accounts
        self._writer, self._other = accounts
        self._clients: dict[Account, dict[Client, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Sign in once, then one day after the other; raises where the room cannot be made ready."""
        for account in self._accounts:
            await account.sign_in()
            await account.sign_out_elsewhere()
        while True:
            await self._spend_a_day()

    async def _spend_a_day(self) -> None:
        title = title_of(datetime.now(UTC))
        room_id = await self._open_room(title)
        ledger = Ledger(self._meter, self._settings.canary_patience_s)
        self._clients = {account: {} for account in self._accounts}
        try:
            async with asyncio.TaskGroup() as tasks:
                try:
                    await self._go_on(tasks, title, room_id, ledger)
                finally:
                    for client in self._list_clients():
                        self._end(client)
        except* RoomGoneError as gone:
            log.error("the room is gone: %r", gone.exceptions[0])  # noqa: TRY400 - what it was is told
            ledger.forsake()
            await asyncio.sleep(self._settings.canary_seconds)

    async def _go_on(self, tasks: asyncio.TaskGroup, title: str, room_id: str, ledger: Ledger) -> None:
        """One round after the other, until the day has ended and all is settled or judged."""
        rounds = 0
        while title == title_of(datetime.now(UTC)):
            await self._look_around(tasks, room_id, ledger)
            self._write(tasks, ledger)
            await self._look_back(room_id, ledger, find=rounds % FIND_ROUNDS == 0)
            await asyncio.sleep(self._settings.canary_seconds)
            rounds += 1
        await self._settle(room_id, ledger)

    # The room

    async def _open_room(self, title: str) -> str:
        """Today's room, made where it is missing; both leave all other groups, whoever invited them."""
        room_id = ""
        for account in self._accounts:
            for room in (await account.call("GET", "/rooms"))["items"]:
                if room["title"] == title and room_id in {"", room["room_id"]} and await self._is_ours(room["room_id"]):
                    room_id = room["room_id"]
                elif room["kind"] == "group":
                    await account.call("DELETE", f"/rooms/{room['room_id']}/members/me")
        if not room_id:
            body = {"kind": "group", "title": title, "user_ids": [self._other.user_id]}
            room_id = (await self._writer.call("POST", "/rooms", body))["room_id"]
        return room_id

    async def _is_ours(self, room_id: str) -> bool:
        """Both accounts are in it, and nobody else."""
        try:
            room = await self._writer.call("GET", f"/rooms/{room_id}")
        except RefusedError:
            return False
        return {member["user_id"] for member in room["members"]} == {account.user_id for account in self._accounts}

    # Clients

    def _list_clients(self) -> list[Client]:
        return [client for clients in self._clients.values() for client in clients]

    async def _look_around(self, tasks: asyncio.TaskGroup, room_id: str, ledger: Ledger) -> None:
        """Learn which gateways there are, and have one client of either account at each."""
        for gone in await self._gateways.look():
            self._meter.forget(gone)
        for account, clients in self._clients.items():
            for client in clients:
                client.locate()
            while len(clients) < max(1, len(self._gateways.addresses)):
                client = Client(account, self._settings.canary_target, room_id, ledger, self._meter,
                                self._gateways.address_of)  # fmt: skip
                clients[client] = tasks.create_task(client.run())
            if len(clients) > max(1, len(self._gateways.addresses)):
                self._end(self._one_too_many(clients))
            await self._spread(clients)
        for address in self._gateways.addresses:
            self._meter.up.labels(address).set(self._is_up(address))

    async def _spread(self, clients: dict[Client, asyncio.Task[None]]) -> None:
        """One client that is not alone at its gateway tries another, where a living one has none."""
        crowd = Counter(client.gateway for client in clients)
        if UNKNOWN not in crowd and max(crowd.values()) > 1 and self._gateways.living - crowd.keys():
            await self._one_too_many(clients).move()

    def _one_too_many(self, clients: dict[Client, asyncio.Task[None]]) -> Client:
        """One of those at the gateway with the most; not one that waits for an answer, if there is another."""
        crowd = Counter(client.gateway for client in clients)
        return max(clients, key=lambda client: (crowd[client.gateway], not client.is_writing))

    def _is_up(self, address: str) -> bool:
        """Both accounts have a socket there."""
        return all(address in {client.gateway for client in clients} for clients in self._clients.values())

    def _end(self, client: Client) -> None:
        client.stop_writing()
        for clients in self._clients.values():
            if (task := clients.pop(client, None)) is not None:
                task.cancel()

    # Messages

    def _write(self, tasks: asyncio.TaskGroup, ledger: Ledger) -> None:
        for client in self._clients[self._writer]:
            if client.may_write and not ledger.is_full:
                client.write(tasks)

    async def _look_back(self, room_id: str, ledger: Ledger, *, find: bool) -> None:
        late = ledger.look(time.monotonic())
        if not (late or find):
            return
        first, now = ledger.to_find(), time.monotonic()
        if first is None:
            return
        below = first + PAGE
        try:
            page = await self._other.call("GET", f"/rooms/{room_id}/messages", before=below, limit=PAGE)
        except NO_ANSWER as error:
            log.warning("history cannot be read: %r", error)
            return
        ledger.found(page["items"], below, now)

    async def _settle(self, room_id: str, ledger: Ledger) -> None:
        """Write no more, and give what is under way twice its patience."""
        until = time.monotonic() + 2 * self._settings.canary_patience_s
        while not ledger.is_settled and time.monotonic() < until:
            await asyncio.sleep(self._settings.canary_seconds)
            await self._look_back(room_id, ledger, find=True)
