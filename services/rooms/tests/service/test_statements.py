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


async def count(driver: Any, *batch: AnyCommand) -> int:
    """The statements of one batch in which nothing is refused, BEGIN and COMMIT left out."""
    async with driver.count_statements() as statements:
        await driver.execute(*batch)
    return len([one for one in statements if not one.startswith(("BEGIN", "SET"))])


@on_each_database
async def test_plain_sends(driver: Any) -> None:
    rooms = [await driver.group(A, B) for _ in range(8)]
    for size in (1, 2, 64):
        sends = [driver.send(rooms[n % 8], (A, B)[n % 2], "x" * (n + 1), mentions=[B]) for n in range(size)]
        assert await count(driver, *sends) == PLAIN_SENDS


async def everything(driver: Any, rounds: int) -> list[AnyCommand]:
    """Every op, in `rounds` groups and direct rooms of their own."""
    batch: list[AnyCommand] = []
    for _ in range(rounds):
        room, direct = await driver.group(A, B, C), await driver.direct(A, new_id())
        await driver.execute(
            driver.send(room, A), driver.send(room, A), driver.react(room, B, 1), driver.react(room, B, 2)
        )
        await driver.execute(driver.leave(direct, A))
        batch += [
            driver.send(room, A),
            driver.edit(room, A, 1, "x"),
            driver.react(room, C, 1),
            driver.react(room, B, 1, remove=True),
            driver.delete(room, A, 2),
            driver.read(room, B, 2),
            driver.invite(room, A, D),
            driver.role(room, A, B, "admin"),
            driver.remove(room, A, C),
            driver.update(room, A, title="New"),
            driver.mute(room, A),
            driver.leave(room, A),
            driver.send(direct, A),
            driver.send(direct, A),
        ]
    return batch


@on_each_database
async def test_every_op_in_one_batch(driver: Any) -> None:
    await on_social(driver.deps, UserBlocked(user_id=D, blocked_id=C, version=1))
    counts = [await count(driver, *await everything(driver, rounds)) for rounds in (1, 4)]
    assert counts[0] == counts[1] == EVERYTHING


@on_servers
async def test_what_the_server_is_asked(manual_driver: Any) -> None:
    """The driver makes one statement of an executemany: the server counts what it really gets."""
    server = "SHOW SESSION STATUS WHERE Variable_name IN ('Questions', 'Com_insert', 'Com_select', 'Com_delete')"

    await manual_driver.use_one_connection()

    async def counted(*batch: AnyCommand) -> dict[str, int]:
        before = dict(await manual_driver.rows(server))
        await manual_driver.execute(*batch)
        after = dict(await manual_driver.rows(server))
        return {name: int(after[name]) - int(before[name]) for name in after}

    rooms = [await manual_driver.group(A, B) for _ in range(8)]
    plain = [await counted(*(manual_driver.send(rooms[n % 8], A) for n in range(size))) for size in (1, 64)]
    assert plain[0] == plain[1]
    assert (plain[0]["Com_select"], plain[0]["Com_insert"]) == (3, 4)
    mixed = [await counted(*batch) for batch in [await everything(manual_driver, rounds) for rounds in (1, 4)]]
    assert mixed[0] == mixed[1]
