"""Accounts and rooms for the scenes, created over the public API."""

import asyncio
import itertools
from dataclasses import dataclass

from bench.client.http_client import HttpClient
from bench.client.socket import Client, encode

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

    async def sign_up_next() -> Account:
        async with limit:
            return await sign_up_one(port)

    return list(await asyncio.gather(*(sign_up_next() for _ in range(count))))


async def sign_up_one(port: int, address: str | None = None) -> Account:
    name = f"bench_{next(_names)}"
    http = HttpClient(port, address=address)
    body = {"email": f"{name}@example.com", "password": PASSWORD, "webchat_id": name, "display_name": name}
    user = await http.json("POST", "/api/auth/signup", body, expected=201)
    return Account(http, user["user_id"], name)


def sign_in_request(login: str, password: str = PASSWORD) -> tuple[str, str, bytes]:
    """Return method, path and body."""
    return "POST", "/api/auth/login", encode({"login": login, "password": password})


async def sign_in(http: HttpClient, login: str) -> None:
    status, answer = await http.call(*sign_in_request(login))
    if status != 200:
        raise RuntimeError(f"signing in answered {status}: {answer[:300]!r}")


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
