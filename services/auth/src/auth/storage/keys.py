"""The table of signing keys. The private part is encrypted; `generation` is unique."""

import msgspec
from sqlalchemy import delete, insert, select

from auth.storage.tables import signing_key
from shared.database.engine import Db


class StoredKey(msgspec.Struct, frozen=True):
    generation: int
    kid: str
    public_jwk: str
    sealed_jwk: bytes
    created_at: int


async def list_keys(db: Db) -> list[StoredKey]:
    """Return all keys, the newest first."""
    columns = [signing_key.c[name] for name in StoredKey.__struct_fields__]
    return [StoredKey(*row) for row in await db.execute(select(*columns).order_by(signing_key.c.generation.desc()))]


async def insert_key(db: Db, key: StoredKey) -> None:
    """Raises IntegrityError if another process inserted this generation first."""
    await db.execute(insert(signing_key).values(msgspec.structs.asdict(key)))


async def delete_keys(db: Db, generations: list[int]) -> None:
    await db.execute(delete(signing_key).where(signing_key.c.generation.in_(generations)))
