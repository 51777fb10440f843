"""The one epoch of the rooms' logs, and where the last complete sweep began."""

import secrets

from sqlalchemy import select

from rooms.storage.tables import log_epoch, sweep
from shared.database.engine import Db, run_upsert

_ONLY = 1


async def get_epoch(db: Db) -> str:
    """Raises NoResultFound before the first start."""
    epoch: str = (await db.execute(select(log_epoch.c.epoch))).scalar_one()
    return epoch


async def ensure_epoch(db: Db) -> str:
    """The epoch, made at the first start."""
    await run_upsert(db, log_epoch, [{"id": _ONLY, "epoch": secrets.token_hex(8)}])
    return await get_epoch(db)


async def renew_epoch(db: Db) -> str:
    """Begin all logs anew; see the README for when."""
    await run_upsert(db, log_epoch, [{"id": _ONLY, "epoch": secrets.token_hex(8)}], replace=("epoch",))
    return await get_epoch(db)


async def get_last_sweep(db: Db) -> int:
    """When the last complete sweep began; 0 if there was none."""
    return (await db.execute(select(sweep.c.began_at))).scalar() or 0


async def set_last_sweep(db: Db, began_at: int) -> None:
    await run_upsert(db, sweep, [{"id": _ONLY, "began_at": began_at}], greatest=("began_at",))
