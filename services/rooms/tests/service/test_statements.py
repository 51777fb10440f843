"""A batch takes a constant number of statements, counted before the database driver and at the server."""

from rooms.consumers import on_social
from shared.contracts.rooms import AnyCommand
from shared.events.social import UserBlocked
from shared.ids import new_id
from shared.testing.fixtures import on_each_database, on_servers

from .conftest import RoomsDriver

A, B, C, D = (new_id() for _ in range(4))
PLAIN_SENDS = 7
EVERYTHING = 22


async def count(driver: RoomsDriver, *batch: AnyCommand) -> int:
    """Execute a batch. Return the number of statements without BEGIN and COMMIT."""
    async with driver.record_statements() as statements:
        await driver.execute(*batch)
    return len([one for one in statements if not one.startswith(("BEGIN", "SET"))])


@on_each_database
async def test_plain_sends(driver: RoomsDriver) -> None:
    rooms = [await driver.group(A, B) for _ in range(8)]
    for size in (1, 2, 64):
        sends = [driver.send(rooms[n % 8], (A, B)[n % 2], "x" * (n + 1), mentions=[B]) for n in range(size)]
        assert await count(driver, *sends) == PLAIN_SENDS


async def commands_of_every_kind(driver: RoomsDriver, rounds: int) -> list[AnyCommand]:
    """Return commands of every kind, in `rounds` new groups and direct rooms."""
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
async def test_every_op_in_one_batch(driver: RoomsDriver) -> None:
    await on_social(driver.deps, UserBlocked(user_id=D, blocked_id=C, version=1))
    counts = [await count(driver, *await commands_of_every_kind(driver, rounds)) for rounds in (1, 4)]
    assert counts[0] == counts[1] == EVERYTHING


@on_servers
async def test_statements_counted_by_the_server(manual_driver: RoomsDriver) -> None:
    """The database driver turns an executemany into one statement, so only the server counts real statements."""
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
    mixed = [
        await counted(*batch) for batch in [await commands_of_every_kind(manual_driver, rounds) for rounds in (1, 4)]
    ]
    assert mixed[0] == mixed[1]
