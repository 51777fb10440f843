"""Every frequent statement names its rooms or users, and MySQL finds their rows by a key."""

from typing import Any

import pytest
from sqlalchemy import ClauseElement, Table, delete, select, text

import rooms.storage
from rooms.service import sending
from rooms.service.queries import events, memberships, reading, room_lists, searching, system_messages
from rooms.storage.tables import (
    TABLES,
    blocked_pair,
    closed_user,
    member,
    message,
    message_attachment,
    reaction,
    room,
    room_event,
    room_revision,
)
from shared.contracts.media import Attachment
from shared.contracts.rooms import NewMessage, PageChoice
from shared.database.engine import Db
from shared.ids import new_id
from shared.testing.fixtures import on_mysql
from shared.testing.plans import check_document, check_plans, explain
from shared.testing.statements import Asked, entered_by, record, storage_functions

from .conftest import RoomsDriver

A, B, C, D, E = (new_id() for _ in range(5))
RARE = {
    "epochs.ensure_epoch": "at the start",
    "epochs.get_last_sweep": "at each sweep",
    "epochs.renew_epoch": "after a restore",
    "epochs.set_last_sweep": "at each sweep",
    "members.list_room_ids": "when an account is closed",
    "users.set_blocked": "when someone is blocked",
    "users.set_closed": "when an account is closed",
    "room_events.find_first_kept": "for a stream whose next event is trimmed",
    "room_events.delete_older": "at each trim, in the background",
    "rooms.list_changed": "at each sweep",
}
NAMES = {"room": {"id"}}
ONE_ROW = {"log_epoch"}
"""Tables with one row. Every shard of a sharded database can have a copy."""
SORTED = {
    "room_lists.list_page": "the rooms of one user, at most 1,000",
    "members.list_members": "the members of one room, at most 2,000",
    "reactions.list_reactions": "the reactions to the messages of a page",
    "search.find_in_slices": "the matches among at most 20,000 messages",
    "search.list_scan_ranges": "a few timestamps of each room of one user",
}
"""Functions whose rows are sorted instead of read in the order of an index, with the number of rows."""
ROOMS, MESSAGES, DEEP = 300, 40, 2_000
BY_PAIR = {"rooms.find_direct"}
"""Finds a direct room by its two members. If rooms were sharded, this would need a global index."""


async def use_everything(driver: RoomsDriver, busy_room: str) -> None:
    """Do everything that users and gateways do often, mostly in one room with the members A, B and C."""
    direct, other = await driver.direct(A, new_id()), await driver.group(B, C)
    file = Attachment(attachment_id=new_id(), filename="f.txt", content_type="text/plain", size=3, url="/x")
    sent = await driver.execute(
        driver.send(busy_room, A, attachments=[file]), driver.send(busy_room, A, mentions=[B]), driver.send(direct, A)
    )
    first, second = sent[0].seq, sent[1].seq
    await driver.execute(driver.react(busy_room, B, first), driver.react(busy_room, B, second))
    await driver.execute(
        driver.send(busy_room, A), driver.edit(busy_room, A, second, "x"), driver.react(busy_room, C, second),
        driver.react(busy_room, B, second, remove=True), driver.delete(busy_room, A, first),
        driver.invite(busy_room, A, D, E), driver.role(busy_room, A, B, "admin"), driver.remove(busy_room, A, C),
        driver.update(busy_room, A, title="New"), driver.mute(busy_room, A), driver.leave(other, B),
    )  # fmt: skip
    await driver.execute(driver.read(busy_room, B, second))
    await sending.send(driver.deps, busy_room, B, NewMessage(client_id=new_id(), body="by HTTP"))
    await read_everything(driver, busy_room, file.attachment_id)


async def read_everything(driver: RoomsDriver, busy_room: str, attachment_id: str) -> None:
    deps = driver.deps
    for choice in (PageChoice(), PageChoice(before=9), PageChoice(after=1), PageChoice(at=1), PageChoice(around=2)):
        await reading.get_page(deps, busy_room, A, choice)
    await reading.get_snapshot(deps, busy_room, A)
    await reading.get_detail(deps, busy_room, A)
    await room_lists.list_room_lists(deps, {A: None, B: [busy_room]})
    await room_lists.get_room_list_page(deps, A, None, 20)
    await memberships.list_memberships(deps, [A, B])
    await memberships.list_revisions(deps, [A, B])
    await memberships.list_shared(deps, A, [B, C])
    await memberships.check_membership(deps, A, busy_room, [attachment_id])
    await events.list_events(deps, {busy_room: 1})
    await system_messages.list_page(deps, busy_room, A, after=3, before=12)
    await deps.publisher.catch_up([busy_room])
    await searching.search(deps, A, "hello", max_scanned=100)
    await searching.search(deps, A, "hello", busy_room, max_scanned=100)


async def test_every_statement_names_its_rooms_or_users(
    manual_driver: RoomsDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = record(rooms.storage, manual_driver.deps.database.engine.sync_engine, monkeypatch)
    await use_everything(manual_driver, await manual_driver.group(A, B, C))
    assert sorted([*recorder.functions(), *RARE]) == sorted(storage_functions(rooms.storage))
    for asked in recorder.asked:
        entered = entered_by(asked)
        assert entered, asked
        for table, columns in entered.items():
            names = {"direct_key"} if asked.function in BY_PAIR else NAMES.get(table, {"room_id", "user_id"})
            assert columns & names or table in ONE_ROW, (asked.function, table, asked.text)


@pytest.mark.parametrize(
    "statement",
    [
        select(message.c.seq).where(message.c.sender_id == A, message.c.seq == 1),
        select(member.c.role).join(message, message.c.sender_id == member.c.user_id).where(member.c.room_id == A),
        delete(message),
    ],
)
def test_statements_without_rooms_or_users_are_detected(statement: ClauseElement) -> None:
    assert not entered_by(Asked("", statement, None)).get("message")


@on_mysql
@pytest.mark.timeout(300)
async def test_how_mysql_finds_it(manual_driver: RoomsDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    busy_room = await manual_driver.group(A, B, C)
    await fill(manual_driver, busy_room)
    recorder = record(rooms.storage, manual_driver.deps.database.engine.sync_engine, monkeypatch)
    await use_everything(manual_driver, busy_room)
    plans = await explain(manual_driver.deps.database, recorder)
    check_document("rooms", plans)
    check_plans(plans, one_row=ONE_ROW, sorted_by=SORTED)


async def fill(driver: RoomsDriver, busy_room: str) -> None:
    """Insert so many rows that MySQL prefers an index to a scan of a table or a room."""
    users = [A, B, C, D, E, *(new_id() for _ in range(95))]
    ids = [new_id() for _ in range(ROOMS)]
    async with driver.deps.database.write() as db:
        await _insert(db, room, [_room(room_id) for room_id in ids])
        for number, room_id in enumerate(ids):
            some = [users[(number + 21 * membership) % len(users)] for membership in range(5)]
            await _insert(db, member, [_member(room_id, user) for user in some])
            await _insert_messages(db, room_id, some, range(1, MESSAGES + 1))
        await _insert_messages(db, busy_room, [A, B, C], range(5, DEEP + 1))
        await db.execute(room.update().where(room.c.id == busy_room).values(head_seq=DEEP, head_version=DEEP))
        await _insert(db, room_revision, [{"user_id": user, "revision": 1} for user in users[5:]])
        await _insert(db, closed_user, [{"user_id": new_id(), "at": 1} for _ in users])
        pairs = [{"user_id": user, "blocked_id": A, "version": 1, "blocked": False} for user in users]
        await _insert(db, blocked_pair, pairs)
        for table in TABLES:
            await db.execute(text(f"ANALYZE TABLE {table.name}"))


async def _insert(db: Db, table: Table, rows: list[dict[str, Any]]) -> None:
    await db.execute(table.insert(), rows)


async def _insert_messages(db: Db, room_id: str, users: list[str], seqs: range) -> None:
    await _insert(db, message, [_message(room_id, seq, users[seq % len(users)]) for seq in seqs])
    await _insert(db, room_event, [_event(room_id, seq, users[seq % len(users)]) for seq in seqs])
    await _insert(db, reaction, [_reaction(room_id, seq, users[0]) for seq in seqs[::10]])
    uses = [{"room_id": room_id, "attachment_id": new_id(), "seq": seq} for seq in seqs[::10]]
    await _insert(db, message_attachment, uses)


def _room(room_id: str) -> dict[str, Any]:
    return {"id": room_id, "kind": "group", "title": "Room", "created_at": 1, "head_version": MESSAGES,
            "head_seq": MESSAGES, "member_count": 5, "updated_at": MESSAGES}  # fmt: skip


def _member(room_id: str, user_id: str) -> dict[str, Any]:
    return {"room_id": room_id, "user_id": user_id, "read_seq": 1}


def _message(room_id: str, seq: int, sender_id: str) -> dict[str, Any]:
    return {"room_id": room_id, "seq": seq, "version": seq, "sender_id": sender_id, "client_id": new_id(),
            "digest": bytes(32), "kind": "text", "body": "What we say", "at": seq, "deleted": False,
            "reaction_count": 0, "search_text": "what we say"}  # fmt: skip


def _event(room_id: str, version: int, actor_id: str) -> dict[str, Any]:
    return {"room_id": room_id, "version": version, "at": version, "op": "message.created", "seq": version,
            "actor_id": actor_id, "command_id": new_id()}  # fmt: skip


def _reaction(room_id: str, seq: int, user_id: str) -> dict[str, Any]:
    return {"room_id": room_id, "seq": seq, "emoji": b"x", "user_id": user_id, "version": seq}
