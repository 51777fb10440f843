"""The chats under load with one interface: sockets in rooms, and the frame that sends a message."""

import asyncio
import random
from typing import Protocol

from bench.client import socketio
from bench.client.accounts import OPENED_AT_ONCE, Account, join_all, open_group
from bench.client.socket import Socket, connect
from bench.server.stack import Server
from bench.tally import body_of, client_id_of

MEMBERS = 3


class Chat(Protocol):
    """A chat under load. `gateway` is the prefix of the names of the processes that write to sockets."""

    server: Server
    gateway: str

    async def one_room(self, sockets: int) -> tuple[str, list[Socket]]:
        """Open a room with this number of sockets of its members."""

    async def small_rooms(self, count: int) -> list[tuple[str, list[Socket]]]:
        """Open rooms of three members, with the socket of each."""

    def message(self, room_id: str, index: int) -> object:
        """Return the frame that sends message `index`."""


def draw_members(users: int, count: int) -> list[list[int]]:
    """Return the members of `count` rooms, the same for every chat."""
    chosen = random.Random(count)
    return [chosen.sample(range(users), MEMBERS) for _ in range(count)]


class WebChat:
    """One socket per user serves all rooms of the user."""

    gateway = "chat-gateway"

    def __init__(self, server: Server, accounts: list[Account]) -> None:
        self.server, self.accounts = server, accounts

    async def one_room(self, sockets: int) -> tuple[str, list[Socket]]:
        accounts = self.accounts[: max(2, -(-sockets // 20))]
        room_id = await open_group(accounts[0], accounts[1:], f"{sockets} receivers")
        return room_id, [client.socket for client in await join_all(self.server.port, accounts, sockets)]

    async def small_rooms(self, count: int) -> list[tuple[str, list[Socket]]]:
        members = draw_members(len(self.accounts), count)
        rooms = []
        for number, (owner, *others) in enumerate(members):
            accounts = [self.accounts[other] for other in others]
            rooms.append(await open_group(self.accounts[owner], accounts, f"room {number}"))
        sockets = [client.socket for client in await join_all(self.server.port, self.accounts, len(self.accounts))]
        return [(room, [sockets[one] for one in three]) for room, three in zip(rooms, members, strict=True)]

    def message(self, room_id: str, index: int) -> object:
        client_id = client_id_of(index)
        text = {"room_id": room_id, "body": body_of(index), "client_id": client_id}
        return {"op": "message.send", "id": str(index), **text}


class Tutorial:
    """The baseline: a socket per member and room, without authentication."""

    gateway = "baseline"

    def __init__(self, server: Server) -> None:
        self.server = server

    async def one_room(self, sockets: int) -> tuple[str, list[Socket]]:
        return "hall", [await connect(self.server.port, f"/ws/hall/user{number}") for number in range(sockets)]

    async def small_rooms(self, count: int) -> list[tuple[str, list[Socket]]]:
        return [
            (f"room{number}", [await connect(self.server.port, f"/ws/room{number}/user{n}") for n in range(MEMBERS)])
            for number in range(count)
        ]

    def message(self, room_id: str, index: int) -> object:
        return {"room_id": room_id, "body": body_of(index)}


class SocketIo:
    """socket.io: one socket per user, in all rooms of the user, without authentication."""

    gateway = "socketio"

    def __init__(self, server: Server, users: int) -> None:
        self.server, self.users = server, users

    async def one_room(self, sockets: int) -> tuple[str, list[Socket]]:
        return "hall", await self._join([["hall"]] * sockets)

    async def small_rooms(self, count: int) -> list[tuple[str, list[Socket]]]:
        members = draw_members(self.users, count)
        room_ids: list[list[str]] = [[] for _ in range(self.users)]
        for number, three in enumerate(members):
            for user in three:
                room_ids[user].append(f"room{number}")
        sockets = await self._join(room_ids)
        return [(f"room{number}", [sockets[user] for user in three]) for number, three in enumerate(members)]

    def message(self, room_id: str, index: int) -> object:
        return socketio.Event("message", {"room_id": room_id, "body": body_of(index)}, index)

    async def _join(self, room_ids: list[list[str]]) -> list[Socket]:
        limit = asyncio.Semaphore(OPENED_AT_ONCE)

        async def join(own: list[str]) -> Socket:
            async with limit:
                return await socketio.join(self.server.port, own)

        return list(await asyncio.gather(*map(join, room_ids)))
