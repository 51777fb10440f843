"""The two chats under load, behind one face: sockets in rooms, and the frame that says something."""

import random
from typing import Protocol

from bench.client.people import Person, join_all, open_group
from bench.client.wire import Wire, connect
from bench.server.stack import Server
from bench.tally import body_of, client_id_of

MEMBERS = 3


class Chat(Protocol):
    """`gateway` begins the names of the processes that write to sockets."""

    server: Server
    gateway: str

    async def one_room(self, sockets: int) -> tuple[str, list[Wire]]:
        """A room and so many sockets of its members."""

    async def small_rooms(self, count: int) -> list[tuple[str, list[Wire]]]:
        """Rooms of three, with the socket of each member."""

    def message(self, room_id: str, index: int) -> object:
        """The frame that sends message `index`."""


class WebChat:
    """One socket per user serves all rooms of the user."""

    gateway = "chat-gateway"

    def __init__(self, server: Server, people: list[Person]) -> None:
        self.server, self.people = server, people

    async def one_room(self, sockets: int) -> tuple[str, list[Wire]]:
        people = self.people[: max(2, -(-sockets // 20))]
        room_id = await open_group(people[0], people[1:], f"{sockets} receivers")
        return room_id, [talker.wire for talker in await join_all(self.server.port, people, sockets)]

    async def small_rooms(self, count: int) -> list[tuple[str, list[Wire]]]:
        chosen = random.Random(count)
        members = [chosen.sample(range(len(self.people)), MEMBERS) for _ in range(count)]
        rooms = []
        for number, (owner, *others) in enumerate(members):
            people = [self.people[other] for other in others]
            rooms.append(await open_group(self.people[owner], people, f"room {number}"))
        wires = [talker.wire for talker in await join_all(self.server.port, self.people, len(self.people))]
        return [(room, [wires[one] for one in three]) for room, three in zip(rooms, members, strict=True)]

    def message(self, room_id: str, index: int) -> object:
        client_id = client_id_of(index)
        text = {"room_id": room_id, "body": body_of(index), "client_id": client_id}
        return {"op": "message.send", "id": str(index), **text}


class Tutorial:
    """The baseline: a socket per member and room, nobody asks who it is."""

    gateway = "baseline"

    def __init__(self, server: Server) -> None:
        self.server = server

    async def one_room(self, sockets: int) -> tuple[str, list[Wire]]:
        return "hall", [await connect(self.server.port, f"/ws/hall/user{number}") for number in range(sockets)]

    async def small_rooms(self, count: int) -> list[tuple[str, list[Wire]]]:
        return [
            (f"room{number}", [await connect(self.server.port, f"/ws/room{number}/user{n}") for n in range(MEMBERS)])
            for number in range(count)
        ]

    def message(self, room_id: str, index: int) -> object:
        return {"room_id": room_id, "body": body_of(index)}
