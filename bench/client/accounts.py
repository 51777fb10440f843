"""Accounts and rooms for the scenes, created over the public API."""

import asyncio
import itertools
from dataclasses import dataclass

from bench.client.http_client import HttpClient
from bench.client.socket import Client

PASSWORD = "correct horse battery"  # noqa: S105 - for accounts in a temporary folder
SOCKETS_PER_USER = 20
OPENED_AT_ONCE = 16
SIGNED_UP_AT_ONCE = 8
_names = itertools.count(1)


@dataclass(frozen=True)
class Account:
    http: HttpClient
    user_id: str
    login: str

    @property
    def cookie(self) -> str:
        return self.http.cookie


async def sign_up(port: int, count: int) -> list[Account]:
    """Sign up accounts, a few at a time: auth answers 503 to requests that would wait too long for a password hash."""
    limit = asyncio.Semaphore(SIGNED_UP_AT_ONCE)
    return list(await asyncio.gather(*(_sign_up(port, limit) for _ in range(count))))


async def _sign_up(port: int, limit: asyncio.Semaphore) -> Account:
    name = f"bench_{next(_names)}"
    http = HttpClient(port)
    body = {"email": f"{name}@example.com", "password": PASSWORD, "webchat_id": name, "display_name": name}
    async with limit:
        user = await http.json("POST", "/api/auth/signup", body, expected=201)
    return Account(http, user["user_id"], name)


async def open_group(owner: Account, others: list[Account], title: str) -> str:
    body = {"kind": "group", "title": title, "user_ids": [account.user_id for account in others]}
    room = await owner.http.json("POST", "/api/rooms", body, expected=201)
    return str(room["room_id"])


async def join_all(port: int, accounts: list[Account], count: int) -> list[Client]:
    """Open `count` sockets, spread over the accounts, a few at a time."""
    if count > SOCKETS_PER_USER * len(accounts):
        raise ValueError("more sockets than the accounts may have")
    limit = asyncio.Semaphore(OPENED_AT_ONCE)

    async def join(account: Account) -> Client:
        async with limit:
            return await Client.join(port, account.cookie)

    return list(await asyncio.gather(*(join(accounts[index % len(accounts)]) for index in range(count))))
