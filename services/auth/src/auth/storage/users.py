"""The table of accounts. Changes happen under the account's row lock."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, insert, select, update

from auth.domain.accounts import OpenAccount
from auth.domain.identity import email_key, webchat_id_hash
from auth.storage.tables import user
from shared.contracts.auth import Account
from shared.database.engine import Db

_open = select(
    user.c.id, user.c.email, user.c.webchat_id, user.c.display_name, user.c.password_hash, user.c.version
).where(user.c.closed_at.is_(None))


def _account(row: Row[*tuple[Any, ...]] | None) -> OpenAccount | None:
    if row is None:
        return None
    user_id, email, webchat_id, display_name, password_hash, version = row
    return OpenAccount(
        user_id=user_id,
        email=email,
        webchat_id=webchat_id,
        display_name=display_name,
        password_hash=password_hash,
        version=version,
    )


async def find_user(db: Db, user_id: str, *, lock: bool = False) -> OpenAccount | None:
    """Return the open account. `lock` holds its row until the transaction ends."""
    statement = _open.where(user.c.id == user_id)
    return _account((await db.execute(statement.with_for_update() if lock else statement)).first())


async def find_by_login(db: Db, key: str) -> OpenAccount | None:
    """Find the open account of a login; `key` is from `login_key`."""
    column = user.c.email_key == key if "@" in key else user.c.webchat_id_hash == webchat_id_hash(key)
    return _account((await db.execute(_open.where(column))).first())


async def taken_names(db: Db, webchat_id: str, email: str) -> set[str]:
    """Return which of `webchat_id` and `email` are taken. The WebChat ID of a closed account stays taken."""
    id_hash, key = webchat_id_hash(webchat_id), email_key(email)
    statement = select(user.c.webchat_id_hash, user.c.email_key)
    rows = (await db.execute(statement.where((user.c.webchat_id_hash == id_hash) | (user.c.email_key == key)))).all()
    taken = {"webchat_id" for found, _ in rows if found == id_hash}
    return taken | {"email" for _, found in rows if found == key}


async def insert_user(db: Db, new: OpenAccount, now: int) -> None:
    """Raises IntegrityError if the email address or the WebChat ID is taken."""
    await db.execute(
        insert(user).values(
            id=new.user_id,
            webchat_id=new.webchat_id,
            webchat_id_hash=webchat_id_hash(new.webchat_id),
            email=new.email,
            email_key=email_key(new.email),
            display_name=new.display_name,
            name_version=0,
            password_hash=new.password_hash,
            version=new.version,
            created_at=now,
            closed_at=None,
        )
    )


async def set_display_name(db: Db, user_id: str, display_name: str, version: int) -> None:
    """Set the name unless the account is closed or has a newer one."""
    older = (user.c.id == user_id) & (user.c.name_version < version) & user.c.closed_at.is_(None)
    await db.execute(update(user).where(older).values(display_name=display_name, name_version=version))


async def set_password(db: Db, user_id: str, password_hash: str) -> None:
    await db.execute(update(user).where(user.c.id == user_id).values(password_hash=password_hash))


async def anonymise_user(db: Db, user_id: str, version: int, now: int) -> None:
    """Close the account: remove personal data, keep the id and the hash of the WebChat ID."""
    gone = {"webchat_id": None, "email": None, "email_key": None, "display_name": "", "password_hash": ""}
    await db.execute(update(user).where(user.c.id == user_id).values(**gone, version=version, closed_at=now))


async def list_accounts(db: Db, user_ids: Sequence[str]) -> list[Account]:
    """Return the open accounts among these, in no particular order."""
    columns = (user.c.id, user.c.webchat_id, user.c.display_name, user.c.version)
    rows = await db.execute(select(*columns).where(user.c.id.in_(user_ids), user.c.closed_at.is_(None)))
    return [Account(user_id=row[0], webchat_id=row[1], display_name=row[2], version=row[3]) for row in rows]
