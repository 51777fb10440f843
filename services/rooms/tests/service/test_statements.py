"""A batch takes a constant number of statements, on the way to the driver and at the server."""

from typing import Any

from rooms.consumers import on_social
from shared.contracts.rooms import AnyCommand
from shared.events.social import UserBlocked
from shared.ids import new_id
from shared.testing.fixtures import on_each_database, on_servers

A, B, C, D = (new_id() for _ in range(4))
PLAIN_SENDS = 7
EVERYTHING = 22


async def count(house: Any, *batch: AnyCommand) -> int:
    """The statements of one batch in which nothing is refused, BEGIN and COMMIT left out."""
    async with house.counting() as statements:
        await house.do(*batch)
    return len([one for one in statements if not one.startswith(("BEGIN", "SET"))])


@on_each_database
async def test_plain_sends(house: Any) -> None:
    rooms = [await house.group(A, B) for _ in range(8)]
    for size in (1, 2, 64):
        sends = [house.say(rooms[n % 8], (A, B)[n % 2], "x" * (n + 1), mentions=[B]) for n in range(size)]
        assert await count(house, *sends) == PLAIN_SENDS


async def everything(house: Any, rounds: int) -> list[AnyCommand]:
    """Every op, in `rounds` groups and direct rooms of their own."""
    batch: list[AnyCommand] = []
    for _ in range(rounds):
        room, direct = await house.group(A, B, C), await house.direct(A, new_id())
        await house.do(house.say(room, A), house.say(room, A), house.react(room, B, 1), house.react(room, B, 2))
        await house.do(house.leave(direct, A))
        batch += [
            house.say(room, A),
            house.edit(room, A, 1, "x"),
            house.react(room, C, 1),
            house.react(room, B, 1, remove=True),
            house.delete(room, A, 2),
            house.read(room, B, 2),
            house.invite(room, A, D),
            house.role(room, A, B, "admin"),
            house.remove(room, A, C),
            house.update(room, A, title="New"),
            house.mute(room, A),
            house.leave(room, A),
            house.say(direct, A),
            house.say(direct, A),
        ]
    return batch


@on_each_database
async def test_every_op_in_one_batch(house: Any) -> None:
    await on_social(house.deps, UserBlocked(user_id=D, blocked_id=C, version=1))
    counts = [await count(house, *await everything(house, rounds)) for rounds in (1, 4)]
    assert counts[0] == counts[1] == EVERYTHING


@on_servers
async def test_what_the_server_is_asked(quiet: Any) -> None:
    """The driver makes one statement of an executemany: the server counts what it really gets."""
    server = "SHOW SESSION STATUS WHERE Variable_name IN ('Questions', 'Com_insert', 'Com_select', 'Com_delete')"

    await quiet.on_one_connection()

    async def counted(*batch: AnyCommand) -> dict[str, int]:
        before = dict(await quiet.rows(server))
        await quiet.do(*batch)
        after = dict(await quiet.rows(server))
        return {name: int(after[name]) - int(before[name]) for name in after}

    rooms = [await quiet.group(A, B) for _ in range(8)]
    plain = [await counted(*(quiet.say(rooms[n % 8], A) for n in range(size))) for size in (1, 64)]
    assert plain[0] == plain[1]
    assert (plain[0]["Com_select"], plain[0]["Com_insert"]) == (3, 4)
    mixed = [await counted(*batch) for batch in [await everything(quiet, rounds) for rounds in (1, 4)]]
    assert mixed[0] == mixed[1]
