"""Reactions to messages. `message.reaction_count` counts them, so that nobody reads where there are none."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from sqlalchemy import bindparam, delete, func, insert, select, tuple_

from rooms.domain.state import MessageKey, ReactionKey
from rooms.storage.tables import reaction
from shared.database.engine import Db

_message = (reaction.c.room_id, reaction.c.seq)
_key = (*_message, reaction.c.emoji, reaction.c.user_id)
_by_message = tuple_(*_message).in_(bindparam("keys", expanding=True))
_by_key = tuple_(*_key).in_(bindparam("keys", expanding=True))
_there = select(*_key).where(_by_key)
_kinds = select(*_message, reaction.c.emoji, func.count()).where(_by_message).group_by(*_message, reaction.c.emoji)
_all = select(*_key).where(_by_message).order_by(*_message, reaction.c.version)
_remove = delete(reaction).where(_by_key)
_clear = delete(reaction).where(_by_message)


def _stored(keys: Collection[ReactionKey]) -> list[tuple[str, int, bytes, str]]:
    return [(room_id, seq, emoji.encode(), user_id) for room_id, seq, emoji, user_id in keys]


async def find_reactions(db: Db, keys: Collection[ReactionKey]) -> set[ReactionKey]:
    """Those of `keys` that are there."""
    rows = await db.execute(_there, {"keys": _stored(keys)})
    return {(room_id, seq, emoji.decode(), user_id) for room_id, seq, emoji, user_id in rows}


async def count_kinds(db: Db, keys: Collection[MessageKey]) -> dict[MessageKey, dict[str, int]]:
    """How often each emoji stands at each message."""
    kinds: dict[MessageKey, dict[str, int]] = defaultdict(dict)
    for room_id, seq, emoji, count in await db.execute(_kinds, {"keys": list(keys)}):
        kinds[room_id, seq][emoji.decode()] = count
    return dict(kinds)


async def list_reactions(db: Db, keys: Collection[MessageKey]) -> dict[MessageKey, dict[str, list[str]]]:
    """Who reacted with what, in the order in which it came; messages without reactions are left out."""
    found: dict[MessageKey, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    if keys:
        for room_id, seq, emoji, user_id in await db.execute(_all, {"keys": list(keys)}):
            found[room_id, seq][emoji.decode()].append(user_id)
    return {key: dict(reactions) for key, reactions in found.items()}


async def clear_reactions(db: Db, keys: Collection[MessageKey]) -> None:
    if keys:
        await db.execute(_clear, {"keys": list(keys)})


async def save_reactions(db: Db, changes: Mapping[ReactionKey, int | None], there: Collection[ReactionKey]) -> None:
    """Remove what is `there`, then add what came, with the version of its event."""
    if gone := [key for key in changes if key in there]:
        await db.execute(_remove, {"keys": _stored(gone)})
    rows = [
        {"room_id": key[0], "seq": key[1], "emoji": key[2].encode(), "user_id": key[3], "version": version}
        for key, version in changes.items()
        if version is not None
    ]
    if rows:
        await db.execute(insert(reaction), rows)
