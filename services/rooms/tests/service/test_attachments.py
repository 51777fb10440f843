"""Attachments that no message refers to any more are let go: media is told once, and nobody may send them again."""

from typing import Any

import msgspec
import pytest

from rooms.service.homes import get_membership
from shared.contracts.media import Attachment
from shared.contracts.rooms import MembershipCheck
from shared.events.rooms import AttachmentsReleased
from shared.ids import new_id
from shared.testing.fixtures import on_each_database

A, B = new_id(), new_id()


def file() -> Attachment:
    return Attachment(attachment_id=new_id(), filename="f.txt", content_type="text/plain", size=3, url="/x")


async def released(house: Any) -> list[tuple[str, list[str]]]:
    rows = await house.rows("SELECT payload FROM outbox ORDER BY id")
    events = [msgspec.json.decode(row[0], type=AttachmentsReleased) for row in rows]
    return [(event.room_id, event.attachment_ids) for event in events]


@on_each_database
async def test_the_last_message_that_has_it_lets_it_go(house: Any) -> None:
    room, one, two = await house.group(A, B), file(), file()
    await house.do(house.say(room, A, attachments=[one, two]), house.say(room, A, attachments=[one, one]))
    await house.do(house.delete(room, A, 1))
    assert await released(house) == [(room, [two.attachment_id])]
    await house.do(house.delete(room, A, 2), house.delete(room, A, 2))
    assert await released(house) == [(room, [two.attachment_id]), (room, [one.attachment_id])]
    for gone in (one, two):
        assert await house.refused(house.say(room, A, attachments=[gone])) == "not_found"
    assert len(await released(house)) == 2


@on_each_database
async def test_in_one_batch(house: Any) -> None:
    room, one, two = await house.group(A), file(), file()
    await house.do(
        house.say(room, A, attachments=[one]),
        house.say(room, A, attachments=[two]),
        house.say(room, A, attachments=[two]),
    )
    kept = file()
    results = await house.batch(
        house.delete(room, A, 2),
        house.delete(room, A, 1),
        house.say(room, A, attachments=[one]),
        house.say(room, A, attachments=[kept]),
        house.delete(room, A, 3),
    )
    assert [msgspec.to_builtins(result)["type"] for result in results] == ["done", "done", "refused", "done", "done"]
    assert await released(house) == [(room, sorted([one.attachment_id, two.attachment_id]))]


async def test_a_repeat_of_what_is_deleted_is_still_answered(house: Any) -> None:
    room = await house.group(A)
    send = house.say(room, A, attachments=[file()])
    (first,) = await house.do(send)
    await house.do(house.delete(room, A, 1))
    (again,) = await house.do(send)
    assert (again.seq, again.duplicate) == (first.seq, True)


@on_each_database
async def test_each_room_by_itself(house: Any) -> None:
    room, other, one = await house.group(A), await house.group(A), file()
    await house.do(house.say(room, A, attachments=[one]), house.say(other, A, attachments=[one]))
    await house.do(house.delete(room, A, 1))
    await house.do(house.say(other, A, attachments=[one]))
    assert await released(house) == [(room, [one.attachment_id])]


@on_each_database
@pytest.mark.parametrize("act", ["say", "delete"])
async def test_statements_do_not_grow(house: Any, act: str) -> None:
    room = await house.group(A)
    counts = []
    for size in (1, 20):
        sends = [house.say(room, A, attachments=[file(), file()]) for _ in range(size)]
        if act == "delete":
            seqs = [done.seq for done in await house.do(*sends)]
            sends = [house.delete(room, A, seq) for seq in seqs]
        async with house.counting() as statements:
            await house.do(*sends)
        counts.append(len([one for one in statements if not one.startswith(("BEGIN", "SET"))]))
    assert counts[0] == counts[1]


@on_each_database
async def test_very_many_at_once(house: Any) -> None:
    room = await house.group(A)
    for _ in range(11):
        await house.do(*(house.say(room, A, attachments=[file() for _ in range(10)]) for _ in range(20)))
    await house.do(*(house.delete(room, A, seq) for seq in range(1, 221)))
    assert sorted(len(ids) for _, ids in await released(house)) == [200, 1000, 1000]


@on_each_database
async def test_media_may_ask_what_was_let_go(house: Any) -> None:
    room, gone, kept = await house.group(A), file(), file()
    await house.do(house.say(room, A, attachments=[gone]), house.say(room, A, attachments=[kept]))
    await house.do(house.delete(room, A, 1))
    asked = [gone.attachment_id, kept.attachment_id, new_id()]
    assert await get_membership(house.deps, A, room, asked) == MembershipCheck(True, [gone.attachment_id])
    assert await get_membership(house.deps, B, room, []) == MembershipCheck(False)
