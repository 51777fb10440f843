"""Messages through the real write path: numbers, repeats, changes, limits."""

import asyncio
from typing import Any

from sqlalchemy import text

from shared.contracts.media import Attachment
from shared.contracts.rooms import Accepted, Rejected
from shared.ids import new_id
from shared.testing.fixtures import on_each_database

A, B, C, D = (new_id() for _ in range(4))
FILE = Attachment(attachment_id=new_id(), filename="f.txt", content_type="text/plain", size=3, url="/api/media/x")


@on_each_database
async def test_numbers_have_no_holes_and_neighbours_see_each_other(house: Any) -> None:
    room = await house.group(A, B)
    sent, again, edited, reacted, gone, last = await house.do(
        first := house.say(room, A, "one"),
        first,
        house.edit(room, A, 1, "two"),
        house.react(room, B, 1),
        house.delete(room, A, 1),
        house.say(room, B, reply_to=1),
    )
    assert (sent.seq, sent.version, sent.duplicate) == (1, 3, False)
    assert (again.seq, again.version, again.at, again.duplicate) == (1, 3, sent.at, True)
    assert [edited.version, reacted.version, gone.version, last.version] == [4, 5, 6, 7]
    snapshot = await house.snapshot(room, A)
    assert snapshot.messages[1].deleted
    assert snapshot.messages[1].body == ""
    assert snapshot.messages[1].reactions == {}
    assert snapshot.messages[2].reply_to == 1
    assert await house.rows("SELECT COUNT(*) FROM reaction") == [(0,)]


async def test_a_refused_command_leaves_its_neighbours_alone(house: Any) -> None:
    room = await house.group(A, B)
    results = await house.batch(
        house.say(room, A),
        house.say(room, C),
        house.edit(room, B, 1, "mine"),
        house.say(room, B),
        house.say(new_id(), A),
    )
    assert [type(result) for result in results] == [Accepted, Rejected, Rejected, Accepted, Rejected]
    assert [result.seq for result in results if isinstance(result, Accepted)] == [1, 2]
    assert results[1] == results[4] == Rejected(code="not_found", detail="There is no such room.")


@on_each_database
async def test_a_repeat_gets_the_first_answer_for_ever(house: Any) -> None:
    room = await house.group(A, B)
    message = house.say(room, B, "text", reply_to=None, mentions=[A])
    (first,) = await house.do(message)
    await house.do(house.edit(room, B, 1, "other"))
    await house.do(house.delete(room, A, 1), house.leave(room, B))
    (again,) = await house.do(message)
    assert (again.seq, again.version, again.at, again.duplicate) == (first.seq, first.version, first.at, True)
    for other in ("other", "text "):
        assert await house.refused(house.say(room, B, other, mentions=[A], client_id=message.client_id)) == "conflict"
    assert await house.refused(house.say(room, B, "text", client_id=message.client_id)) == "conflict"


async def test_a_client_id_is_compared_in_lower_case(house: Any) -> None:
    room = await house.group(A)
    message = house.say(room, A)
    (first,) = await house.do(message)
    (again,) = await house.do(house.say(room, A, client_id=message.client_id.upper()))
    assert (again.seq, again.duplicate) == (first.seq, True)


@on_each_database
async def test_a_repeated_command_gets_its_first_answer(house: Any) -> None:
    room = await house.group(A, B, C)
    await house.do(house.say(room, A, "one"))
    commands = [
        house.edit(room, A, 1, "two"), house.react(room, B, 1), house.role(room, A, B, "admin"),
        house.update(room, A, title="New"), house.remove(room, A, C), house.delete(room, A, 1), house.leave(room, B),
    ]  # fmt: skip
    first = await house.do(*commands)
    events = await house.events(room)
    assert await house.do(*commands) == first
    assert await house.events(room) == events


async def test_what_holds_already_makes_no_event(house: Any) -> None:
    room = await house.group(A, B, C)
    await house.do(
        house.say(room, A, "one"), house.say(room, A, "two"), house.react(room, B, 2), house.delete(room, A, 1)
    )
    await house.do(house.leave(room, C))
    (head,) = {event.version for event in (await house.events(room))[-1:]}
    again = [
        house.edit(room, A, 2, "two"), house.react(room, B, 2), house.react(room, A, 2, remove=True),
        house.delete(room, A, 1), house.react(room, A, 1, remove=True), house.invite(room, A, B, A),
        house.leave(room, C), house.role(room, A, B, "member"), house.role(room, A, A, "owner"),
        house.update(room, A, title="Room", pinned_seq=None), house.mute(room, A, False), house.remove(room, A, C),
    ]  # fmt: skip
    assert {done.version for done in await house.do(*again)} == {head}


async def test_who_may_change_a_message(house: Any) -> None:
    room = await house.group(A, B, C)
    await house.do(house.role(room, A, B, "admin"), house.say(room, C, "mine"), house.say(room, A, "the owner's"))
    assert await house.refused(house.edit(room, A, 1, "yours")) == "forbidden"
    assert await house.refused(house.delete(room, C, 2)) == "forbidden"
    await house.do(house.delete(room, B, 2), house.edit(room, C, 1, "mine!"))
    assert await house.refused(house.edit(room, A, 2, "again")) == "conflict"
    assert await house.refused(house.react(room, C, 2)) == "conflict"
    assert await house.refused(house.edit(room, C, 3, "none")) == "not_found"
    assert await house.refused(house.edit(room, C, 1, "")) == "invalid"


async def test_what_was_said_before_joining_is_out_of_reach(house: Any) -> None:
    room = await house.group(A)
    await house.do(house.say(room, A, "secret"), house.invite(room, A, B), house.say(room, A, "hello B"))
    for command in (
        house.react(room, B, 1), house.delete(room, B, 1), house.edit(room, B, 1, "x"),
    ):  # fmt: skip
        assert await house.refused(command) == "not_found"
    assert await house.refused(house.say(room, B, reply_to=1)) == "invalid"
    await house.do(house.say(room, B, reply_to=2), house.react(room, B, 2))


async def test_what_a_message_may_not_be(house: Any) -> None:
    room = await house.group(A)
    for fields in ({"body": ""}, {"body": "nul\x00"}, {"client_id": "17"}, {"reply_to": 1}):
        assert await house.refused(house.say(room, A, **fields)) == "invalid"


@on_each_database
async def test_what_a_message_may_be(house: Any) -> None:
    room = await house.group(A, B)
    text = "Zoë 🦊\n\t\\ ' \" % %s :x \u2028" + "ß" * 3900 + "🦊" * 50
    await house.do(
        house.say(room, A, text, mentions=[B, C, "nobody", B, A]), house.say(room, A, "", attachments=[FILE] * 10)
    )
    first, second = (await house.snapshot(room, A)).messages.values()
    assert first.body == text
    assert first.mentions == [B, A]
    assert (second.kind, second.attachments) == ("file", [FILE] * 10)
    await house.do(house.edit(room, A, 2, "caption"), house.edit(room, A, 2, ""))


@on_each_database
async def test_reactions_are_told_apart_byte_by_byte(house: Any) -> None:
    room = await house.group(A, B)
    emoji = ["e", "é", "E", "e ", "👍", "👍🏽", "\u0301", "a" * 32]
    await house.do(house.say(room, A), *(house.react(room, user, 1, one) for one in emoji for user in (A, B)))
    assert (await house.snapshot(room, A)).messages[1].reactions == {one: [A, B] for one in emoji}
    await house.do(house.react(room, A, 1, "e", remove=True), house.react(room, A, 1, "e"))
    assert (await house.snapshot(room, A)).messages[1].reactions["e"] == [B, A]
    for bad in ("", "a" * 33, "🦊" * 9, "x\x00", "\udc00"):
        assert await house.refused(house.react(room, A, 1, bad)) == "invalid"


async def test_a_message_takes_100_different_emoji(house: Any) -> None:
    room = await house.group(A, B)
    await house.do(house.say(room, A), *(house.react(room, A, 1, f"e{n}") for n in range(99)))
    await house.do(house.react(room, B, 1, "e0"), house.react(room, B, 1, "last"))
    assert await house.refused(house.react(room, B, 1, "more")) == "conflict"
    await house.do(
        house.react(room, B, 1, "e7"), house.react(room, B, 1, "last", remove=True), house.react(room, B, 1, "x")
    )


async def test_a_message_takes_4000_reactions(house: Any) -> None:
    room = await house.group(A, B)
    await house.do(house.say(room, A))
    async with house.deps.database.write() as db:
        await db.execute(text("UPDATE message SET reaction_count = 3999"))
    assert isinstance((await house.batch(house.react(room, A, 1), house.react(room, B, 1)))[1], Rejected)


@on_each_database
async def test_cursors_only_move_forward_and_take_no_version(house: Any) -> None:
    room = await house.group(A, B)
    await house.do(house.say(room, A), house.say(room, A), house.say(room, B))
    assert [done.read_seq for done in await house.do(*(house.read(room, A, seq) for seq in (3, 1, 99)))] == [3, 3, 3]
    members = (await house.snapshot(room, A)).members
    assert (members[A].read_seq, members[B].read_seq) == (3, 3)
    for seq in (0, -1, 2**53):
        assert await house.refused(house.read(room, A, seq)) == "invalid"
    assert await house.refused(house.read(room, C, 1)) == "not_found"


@on_each_database
async def test_past_the_budget_nothing_is_committed(house: Any) -> None:
    room = await house.group(A)
    before = await house.heads()
    results = await house.batch(house.say(room, A), house.say(room, A), seconds=0)
    assert [result.code for result in results if isinstance(result, Rejected)] == ["unavailable"] * 2
    assert await house.heads() == before


@on_each_database
async def test_concurrent_sends_keep_numbers_dense(house: Any) -> None:
    rooms = [await house.group(A, B) for _ in range(4)]
    await asyncio.gather(
        *(house.do(house.say(rooms[n % 4], (A, B)[n % 2]), house.say(rooms[(n + 1) % 4], A)) for n in range(64))
    )
    for room in rooms:
        events = await house.events(room)
        assert [event.version for event in events] == list(range(1, 35))
        assert [event.seq for event in events[2:]] == list(range(1, 33))
        assert [event.at for event in events] == sorted(event.at for event in events)
