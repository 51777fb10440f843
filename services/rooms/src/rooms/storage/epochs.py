"""The epoch of all room logs, and the start of the last complete sweep."""

import secrets

from sqlalchemy import select

from rooms.storage.tables import log_epoch, sweep
from shared.database.engine import Db, run_upsert

_ONLY_ID = 1


async def get_epoch(db: Db) -> str:
    """Return the epoch. Raises NoResultFound before the first start of the service."""
    epoch: str = (await db.execute(select(log_epoch.c.epoch))).scalar_one()
    return epoch


async def ensure_epoch(db: Db) -> str:
    """Return the epoch. Create it at the first start of the service."""
    await run_upsert(db, log_epoch, [{"id": _ONLY_ID, "epoch": secrets.token_hex(8)}])
    return await get_epoch(db)


async def renew_epoch(db: Db) -> str:
    """Replace the epoch, which starts a new history of all rooms. The README says when this is necessary."""
    await run_upsert(db, log_epoch, [{"id": _ONLY_ID, "epoch": secrets.token_hex(8)}], replace=("epoch",))
    return await get_epoch(db)


async def get_last_sweep(db: Db) -> int:
    """Return the start of the last complete sweep, 0 if there was none."""
    return (await db.execute(select(sweep.c.began_at))).scalar() or 0


async def set_last_sweep(db: Db, began_at: int) -> None:
    await run_upsert(db, sweep, [{"id": _ONLY_ID, "began_at": began_at}], greatest=("began_at",))
