"""Receipts of deletion, and the accounts that are closed."""

from collections.abc import Collection, Sequence

from sqlalchemy import select, update

from media.domain.attachments import StoredAttachment
from media.storage.tables import closed_account, deletion_receipt
from shared.database.engine import Db, run_upsert


async def ask_receipts(db: Db, gone: Sequence[StoredAttachment], cause: str, now: int) -> None:
    """One for each; those that have one keep it."""
    rows = [
        {"attachment_id": one.id, "cause": cause, "size": one.size, "asked_at": now, "deleted_at": None} for one in gone
    ]
    await run_upsert(db, deletion_receipt, rows)


async def complete_receipts(db: Db, ids: Collection[str], now: int) -> None:
    open_ones = deletion_receipt.c.attachment_id.in_(sorted(ids)) & deletion_receipt.c.deleted_at.is_(None)
    await db.execute(update(deletion_receipt).where(open_ones).values(deleted_at=now))


async def add_closed_account(db: Db, user_id: str, at: int) -> None:
    await run_upsert(db, closed_account, [{"user_id": user_id, "at": at}])


async def is_closed(db: Db, user_id: str) -> bool:
    found = await db.execute(select(closed_account.c.user_id).where(closed_account.c.user_id == user_id))
    return found.first() is not None
