"""Profiles: reading by id, searching, and changing your own."""

from collections.abc import Sequence

from shared.contracts.media import Avatar, AvatarRequest
from shared.contracts.social import Profile
from shared.database.engine import Db
from shared.errors import Invalid, NotFound
from shared.events.social import ProfileRenamed
from shared.outbox.table import record_events
from shared.web.cursors import cursor_of, read_cursor
from shared.web.openapi import Page
from social.domain.names import name_matcher
from social.domain.search import prefix_range
from social.service.accounts import ensure_registered
from social.service.dependencies import Dependencies
from social.service.notifications import notify_followers
from social.storage import people
from social.storage.follows import friends_of
from social.storage.revisions import raise_followers


async def list_profiles(deps: Dependencies, caller: str, user_ids: Sequence[str]) -> Page[Profile]:
    """Return the profiles in the order of the ids. Users without an account are left out."""
    wanted = list(dict.fromkeys(user_ids))
    async with deps.database.read() as db:
        found = await people.find_profiles(db, caller, wanted)
    if len(found) < len(wanted):
        await ensure_registered(deps, wanted)
        async with deps.database.read() as db:
            found = await people.find_profiles(db, caller, wanted)
    return Page([found[user_id] for user_id in wanted if user_id in found])


async def get_profile(deps: Dependencies, caller: str, user_id: str) -> Profile:
    page = await list_profiles(deps, caller, [user_id])
    if not page.items:
        raise NotFound("There is no such person.")
    profile: Profile = page.items[0]
    return profile


async def search(deps: Dependencies, caller: str, typed: str, cursor: str | None, limit: int) -> Page[Profile]:
    """Search all people by WebChat ID, or the people whom the caller follows by name; sorted by WebChat ID."""
    after = None if cursor is None else read_cursor(cursor, str)
    span = prefix_range(typed)
    async with deps.database.read() as db:
        if span is None:
            found = await _find_followed(db, caller, typed, after or "")
        else:
            found = await people.list_by_webchat_id(db, caller, span, limit + 1, after)
    return Page(found[:limit], cursor_of(found[limit - 1].webchat_id) if len(found) > limit else None)


async def _find_followed(db: Db, caller: str, typed: str, after: str) -> list[Profile]:
    """Search the followed people by name. At most 2,000 are read, because nobody follows more."""
    matches = name_matcher(typed)
    followed = (await friends_of(db, [caller]))[caller]
    found = [one for one in followed if one.webchat_id > after and matches(one.display_name)]
    return sorted(found, key=lambda one: one.webchat_id)


async def _check_avatar(deps: Dependencies, me: str, attachment_id: str) -> None:
    """Raises Invalid unless this is an avatar that the user uploaded, Unavailable if media does not answer."""
    try:
        await deps.media.call("avatars", AvatarRequest(user_id=me, attachment_id=attachment_id), Avatar)
    except NotFound as error:
        field = {"avatar_attachment_id": "is not an avatar that you uploaded"}
        raise Invalid("Some fields are not acceptable.", errors=field) from error


async def _record_name(db: Db, me: str, display_name: str) -> None:
    version = await people.count_name(db, me)
    await record_events(db, ProfileRenamed(user_id=me, display_name=display_name, version=version))


async def change_profile(deps: Dependencies, me: str, changes: dict[str, str | None]) -> Profile:
    """Set the columns in `changes`. Followers are notified only if a value differs."""
    await ensure_registered(deps, [me])
    if (avatar_id := changes.get("avatar_id")) is not None:
        await _check_avatar(deps, me, avatar_id)

    async def change(db: Db) -> set[str]:
        changed = await people.change_person(db, me, changes)  # locks the row, so that nobody begins to follow me
        if changed:
            await raise_followers(db, me)
        if "display_name" in changed:
            await _record_name(db, me, str(changes["display_name"]))
        return changed

    if await deps.database.transact(change):
        deps.relay.wake()
        await notify_followers(deps, me)
    return await get_profile(deps, me, me)
