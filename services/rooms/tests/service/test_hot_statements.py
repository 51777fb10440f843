"""Every statement of everyday use names its rooms or its users, and MySQL finds what it asks for by a key."""

from typing import Any

import pytest
from sqlalchemy import Table, delete, select, text

import rooms.storage
from rooms.service import events, homes, lines, reading, searching, sending
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
from shared.contracts.rooms import PageChoice
from shared.database.engine import Db
from shared.ids import new_id
from shared.testing.fixtures import on_mysql
from shared.testing.plans import check_document, check_plans, explain
from shared.testing.statements import Asked, entered_by, record, storage_functions

A, B, C, D, E = (new_id() for _ in range(5))
RARE = {
    "epochs.ensure_epoch": "at the start",
    "epochs.get_last_sweep": "at each sweep",
    "epochs.renew_epoch": "after a restore",
    "epochs.set_last_sweep": "at each sweep",
    "members.list_rooms_of": "when an account is closed",
    "people.set_blocked": "when someone is blocked",
    "people.set_closed": "when an account is closed",
    "room_events.first_kept": "for a stream that ends before what is kept",
    "room_events.remove_older": "trims, in the background",
    "rooms.list_changed": "at each sweep",
}
NAMES = {"room": {"id"}}
ONE_ROW = {"log_epoch"}
"""Tables of one row, which every database can hold."""
SORTED = {
    "homes.list_seats": "the rooms of one person, at most 1,000",
    "members.list_members": "the members of one room, at most 2,000",
    "reactions.list_reactions": "the reactions to the messages of a page",
    "search.find_in": "what is found among 20,000 messages at most",
    "search.list_reaches": "a few places of each room of one person",
}
"""What is sorted rather than read in order, and how much that is."""
ROOMS, MESSAGES, DEEP = 300, 40, 2_000
BY_PAIR = {"rooms.find_direct"}
"""Finds a direct room by its two people: where rooms are spread, that takes an index over all of them."""


async def use(house: Any, here: str) -> None:
    """All that people and gateways do day by day, for the most part in one room, in which A, B and C are."""
    direct, other = await house.direct(A, new_id()), await house.group(B, C)
    file = Attachment(attachment_id=new_id(), filename="f.txt", content_type="text/plain", size=3, url="/x")
    sent = await house.do(
        house.say(here, A, attachments=[file]), house.say(here, A, mentions=[B]), house.say(direct, A)
    )
    first, second = sent[0].seq, sent[1].seq
    await house.do(house.react(here, B, first), house.react(here, B, second))
    await house.do(
        house.say(here, A), house.edit(here, A, second, "x"), house.react(here, C, second),
        house.react(here, B, second, remove=True), house.delete(here, A, first), house.invite(here, A, D, E),
        house.role(here, A, B, "admin"), house.remove(here, A, C), house.update(here, A, title="New"),
        house.mute(here, A), house.leave(other, B),
    )  # fmt: skip
    await house.do(house.read(here, B, second))
    await sending.send(house.deps, here, B, client_id=new_id(), attachment_ids=[], body="by HTTP")
    await read(house, here, file.attachment_id)


async def read(house: Any, here: str, attachment_id: str) -> None:
    deps = house.deps
    for choice in (PageChoice(), PageChoice(before=9), PageChoice(after=1), PageChoice(at=1), PageChoice(around=2)):
        await reading.get_page(deps, here, A, choice)
    await reading.enter(deps, here, A)
    await reading.get_detail(deps, here, A)
    await homes.list_homes(deps, {A: None, B: [here]})
    await homes.get_home_page(deps, A, None, 20)
    await homes.list_memberships(deps, [A, B])
    await homes.list_revisions(deps, [A, B])
    await homes.list_shared(deps, A, [B, C])
    await homes.get_membership(deps, A, here, [attachment_id])
    await events.list_events(deps, {here: 1})
    await lines.list_lines(deps, here, A, after=3, before=12)
    await deps.publisher.catch_up([here])
    await searching.search(deps, A, "hello", scanned=100)
    await searching.search(deps, A, "hello", here, scanned=100)


async def test_each_names_its_rooms_or_its_users(quiet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = record(rooms.storage, quiet.deps.database.engine.sync_engine, monkeypatch)
    await use(quiet, await quiet.group(A, B, C))
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
def test_what_names_none_is_seen(statement: Any) -> None:
    assert not entered_by(Asked("", statement, None)).get("message")


@on_mysql
@pytest.mark.timeout(300)
async def test_how_mysql_finds_it(quiet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    here = await quiet.group(A, B, C)
    await fill(quiet, here)
    recorder = record(rooms.storage, quiet.deps.database.engine.sync_engine, monkeypatch)
    await use(quiet, here)
    plans = await explain(quiet.deps.database, recorder)
    check_document("rooms", plans)
    check_plans(plans, one_row=ONE_ROW, sorted_by=SORTED)


async def fill(house: Any, here: str) -> None:
    """So much that to read a whole table, or a whole room, is the worse way."""
    people = [A, B, C, D, E, *(new_id() for _ in range(95))]
    ids = [new_id() for _ in range(ROOMS)]
    async with house.deps.database.write() as db:
        await _write(db, room, [_room(room_id) for room_id in ids])
        for number, room_id in enumerate(ids):
            some = [people[(number + 21 * membership) % len(people)] for membership in range(5)]
            await _write(db, member, [_member(room_id, user) for user in some])
            await _talk(db, room_id, some, range(1, MESSAGES + 1))
        await _talk(db, here, [A, B, C], range(5, DEEP + 1))
        await db.execute(room.update().where(room.c.id == here).values(head_seq=DEEP, head_version=DEEP))
        await _write(db, room_revision, [{"user_id": user, "revision": 1} for user in people[5:]])
        await _write(db, closed_user, [{"user_id": new_id(), "at": 1} for _ in people])
        pairs = [{"user_id": user, "blocked_id": A, "version": 1, "blocked": False} for user in people]
        await _write(db, blocked_pair, pairs)
        for table in TABLES:
            await db.execute(text(f"ANALYZE TABLE {table.name}"))


async def _write(db: Db, table: Table, rows: list[dict[str, Any]]) -> None:
    await db.execute(table.insert(), rows)


async def _talk(db: Db, room_id: str, people: list[str], seqs: range) -> None:
    await _write(db, message, [_message(room_id, seq, people[seq % len(people)]) for seq in seqs])
    await _write(db, room_event, [_event(room_id, seq, people[seq % len(people)]) for seq in seqs])
    await _write(db, reaction, [_reaction(room_id, seq, people[0]) for seq in seqs[::10]])
    uses = [{"room_id": room_id, "attachment_id": new_id(), "seq": seq} for seq in seqs[::10]]
    await _write(db, message_attachment, uses)


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
