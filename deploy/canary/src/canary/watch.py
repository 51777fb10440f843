"""The canary's day: a room, in it one client of either account at every gateway; each round a message through each.

A room per day (UTC) keeps rooms small; both leave yesterday's. A day ends with everything settled or judged.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import product

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


def title_today() -> str:
    return f"canary {datetime.now(UTC):%Y-%m-%d}"


class Watch:
    def __init__(
        self,
        settings: CanarySettings,
        meter: Meter,
        gateways: Gateways,
        accounts: list[Account],
        today: Callable[[], str] = title_today,
    ) -> None:
        self._settings, self._meter, self._gateways = settings, meter, gateways
        self._accounts, self._today = accounts, today
        self._writer, self._other = accounts
        self._clients: dict[Client, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Sign in once, then one day after the other; raises where the room cannot be made ready."""
        for account in self._accounts:
            await account.sign_in()
            await account.sign_out_elsewhere()
        while True:
            await self._spend_a_day()

    async def _spend_a_day(self) -> None:
        title = self._today()
        room_id = await self._open_room(title)
        ledger = Ledger(self._meter, self._settings.canary_patience_s)
        try:
            async with asyncio.TaskGroup() as tasks:
                try:
                    await self._go_on(tasks, title, room_id, ledger)
                finally:
                    for client in list(self._clients):
                        self._end(client)
        except* RoomGoneError as gone:
            log.error("the room is gone: %r", gone.exceptions[0])  # noqa: TRY400 - what it was is told
            ledger.forsake()
            await asyncio.sleep(self._settings.canary_seconds)

    async def _go_on(self, tasks: asyncio.TaskGroup, title: str, room_id: str, ledger: Ledger) -> None:
        """One round after the other, until the day has ended and all is settled or judged."""
        rounds = 0
        while title == self._today():
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

    async def _look_around(self, tasks: asyncio.TaskGroup, room_id: str, ledger: Ledger) -> None:
        """Learn which gateways there are, and have one client of either account at each."""
        for gone in await self._gateways.look():
            self._meter.forget(gone)
        homes = self._gateways.addresses or [UNKNOWN]
        for client in [client for client in self._clients if client.home not in homes]:
            self._end(client)
        for account, home in product(self._accounts, homes):
            if not any(client.account is account and client.home == home for client in self._clients):
                client = Client(account, self._settings.canary_target, room_id, ledger, self._meter,
                                self._gateways, home)  # fmt: skip
                self._clients[client] = tasks.create_task(client.run())
        for client in self._clients:
            await client.go_home()
        for address in self._gateways.addresses:
            at_home = (client.gateway == address for client in self._clients if client.home == address)
            self._meter.up.labels(address).set(all(at_home))

    def _end(self, client: Client) -> None:
        client.stop_writing()
        self._clients.pop(client).cancel()

    # Messages

    def _write(self, tasks: asyncio.TaskGroup, ledger: Ledger) -> None:
        for client in self._clients:
            if client.account is self._writer and client.may_write and not ledger.is_full:
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
