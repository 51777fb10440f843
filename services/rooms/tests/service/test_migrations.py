from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from rooms.domain.digests import FORGOTTEN
from rooms.domain.state import direct_key
from rooms.main import MIGRATIONS
from rooms.settings import RoomsSettings
from rooms.storage.tables import TABLES, blocked_pair, member, message, room
from shared.database.engine import Database, run_insert
from shared.database.migrations import migrate
from shared.ids import new_id
from shared.testing.fixtures import on_each_database, on_servers
from shared.testing.migrations import check_migrations, check_older_start, check_one_back, check_starting_at_once

pytestmark = pytest.mark.empty_database
BEFORE_SEARCH, BEFORE_FORGETTING, BEFORE_SILENCED = "0001", "0003", "0004"


@on_each_database
async def test_migrations_produce_the_schema_of_the_tables(settings: RoomsSettings) -> None:
    database = Database(settings.database_url)
    await check_migrations(database, MIGRATIONS, TABLES)
    await database.close()


def _message(room_id: str, seq: int) -> dict[str, Any]:
    return {
        "room_id": room_id, "seq": seq, "version": seq, "sender_id": room_id, "client_id": new_id(),
        "digest": bytes(32), "kind": "text", "body": f"ＡＢＣ {seq}" if seq % 2 else "", "at": seq, "deleted": False,
        "reaction_count": 0,
    }  # fmt: skip


@on_each_database
@pytest.mark.parametrize("interrupted", [False, True])
async def test_existing_messages_become_searchable(settings: RoomsSettings, interrupted: bool) -> None:
    """A batch of the migration ends within a room. After an interrupted attempt MySQL already has the new column."""
    database = Database(settings.database_url)
    await migrate(database, MIGRATIONS, BEFORE_SEARCH)
    async with database.write() as db:
        rows = [_message(room_id, seq) for room_id in (new_id(), new_id(), new_id()) for seq in range(1, 401)]
        await db.execute(message.insert(), rows)
        if interrupted:
            await db.execute(text("ALTER TABLE message ADD COLUMN search_text TEXT"))
    await migrate(database, MIGRATIONS)
    async with database.read() as db:
        found = (await db.execute(text("SELECT seq, search_text FROM message"))).all()
    assert len(found) == 1200
    assert all(text == (f"abc {seq}" if seq % 2 else None) for seq, text in found)
    await database.close()


@on_each_database
@pytest.mark.parametrize("interrupted", [False, True])
async def test_existing_blocks_silence(settings: RoomsSettings, interrupted: bool) -> None:
    """Members of direct rooms, in several batches. Of two, one has blocked the other, and has unblocked a third."""
    database = Database(settings.database_url)
    await migrate(database, MIGRATIONS, BEFORE_SILENCED)
    names = [new_id() for _ in range(1203)]
    blockers, blocked, friend = names[:600], names[600:1200], names[1200]
    pairs = [(user, other, True) for user, other in zip(blockers, blocked, strict=True)]
    pairs += [(blockers[0], friend, False)]
    async with database.write() as db:
        for user, other, is_blocked in pairs:
            room_id, key = new_id(), direct_key(user, other)
            numbers = dict.fromkeys(("created_at", "head_version", "head_seq", "updated_at"), 1)
            await run_insert(
                db, room,
                [{"id": room_id, "kind": "direct", "title": "", "direct_key": key, "member_count": 2, **numbers}],
            )  # fmt: skip
            await run_insert(db, member, [{"room_id": room_id, "user_id": one, "read_seq": 0} for one in (user, other)])
            pair = {"user_id": user, "blocked_id": other, "version": 1, "blocked": is_blocked}
            await run_insert(db, blocked_pair, [pair])
        if interrupted:
            await db.execute(text("ALTER TABLE member ADD COLUMN silenced BOOLEAN NOT NULL DEFAULT 0"))
    await migrate(database, MIGRATIONS)
    async with database.read() as db:
        found = (await db.execute(select(member.c.user_id).where(member.c.silenced.is_(True)))).scalars().all()
    assert sorted(found) == sorted(blocked)
    await database.close()


@on_each_database
async def test_digests_of_changed_messages_are_forgotten(settings: RoomsSettings) -> None:
    """Batches end within a room. A second attempt, after an interrupted one, changes nothing else."""
    database = Database(settings.database_url)
    await migrate(database, MIGRATIONS, BEFORE_FORGETTING)
    digest = bytes(range(32))
    changes = ({}, {"deleted": True, "body": ""}, {"edited_at": 7})
    async with database.write() as db:
        rows = [_message(room_id, seq) | {"digest": digest} for room_id in (new_id(), new_id()) for seq in range(600)]
        for changed in changes:
            chosen = [row | changed for row in rows if row["seq"] % 3 == changes.index(changed)]
            await db.execute(message.insert(), chosen)
    for _ in range(2):
        await migrate(database, MIGRATIONS)
        async with database.read() as db:
            found = (await db.execute(select(message.c.seq, message.c.digest))).all()
        assert len(found) == 1200
        assert all(found == (digest if seq % 3 == 0 else FORGOTTEN) for seq, found in found)
        await migrate(database, MIGRATIONS, BEFORE_FORGETTING)
    await database.close()


@on_servers
async def test_concurrent_starts_succeed(settings: RoomsSettings) -> None:
    await check_starting_at_once(settings.database_url, MIGRATIONS)


@on_each_database
async def test_the_previous_version_writes_to_this_schema(settings: RoomsSettings) -> None:
    database = Database(settings.database_url)
    await check_one_back(database, MIGRATIONS, message={"deleted": False})
    await database.close()


@on_each_database
async def test_the_previous_version_starts_on_this_schema(settings: RoomsSettings, tmp_path: Path) -> None:
    database = Database(settings.database_url)
    await check_older_start(database, MIGRATIONS, tmp_path / "older")
    await database.close()
