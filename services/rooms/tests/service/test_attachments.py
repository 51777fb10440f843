"""An attachment without references is published to media once, and can never be sent again."""

import msgspec
import pytest

from rooms.service.queries.memberships import check_membership
from shared.contracts.media import Attachment
from shared.contracts.rooms import MembershipCheck
from shared.events.rooms import AttachmentsReleased
from shared.ids import new_id
from shared.testing.fixtures import on_each_database

from .conftest import RoomsDriver

A, B = new_id(), new_id()


def file() -> Attachment:
    return Attachment(attachment_id=new_id(), filename="f.txt", content_type="text/plain", size=3, url="/x")


async def released(driver: RoomsDriver) -> list[tuple[str, list[str]]]:
    """Return the events in the outbox as (room id, attachment ids)."""
    rows = await driver.rows("SELECT payload FROM outbox ORDER BY id")
    events = [msgspec.json.decode(row[0], type=AttachmentsReleased) for row in rows]
    return [(event.room_id, event.attachment_ids) for event in events]


@on_each_database
async def test_deleting_the_last_reference_releases_an_attachment(driver: RoomsDriver) -> None:
    room, one, two = await driver.group(A, B), file(), file()
    await driver.execute(driver.send(room, A, attachments=[one, two]), driver.send(room, A, attachments=[one, one]))
    await driver.execute(driver.delete(room, A, 1))
    assert await released(driver) == [(room, [two.attachment_id])]
    await driver.execute(driver.delete(room, A, 2), driver.delete(room, A, 2))
    assert await released(driver) == [(room, [two.attachment_id]), (room, [one.attachment_id])]
    for gone in (one, two):
        assert await driver.rejected(driver.send(room, A, attachments=[gone])) == "not_found"
    assert len(await released(driver)) == 2


@on_each_database
async def test_references_within_one_batch(driver: RoomsDriver) -> None:
    room, one, two = await driver.group(A), file(), file()
    await driver.execute(
        driver.send(room, A, attachments=[one]),
        driver.send(room, A, attachments=[two]),
        driver.send(room, A, attachments=[two]),
    )
    kept = file()
    results = await driver.batch(
        driver.delete(room, A, 2),
        driver.delete(room, A, 1),
        driver.send(room, A, attachments=[one]),
        driver.send(room, A, attachments=[kept]),
        driver.delete(room, A, 3),
    )
    assert [msgspec.to_builtins(result)["type"] for result in results] == ["done", "done", "refused", "done", "done"]
    assert await released(driver) == [(room, sorted([one.attachment_id, two.attachment_id]))]


async def test_a_duplicate_of_a_deleted_message_is_answered(driver: RoomsDriver) -> None:
    room = await driver.group(A)
    send = driver.send(room, A, attachments=[file()])
    (first,) = await driver.execute(send)
    await driver.execute(driver.delete(room, A, 1))
    (again,) = await driver.execute(send)
    assert (again.seq, again.duplicate) == (first.seq, True)


@on_each_database
async def test_rooms_count_references_separately(driver: RoomsDriver) -> None:
    room, other, one = await driver.group(A), await driver.group(A), file()
    await driver.execute(driver.send(room, A, attachments=[one]), driver.send(other, A, attachments=[one]))
    await driver.execute(driver.delete(room, A, 1))
    await driver.execute(driver.send(other, A, attachments=[one]))
    assert await released(driver) == [(room, [one.attachment_id])]


@on_each_database
@pytest.mark.parametrize("act", ["send", "delete"])
async def test_the_number_of_statements_is_constant(driver: RoomsDriver, act: str) -> None:
    room = await driver.group(A)
    counts = []
    for size in (1, 20):
        sends = [driver.send(room, A, attachments=[file(), file()]) for _ in range(size)]
        if act == "delete":
            seqs = [done.seq for done in await driver.execute(*sends)]
            sends = [driver.delete(room, A, seq) for seq in seqs]
        async with driver.record_statements() as statements:
            await driver.execute(*sends)
        counts.append(len([one for one in statements if not one.startswith(("BEGIN", "SET"))]))
    assert counts[0] == counts[1]


@on_each_database
async def test_many_attachments_are_split_into_several_events(driver: RoomsDriver) -> None:
    room = await driver.group(A)
    for _ in range(11):
        await driver.execute(*(driver.send(room, A, attachments=[file() for _ in range(10)]) for _ in range(20)))
    await driver.execute(*(driver.delete(room, A, seq) for seq in range(1, 221)))
    assert sorted(len(ids) for _, ids in await released(driver)) == [200, 1000, 1000]


@on_each_database
async def test_media_can_query_unreferenced_attachments(driver: RoomsDriver) -> None:
    room, gone, kept = await driver.group(A), file(), file()
    await driver.execute(driver.send(room, A, attachments=[gone]), driver.send(room, A, attachments=[kept]))
    await driver.execute(driver.delete(room, A, 1))
    attachment_ids = [gone.attachment_id, kept.attachment_id, new_id()]
    assert await check_membership(driver.deps, A, room, attachment_ids) == MembershipCheck(True, [gone.attachment_id])
    assert await check_membership(driver.deps, B, room, []) == MembershipCheck(False)
