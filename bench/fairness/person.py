"""An ordinary person: an account with an address, two sockets and two browsers."""

import asyncio
import io
import os
from dataclasses import dataclass, field

from PIL import Image

from bench.client.accounts import Account, sign_in, sign_up_one
from bench.client.http_client import HttpClient
from bench.client.socket import Client


@dataclass
class Person:
    account: Account
    address: str
    chat: Client
    reader: Client
    """A second socket, for pages."""
    second_browser: HttpClient
    """One that signs in again and again. It keeps its cookies, so it is a known browser."""
    room_id: str = ""
    browsers: dict[str, HttpClient] = field(default_factory=dict)
    """A connection for each action, because a connection has one request at a time."""
    locks: dict[str, asyncio.Lock] = field(default_factory=dict)


async def sign_up_person(port: int, address: str) -> Person:
    account = await sign_up_one(port, address)
    chat, reader = [await Client.join(port, account.cookie, address) for _ in range(2)]
    second_browser = HttpClient(port, address=address)
    await sign_in(second_browser, account.login)
    return Person(account, address, chat, reader, second_browser)


def draw_picture() -> bytes:
    """Return a small picture that is different each time."""
    file = io.BytesIO()
    Image.frombytes("RGB", (64, 64), os.urandom(64 * 64 * 3)).save(file, "PNG")
    return file.getvalue()
