"""Reactions to messages. `message.reaction_count` saves the query for messages without reactions."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from sqlalchemy import bindparam, delete, func, select, tuple_

from rooms.domain.state import MessageKey, ReactionKey
from rooms.storage.tables import reaction
from shared.database.compiled import CompiledStatement
from shared.database.engine import Db, run_insert

_message = (reaction.c.room_id, reaction.c.seq)
_key = (*_message, reaction.c.emoji, reaction.c.user_id)
_by_message = tuple_(*_message).in_(bindparam("keys", expanding=True))
_by_key = tuple_(*_key).in_(bindparam("keys", expanding=True))
_existing = CompiledStatement(select(*_key).where(_by_key))
_counts = CompiledStatement(
    select(*_message, reaction.c.emoji, func.count()).where(_by_message).group_by(*_message, reaction.c.emoji)
)
_all = CompiledStatement(select(*_key).where(_by_message).order_by(*_message, reaction.c.version))
_remove = CompiledStatement(delete(reaction).where(_by_key))
_clear = CompiledStatement(delete(reaction).where(_by_message))


def _to_columns(keys: Collection[ReactionKey]) -> list[tuple[str, int, bytes, str]]:
    return [(room_id, seq, emoji.encode(), user_id) for room_id, seq, emoji, user_id in keys]


async def find_reactions(db: Db, keys: Collection[ReactionKey]) -> set[ReactionKey]:
    """Return the given reactions that exist."""
    rows = await db.fetch(_existing, {"keys": _to_columns(keys)})
    return {(room_id, seq, emoji.decode(), user_id) for room_id, seq, emoji, user_id in rows}


async def count_emoji(db: Db, keys: Collection[MessageKey]) -> dict[MessageKey, dict[str, int]]:
    """Return the number of reactions per emoji of each message."""
    counts: dict[MessageKey, dict[str, int]] = defaultdict(dict)
    for room_id, seq, emoji, count in await db.fetch(_counts, {"keys": list(keys)}):
        counts[room_id, seq][emoji.decode()] = count
    return dict(counts)


async def list_reactions(db: Db, keys: Collection[MessageKey]) -> dict[MessageKey, dict[str, list[str]]]:
    """Return the users per emoji of each message, in the order of their reactions. Others are omitted."""
    found: dict[MessageKey, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    if keys:
        for room_id, seq, emoji, user_id in await db.fetch(_all, {"keys": list(keys)}):
            found[room_id, seq][emoji.decode()].append(user_id)
    return {key: dict(reactions) for key, reactions in found.items()}


async def clear_reactions(db: Db, keys: Collection[MessageKey]) -> None:
    if keys:
        await db.run(_clear, [{"keys": list(keys)}])


async def save_reactions(db: Db, changes: Mapping[ReactionKey, int | None], existing: Collection[ReactionKey]) -> None:
    """Remove the changed reactions that exist, then insert those with a version."""
    if replaced := [key for key in changes if key in existing]:
        await db.run(_remove, [{"keys": _to_columns(replaced)}])
    rows = [
        {"room_id": key[0], "seq": key[1], "emoji": key[2].encode(), "user_id": key[3], "version": version}
        for key, version in changes.items()
        if version is not None
    ]
    await run_insert(db, reaction, rows)
