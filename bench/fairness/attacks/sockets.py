"""Attacks over sockets: floods beyond the rates, and costly operations at the rates."""

import asyncio
import random

from bench.client.socket import Socket, encode, masked
from bench.fairness.attacks.attack import Attack
from bench.tally import body_of, client_id_of

RATE = 20.0
"""Frames a second that a socket may send for any time."""
MANY = 2_000
"""Frames in one write of a flood."""
BIG = 7 << 20
FOREIGN = 99_000_000
"""The first number of the attacker's messages, which no tally of ordinary people counts."""


async def control_frames(attack: Attack) -> None:
    await attack.flood(masked(b"", 9) * MANY, MANY)


async def fragments(attack: Attack) -> None:
    """Send one message of endless empty fragments: frames without FIN, of which only the first is a text."""
    text, more = bytearray(masked(b"")), bytearray(masked(b"", 0))
    text[0] &= 0x7F
    more[0] &= 0x7F
    await attack.flood(bytes(more) * MANY, MANY, first=bytes(text))


async def small_operations(attack: Attack) -> None:
    await attack.flood(masked(b'{"op":"ping","id":"1"}') * MANY, MANY)


async def malformed_frames(attack: Attack) -> None:
    await attack.flood(masked(b"{]") * MANY, MANY)


async def big_wrong_frames(attack: Attack) -> None:
    """Send uploads of 7 MiB in a wrong shape."""
    frame = masked(b'{"op":"file.upload","id":"1","room_id":"x","data":[' + b"[1]," * (BIG // 4) + b"1]}")
    await attack.flood(frame, 1)


async def typing(attack: Attack) -> None:
    def frame() -> object:
        is_typing = attack.next_number() % 2 == 0
        return {"op": "room.typing", "room_id": attack.order.shared_room, "typing": is_typing}

    await attack.at_rate(frame, RATE, 20)


async def reactions(attack: Attack) -> None:
    def frame() -> object:
        number = attack.next_number()
        where = {"room_id": attack.order.shared_room, "seq": 1, "emoji": chr(0x1F600 + number // 2 % 60)}
        return {"op": "message.react", "id": str(number), "remove": number % 2 == 1, **where}

    await attack.at_rate(frame, RATE, 20)


async def messages(attack: Attack) -> None:
    """Write into the room of everybody."""

    def frame() -> object:
        number = FOREIGN + random.randrange(10**6)
        text = {"body": body_of(number), "client_id": client_id_of(number)}
        return {"op": "message.send", "id": str(number), "room_id": attack.order.shared_room, **text}

    await attack.at_rate(frame, RATE, 20)


async def room_enter(attack: Attack) -> None:
    rooms = [attack.order.long_room, attack.order.shared_room]
    await attack.at_rate(lambda: {"op": "room.enter", "id": "1", "room_id": rooms[attack.next_number() % 2]}, RATE, 20)


async def message_list(attack: Attack) -> None:
    def frame() -> object:
        where = {"before": random.randint(201, attack.order.messages)}
        return {"op": "message.list", "id": "1", "room_id": attack.order.long_room, "limit": 200, **where}

    await attack.at_rate(frame, RATE, 20)


async def presence(attack: Attack) -> None:
    await attack.at_rate(lambda: {"op": "presence.watch", "id": "1", "user_ids": attack.order.user_ids}, RATE, 20)


async def opened_and_closed(attack: Attack) -> None:
    """Open sockets and close them at `ready`."""

    async def write(socket: Socket) -> None:
        socket.close()

    await attack.by_sockets(write, 24)


async def unread(attack: Attack) -> None:
    """Ask for large pages on sockets that never read the answers."""
    ask = {"op": "message.list", "id": "1", "room_id": attack.order.long_room, "limit": 200}

    async def write(socket: Socket) -> None:
        socket.transport.pause_reading()
        await attack.written(socket)
        attack.write(socket, masked(encode(ask)))
        await asyncio.sleep(1 / RATE)

    await attack.by_sockets(write, 20)
