"""Story 7: a client that reconnects gets exactly the missed events in order, on any gateway."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from people import Person, Socket
from scraping import GATEWAYS, sum_of
from stack import Stack
from test_history import fill

SomeOne = Callable[[str], Awaitable[Person]]
SLOW_CHARACTERS = 4000
"""The length of the messages to a slow reader. Each character takes three bytes."""
OUTBOUND_BYTES = 1024 * 1024
"""The limit of a gateway for a reader's live events, in docs/protocol."""
HOPS = 3


def head(socket: Socket, room_id: str) -> int:
    return next(int(room["version"]) for room in socket.ready["rooms"] if room["room_id"] == room_id)


@pytest.mark.parametrize("missed", [3, 300, 3000])
async def test_exactly_the_missed_events(someone: SomeOne, missed: int):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.direct(ben)
    a, b = await ana.open(), await ben.open()
    await a.send(room_id, "seen")
    await b.event("message.created", body="seen")
    cursor, epoch = b.events(room_id)[-1]["version"], b.ready["epoch"]
    await b.kill()
    await fill(a, room_id, missed)
    for _ in range(2):  # either gateway
        back = await ben.open(cursors={room_id: cursor}, epoch=epoch)
        await a.send(room_id, "live again")
        await back.event("message.created", 30, body="live again")
        versions = [event["version"] for event in back.events(room_id)]
        assert versions == list(range(cursor + 1, cursor + 1 + len(versions)))
        assert len(versions) >= missed + 1
        assert back.of("room.reset") == []


async def test_events_written_while_resuming_come_once_and_in_order(someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.direct(ben)
    a, b = await ana.open(), await ben.open()
    cursor, epoch = head(b, room_id), b.ready["epoch"]
    writing = asyncio.create_task(fill(a, room_id, 600))
    backs = []
    for _ in range(6):
        await asyncio.sleep(0.03)
        backs.append(await ben.open(cursors={room_id: cursor}, epoch=epoch))
    await writing
    for back in backs:
        await back.until(lambda s: s.events(room_id) and s.events(room_id)[-1]["version"] >= cursor + 600, 30)
        assert [e["version"] for e in back.events(room_id)] == list(range(cursor + 1, cursor + 601))


async def test_resets(someone: SomeOne):
    ana, ben, late = await someone("ana"), await someone("ben"), await someone("late")
    room_id = await ana.group("Long", ben)
    a = await ana.open()
    await fill(a, room_id, 5100)
    await a.ask("room.invite", room_id=room_id, user_ids=[late.id])
    epoch = a.ready["epoch"]
    top = (await ben.call("GET", f"/rooms/{room_id}"))["version"]
    for person, cursor, given in (
        (ben, 5, epoch), (ben, top + 10, epoch), (ben, top - 3, "other"), (ben, top - 3, None), (late, 3, epoch),
    ):  # fmt: skip
        hello = {"cursors": {room_id: cursor}} | ({"epoch": given} if given else {})
        back = await person.open(**hello)
        await back.event("room.reset", room_id=room_id)
        live = await a.send(room_id, "live")
        await back.event("message.created", version=live["version"])
        assert len(back.of("room.reset")) == 1
        assert back.events(room_id)[0]["version"] == head(back, room_id) + 1


async def test_a_slow_reader_is_disconnected_and_resumes_completely(someone: SomeOne, stack: Stack):
    """The reader stops reading. The writer fills all buffers between them, until a gateway disconnects the reader."""
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.direct(ben)
    a = await ana.open()
    slow = await ben.open(receive_buffer=4096)
    cursor, epoch = head(slow, room_id), slow.ready["epoch"]
    before = await slow_readers(stack)
    await slow.stop_reading()
    sent = 0
    while await slow_readers(stack) == before:
        assert sent * 3 * SLOW_CHARACTERS < most_buffered(), "the gateway keeps more than its limit for this reader"
        for _ in range(15):
            await asyncio.gather(*(a.send(room_id, "가" * SLOW_CHARACTERS) for _ in range(20)))
            sent += 20
    slow.start_reading()
    assert await slow.closed() in {4308, 1006}
    got = [event["version"] for event in slow.events(room_id)]
    assert got == list(range(cursor + 1, cursor + 1 + len(got)))
    assert len(got) < sent
    back = await ben.open(cursors={room_id: cursor + len(got)}, epoch=epoch)
    await back.until(lambda s: s.events(room_id) and s.events(room_id)[-1]["version"] >= cursor + sent, 60)
    rest = [event["version"] for event in back.events(room_id)]
    assert got + rest == list(range(cursor + 1, cursor + sent + 1))


async def slow_readers(stack: Stack) -> float:
    """Return how many slow readers the gateways have disconnected."""
    return await asyncio.to_thread(sum_of, stack, GATEWAYS, "webchat_sockets_closed_total", reason="slow_reader")


def most_buffered() -> int:
    """Return the most bytes between a gateway and a client: the gateway's limit, and the kernel's buffers of each hop.

    The hops end at nginx, at the engine's proxy if there is one, and at the client. The kernel enlarges a buffer as it
    likes, up to these settings: 11 to 15 MiB in all were seen with containers.
    """
    kernel = [Path(f"/proc/sys/net/ipv4/tcp_{name}").read_text().split()[2] for name in ("rmem", "wmem")]
    return OUTBOUND_BYTES + HOPS * sum(map(int, kernel))


async def opened_anew(person: Person, old: str, **hello: object) -> Socket:
    """Connect to a gateway that knows the new epoch. A gateway closes its sockets when it learns of a new one."""
    async with asyncio.timeout(45):
        while True:
            with suppress(AssertionError):  # closed before it was ready
                socket = await person.open(**hello)
                if socket.ready["epoch"] != old:
                    return socket
                await socket.closed(45)


async def test_a_new_epoch_closes_and_resets(someone: SomeOne, stack: Stack):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.direct(ben)
    sockets = [await ana.open() for _ in range(4)]  # on both gateways
    sent = await sockets[0].send(room_id, "before")
    epoch = sockets[0].ready["epoch"]
    stack.operate("rooms", "new-epoch")
    await ana.group("Looked up anew, and the epoch with it")
    for socket in sockets:
        assert await socket.closed(45) == 4310
    b = await opened_anew(ben, epoch)
    await b.send(room_id, "after")
    back = await opened_anew(ana, epoch, cursors={room_id: sent["version"]}, epoch=epoch)
    await back.event("room.reset", room_id=room_id)
    await b.send(room_id, "on we go")
    await back.event("message.created", body="on we go")
