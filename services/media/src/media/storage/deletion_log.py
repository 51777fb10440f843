"""The deletion log, and the closed accounts."""

from collections.abc import Collection, Sequence

from sqlalchemy import select, update

from media.domain.attachments import StoredAttachment
from media.storage.tables import closed_account, deletion_log
from shared.database.engine import Db, run_upsert


async def log_deletions(db: Db, gone: Sequence[StoredAttachment], cause: str, now: int) -> None:
    """Log the intended deletions. An attachment that is in the log already keeps its entry."""
    rows = [
        {"attachment_id": one.id, "cause": cause, "size": one.size, "asked_at": now, "deleted_at": None} for one in gone
    ]
    await run_upsert(db, deletion_log, rows)


async def complete_deletions(db: Db, ids: Collection[str], now: int) -> None:
    incomplete = deletion_log.c.attachment_id.in_(sorted(ids)) & deletion_log.c.deleted_at.is_(None)
    await db.execute(update(deletion_log).where(incomplete).values(deleted_at=now))


async def add_closed_account(db: Db, user_id: str, at: int) -> None:
    await run_upsert(db, closed_account, [{"user_id": user_id, "at": at}])


async def is_closed(db: Db, user_id: str) -> bool:
    found = await db.execute(select(closed_account.c.user_id).where(closed_account.c.user_id == user_id))
    return found.first() is not None
