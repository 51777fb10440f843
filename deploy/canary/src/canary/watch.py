"""The canary's loop: in a room, one client of each account per gateway; every round sends one message through each.

It uses a room per day (UTC), so that rooms stay small, and leaves yesterday's. A day ends when every message is settled
or counted as lost or late.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import product

import aiohttp

from canary.account import Account, RequestError
from canary.client import PAGE, Client, RoomGoneError
from canary.gateways import Gateways
from canary.ledger import Ledger
from canary.metrics import UNKNOWN, CanaryMetrics
from canary.settings import CanarySettings

log = logging.getLogger(__name__)

NO_ANSWER = (aiohttp.ClientError, TimeoutError, RequestError)
FIND_ROUNDS = 6
"""Messages that are not late are verified in history once in this many rounds."""


def title_today() -> str:
    return f"canary {datetime.now(UTC):%Y-%m-%d}"


class Watch:
    def __init__(
        self,
        settings: CanarySettings,
        metrics: CanaryMetrics,
        gateways: Gateways,
        accounts: list[Account],
        today: Callable[[], str] = title_today,
    ) -> None:
        self._settings, self._metrics, self._gateways = settings, metrics, gateways
        self._accounts, self._today = accounts, today
        self._writer, self._other = accounts
        self._clients: dict[Client, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Sign in, then run one day after the other. Raises if the room cannot be opened."""
        for account in self._accounts:
            await account.sign_in()
            await account.sign_out_elsewhere()
        while True:
            await self._run_day()

    async def _run_day(self) -> None:
        title = self._today()
        room_id = await self._open_room(title)
        ledger = Ledger(self._metrics, self._settings.canary_patience_s)
        try:
            async with asyncio.TaskGroup() as tasks:
                try:
                    await self._run_rounds(tasks, title, room_id, ledger)
                finally:
                    for client in list(self._clients):
                        self._end(client)
        except* RoomGoneError as gone:
            log.error("the room is gone: %r", gone.exceptions[0])  # noqa: TRY400 - the exception is in the text
            ledger.room_gone()
            await asyncio.sleep(self._settings.canary_seconds)

    async def _run_rounds(self, tasks: asyncio.TaskGroup, title: str, room_id: str, ledger: Ledger) -> None:
        """Run rounds until the day has ended, then settle the remaining messages."""
        rounds = 0
        while title == self._today():
            await self._update_clients(tasks, room_id, ledger)
            self._write(tasks, ledger)
            await self._check_history(room_id, ledger, find=rounds % FIND_ROUNDS == 0)
            await asyncio.sleep(self._settings.canary_seconds)
            rounds += 1
        await self._settle(room_id, ledger)

    # The room

    async def _open_room(self, title: str) -> str:
        """Return the ID of today's room, creating it if needed. Both accounts leave all other groups."""
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
        """Return whether both accounts are members, and nobody else."""
        try:
            room = await self._writer.call("GET", f"/rooms/{room_id}")
        except RequestError:
            return False
        return {member["user_id"] for member in room["members"]} == {account.user_id for account in self._accounts}

    # Clients

    async def _update_clients(self, tasks: asyncio.TaskGroup, room_id: str, ledger: Ledger) -> None:
        """Discover the gateways, and keep one client of each account per gateway."""
        for gone in await self._gateways.refresh():
            self._metrics.forget(gone)
        assignments = self._gateways.addresses or [UNKNOWN]
        for client in [client for client in self._clients if client.assigned not in assignments]:
            self._end(client)
        for account, assigned in product(self._accounts, assignments):
            if not any(client.account is account and client.assigned == assigned for client in self._clients):
                client = Client(account, self._settings.canary_target, room_id, ledger, self._metrics,
                                self._gateways, assigned)  # fmt: skip
                self._clients[client] = tasks.create_task(client.run())
        for client in self._clients:
            await client.return_to_assigned()
        for address in self._gateways.addresses:
            connected = (client.gateway == address for client in self._clients if client.assigned == address)
            self._metrics.up.labels(address).set(all(connected))

    def _end(self, client: Client) -> None:
        client.stop_writing()
        self._clients.pop(client).cancel()

    # Messages

    def _write(self, tasks: asyncio.TaskGroup, ledger: Ledger) -> None:
        for client in self._clients:
            if client.account is self._writer and client.may_write and not ledger.is_full:
                client.write(tasks)

    async def _check_history(self, room_id: str, ledger: Ledger, *, find: bool) -> None:
        late = ledger.check_deadlines(time.monotonic())
        if not (late or find):
            return
        first, now = ledger.lowest_unverified(), time.monotonic()
        if first is None:
            return
        below = first + PAGE
        try:
            page = await self._other.call("GET", f"/rooms/{room_id}/messages", before=below, limit=PAGE)
        except NO_ANSWER as error:
            log.warning("could not load the history: %r", error)
            return
        ledger.verify(page["items"], below, now)

    async def _settle(self, room_id: str, ledger: Ledger) -> None:
        """Stop writing, and wait up to twice the patience for open messages."""
        until = time.monotonic() + 2 * self._settings.canary_patience_s
        while not ledger.is_settled and time.monotonic() < until:
            await asyncio.sleep(self._settings.canary_seconds)
            await self._check_history(room_id, ledger, find=True)
