"""Story 6: repeating a client_id later or elsewhere results in one message."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable

import pytest
from people import Person, Rejected
from stack import Stack

SomeOne = Callable[[str], Awaitable[Person]]


async def test_a_duplicate_gets_the_result_of_the_first(someone: SomeOne, stack: Stack):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.direct(ben)
    a = await ana.open()
    client_id = str(uuid.uuid4())
    answers = await asyncio.gather(*(a.send(room_id, "once", client_id=client_id) for _ in range(5)))
    assert sorted(answer["duplicate"] for answer in answers) == [False, True, True, True, True]
    [(seq, version)] = {(answer["seq"], answer["version"]) for answer in answers}

    async def repeat(socket_count: int = 1) -> None:
        for _ in range(socket_count):
            socket = await ana.open()
            again = await socket.send(room_id, "once", client_id=client_id)
            assert (again["seq"], again["version"], again["duplicate"]) == (seq, version, True)

    await a.kill()
    await repeat(4)  # after a reconnect, on either gateway
    stack.redis().flushall()
    await repeat()
    socket = await ana.open()
    await socket.ask("message.edit", room_id=room_id, seq=seq, body="twice")
    await repeat()
    await socket.ask("message.delete", room_id=room_id, seq=seq)
    await repeat()
    again = await ana.call(
        "POST", f"/rooms/{room_id}/messages", json={"client_id": client_id.upper(), "body": "once"}, status=200
    )
    assert again["seq"] == seq
    for changed in ({"body": "other"}, {"body": "once", "reply_to": seq}, {"body": "once", "mentions": [ben.id]}):
        with pytest.raises(Rejected) as rejected:
            await socket.ask("message.send", room_id=room_id, client_id=client_id, **changed)
        assert rejected.value.code == "conflict"
    assert len((await ben.messages(room_id))["items"]) == 1
    bens = await (await ben.open()).send(room_id, "once", client_id=client_id)
    assert bens["duplicate"] is False
