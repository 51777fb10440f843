"""Messages through the complete pipeline: numbers, duplicates, changes, limits."""

import asyncio

from sqlalchemy import select, text

from rooms.domain.digests import FORGOTTEN
from rooms.domain.messages import digest_of
from rooms.storage.tables import message
from shared.contracts.media import Attachment
from shared.contracts.rooms import Accepted, Rejected
from shared.ids import new_id
from shared.testing.fixtures import on_each_database

from .conftest import RoomsDriver

A, B, C, D = (new_id() for _ in range(4))
FILE = Attachment(attachment_id=new_id(), filename="f.txt", content_type="text/plain", size=3, url="/api/media/x")


@on_each_database
async def test_numbers_have_no_gaps_and_commands_see_earlier_ones(driver: RoomsDriver) -> None:
    room = await driver.group(A, B)
    sent, again, edited, reacted, gone, last = await driver.execute(
        first := driver.send(room, A, "one"),
        first,
        driver.edit(room, A, 1, "two"),
        driver.react(room, B, 1),
        driver.delete(room, A, 1),
        driver.send(room, B, reply_to=1),
    )
    assert (sent.seq, sent.version, sent.duplicate) == (1, 3, False)
    assert (again.seq, again.version, again.at, again.duplicate) == (1, 3, sent.at, True)
    assert [edited.version, reacted.version, gone.version, last.version] == [4, 5, 6, 7]
    snapshot = await driver.snapshot(room, A)
    assert snapshot.messages[1].deleted
    assert snapshot.messages[1].body == ""
    assert snapshot.messages[1].reactions == {}
    assert snapshot.messages[2].reply_to == 1
    assert await driver.rows("SELECT COUNT(*) FROM reaction") == [(0,)]


async def test_a_rejected_command_does_not_affect_others(driver: RoomsDriver) -> None:
    room = await driver.group(A, B)
    results = await driver.batch(
        driver.send(room, A),
        driver.send(room, C),
        driver.edit(room, B, 1, "mine"),
        driver.send(room, B),
        driver.send(new_id(), A),
    )
    assert [type(result) for result in results] == [Accepted, Rejected, Rejected, Accepted, Rejected]
    assert [result.seq for result in results if isinstance(result, Accepted)] == [1, 2]
    assert results[1] == results[4] == Rejected(code="not_found", detail="There is no such room.")


@on_each_database
async def test_a_duplicate_message_always_gets_the_first_result(driver: RoomsDriver) -> None:
    room = await driver.group(A, B)
    message = driver.send(room, B, "text", reply_to=None, mentions=[A])
    (first,) = await driver.execute(message)
    await driver.execute(driver.edit(room, B, 1, "other"))
    await driver.execute(driver.delete(room, A, 1), driver.leave(room, B))
    (again,) = await driver.execute(message)
    assert (again.seq, again.version, again.at, again.duplicate) == (first.seq, first.version, first.at, True)
    for other in ("other", "text "):
        assert (
            await driver.rejected(driver.send(room, B, other, mentions=[A], client_id=message.client_id)) == "conflict"
        )
    assert await driver.rejected(driver.send(room, B, "text", client_id=message.client_id)) == "conflict"


@on_each_database
async def test_the_table_does_not_confirm_the_text_of_a_changed_message(driver: RoomsDriver) -> None:
    room = await driver.group(A)
    first, second, third = (driver.send(room, A, text) for text in ("one", "two", "three"))
    await driver.execute(first, second, third)
    await driver.execute(driver.edit(room, A, 1, "other"), driver.delete(room, A, 2))
    async with driver.deps.database.read() as db:
        stored = dict((await db.execute(select(message.c.seq, message.c.digest))).all())  # type: ignore[arg-type]
    assert stored[3] == digest_of(third)
    assert FORGOTTEN not in stored.values()
    assert not {stored[1], stored[2]} & {digest_of(first), digest_of(second)}
    assert all(result.duplicate for result in await driver.execute(first, second, third))
    for sent in (first, second):
        assert await driver.rejected(driver.send(room, A, "other", client_id=sent.client_id)) == "conflict"


async def test_a_client_id_is_compared_in_lower_case(driver: RoomsDriver) -> None:
    room = await driver.group(A)
    message = driver.send(room, A)
    (first,) = await driver.execute(message)
    (again,) = await driver.execute(driver.send(room, A, client_id=message.client_id.upper()))
    assert (again.seq, again.duplicate) == (first.seq, True)


@on_each_database
async def test_a_duplicate_command_gets_the_first_result(driver: RoomsDriver) -> None:
    room = await driver.group(A, B, C)
    await driver.execute(driver.send(room, A, "one"))
    commands = [
        driver.edit(room, A, 1, "two"), driver.react(room, B, 1), driver.role(room, A, B, "admin"),
        driver.update(room, A, title="New"), driver.remove(room, A, C), driver.delete(room, A, 1),
        driver.leave(room, B),
    ]  # fmt: skip
    first = await driver.execute(*commands)
    events = await driver.events(room)
    assert await driver.execute(*commands) == first
    assert await driver.events(room) == events


async def test_a_command_without_effect_creates_no_event(driver: RoomsDriver) -> None:
    room = await driver.group(A, B, C)
    await driver.execute(
        driver.send(room, A, "one"), driver.send(room, A, "two"), driver.react(room, B, 2), driver.delete(room, A, 1)
    )
    await driver.execute(driver.leave(room, C))
    (head,) = {event.version for event in (await driver.events(room))[-1:]}
    again = [
        driver.edit(room, A, 2, "two"), driver.react(room, B, 2), driver.react(room, A, 2, remove=True),
        driver.delete(room, A, 1), driver.react(room, A, 1, remove=True), driver.invite(room, A, B, A),
        driver.leave(room, C), driver.role(room, A, B, "member"), driver.role(room, A, A, "owner"),
        driver.update(room, A, title="Room", pinned_seq=None), driver.mute(room, A, False), driver.remove(room, A, C),
    ]  # fmt: skip
    assert {done.version for done in await driver.execute(*again)} == {head}


async def test_who_may_change_a_message(driver: RoomsDriver) -> None:
    room = await driver.group(A, B, C)
    await driver.execute(
        driver.role(room, A, B, "admin"), driver.send(room, C, "mine"), driver.send(room, A, "the owner's")
    )
    assert await driver.rejected(driver.edit(room, A, 1, "yours")) == "forbidden"
    assert await driver.rejected(driver.delete(room, C, 2)) == "forbidden"
    await driver.execute(driver.delete(room, B, 2), driver.edit(room, C, 1, "mine!"))
    assert await driver.rejected(driver.edit(room, A, 2, "again")) == "conflict"
    assert await driver.rejected(driver.react(room, C, 2)) == "conflict"
    assert await driver.rejected(driver.edit(room, C, 3, "none")) == "not_found"
    assert await driver.rejected(driver.edit(room, C, 1, "")) == "invalid"


async def test_messages_from_before_the_join_are_inaccessible(driver: RoomsDriver) -> None:
    room = await driver.group(A)
    await driver.execute(driver.send(room, A, "secret"), driver.invite(room, A, B), driver.send(room, A, "hello B"))
    for command in (
        driver.react(room, B, 1), driver.delete(room, B, 1), driver.edit(room, B, 1, "x"),
    ):  # fmt: skip
        assert await driver.rejected(command) == "not_found"
    assert await driver.rejected(driver.send(room, B, reply_to=1)) == "invalid"
    await driver.execute(driver.send(room, B, reply_to=2), driver.react(room, B, 2))


async def test_invalid_messages_are_rejected(driver: RoomsDriver) -> None:
    room = await driver.group(A)
    for fields in ({"body": ""}, {"body": "nul\x00"}, {"client_id": "17"}, {"reply_to": 1}):
        assert await driver.rejected(driver.send(room, A, **fields)) == "invalid"


@on_each_database
async def test_valid_messages_are_stored_unchanged(driver: RoomsDriver) -> None:
    room = await driver.group(A, B)
    text = "Zoë 🦊\n\t\\ ' \" % %s :x \u2028" + "ß" * 3900 + "🦊" * 50
    await driver.execute(
        driver.send(room, A, text, mentions=[B, C, "nobody", B, A]), driver.send(room, A, "", attachments=[FILE] * 10)
    )
    first, second = (await driver.snapshot(room, A)).messages.values()
    assert first.body == text
    assert first.mentions == [B, A]
    assert (second.kind, second.attachments) == ("file", [FILE] * 10)
    await driver.execute(driver.edit(room, A, 2, "caption"), driver.edit(room, A, 2, ""))


@on_each_database
async def test_reactions_are_compared_byte_by_byte(driver: RoomsDriver) -> None:
    room = await driver.group(A, B)
    emoji = ["e", "é", "E", "e ", "👍", "👍🏽", "\u0301", "a" * 32]
    await driver.execute(driver.send(room, A), *(driver.react(room, user, 1, one) for one in emoji for user in (A, B)))
    assert (await driver.snapshot(room, A)).messages[1].reactions == {one: [A, B] for one in emoji}
    await driver.execute(driver.react(room, A, 1, "e", remove=True), driver.react(room, A, 1, "e"))
    assert (await driver.snapshot(room, A)).messages[1].reactions["e"] == [B, A]
    for bad in ("", "a" * 33, "🦊" * 9, "x\x00", "\udc00"):
        assert await driver.rejected(driver.react(room, A, 1, bad)) == "invalid"


async def test_a_message_accepts_100_different_emoji(driver: RoomsDriver) -> None:
    room = await driver.group(A, B)
    await driver.execute(driver.send(room, A), *(driver.react(room, A, 1, f"e{n}") for n in range(99)))
    await driver.execute(driver.react(room, B, 1, "e0"), driver.react(room, B, 1, "last"))
    assert await driver.rejected(driver.react(room, B, 1, "more")) == "conflict"
    await driver.execute(
        driver.react(room, B, 1, "e7"), driver.react(room, B, 1, "last", remove=True), driver.react(room, B, 1, "x")
    )


async def test_a_message_accepts_4000_reactions(driver: RoomsDriver) -> None:
    room = await driver.group(A, B)
    await driver.execute(driver.send(room, A))
    async with driver.deps.database.write() as db:
        await db.execute(text("UPDATE message SET reaction_count = 3999"))
    assert isinstance((await driver.batch(driver.react(room, A, 1), driver.react(room, B, 1)))[1], Rejected)


@on_each_database
async def test_cursors_only_move_forward_and_take_no_version(driver: RoomsDriver) -> None:
    room = await driver.group(A, B)
    await driver.execute(driver.send(room, A), driver.send(room, A), driver.send(room, B))
    assert [done.read_seq for done in await driver.execute(*(driver.read(room, A, seq) for seq in (3, 1, 99)))] == [
        3,
        3,
        3,
    ]
    members = (await driver.snapshot(room, A)).members
    assert (members[A].read_seq, members[B].read_seq) == (3, 3)
    for seq in (0, -1, 2**53):
        assert await driver.rejected(driver.read(room, A, seq)) == "invalid"
    assert await driver.rejected(driver.read(room, C, 1)) == "not_found"


@on_each_database
async def test_nothing_is_committed_after_the_deadline(driver: RoomsDriver) -> None:
    room = await driver.group(A)
    before = await driver.state()
    results = await driver.batch(driver.send(room, A), driver.send(room, A), seconds=0)
    assert [result.code for result in results if isinstance(result, Rejected)] == ["unavailable"] * 2
    assert await driver.state() == before


@on_each_database
async def test_concurrent_sends_leave_no_gaps(driver: RoomsDriver) -> None:
    rooms = [await driver.group(A, B) for _ in range(4)]
    await asyncio.gather(
        *(
            driver.execute(driver.send(rooms[n % 4], (A, B)[n % 2]), driver.send(rooms[(n + 1) % 4], A))
            for n in range(64)
        )
    )
    for room in rooms:
        events = await driver.events(room)
        assert [event.version for event in events] == list(range(1, 35))
        assert [event.seq for event in events[2:]] == list(range(1, 33))
        assert [event.at for event in events] == sorted(event.at for event in events)
