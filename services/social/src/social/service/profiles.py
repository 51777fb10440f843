"""Profiles: asked for by id, found by WebChat ID, changed by their owner."""

from collections.abc import Sequence

from shared.contracts.media import Avatar, AvatarRequest
from shared.contracts.social import Profile
from shared.database.engine import Db
from shared.errors import Invalid, NotFound
from shared.events.social import ProfileRenamed
from shared.outbox.table import record_events
from shared.web.cursors import cursor_of, read_cursor
from shared.web.openapi import Page
from social.domain.names import finder
from social.domain.search import prefix_range
from social.service.announce import announce_to_followers
from social.service.dependencies import Dependencies
from social.service.known import ensure_known
from social.storage import people
from social.storage.follows import friends_of
from social.storage.revisions import raise_followers


async def list_profiles(deps: Dependencies, asker: str, user_ids: Sequence[str]) -> Page:
    """In the order asked for; without those who have no account."""
    wanted = list(dict.fromkeys(user_ids))
    async with deps.database.read() as db:
        found = await people.find_profiles(db, asker, wanted)
    if len(found) < len(wanted):
        await ensure_known(deps, wanted)
        async with deps.database.read() as db:
            found = await people.find_profiles(db, asker, wanted)
    return Page([found[user_id] for user_id in wanted if user_id in found])


async def get_profile(deps: Dependencies, asker: str, user_id: str) -> Profile:
    page = await list_profiles(deps, asker, [user_id])
    if not page.items:
        raise NotFound("There is no such person.")
    profile: Profile = page.items[0]
    return profile


async def search(deps: Dependencies, asker: str, typed: str, cursor: str | None, limit: int) -> Page:
    """People by WebChat ID, or else those whom the asker follows by name; in the order of their ids."""
    after = None if cursor is None else read_cursor(cursor, str)
    span = prefix_range(typed)
    async with deps.database.read() as db:
        if span is None:
            found = await _find_followed(db, asker, typed, after or "")
        else:
            found = await people.list_by_webchat_id(db, asker, span, limit + 1, after)
    return Page(found[:limit], cursor_of(found[limit - 1].webchat_id) if len(found) > limit else None)


async def _find_followed(db: Db, asker: str, typed: str, after: str) -> list[Profile]:
    """At most 2,000 are read: nobody follows more."""
    is_named = finder(typed)
    followed = (await friends_of(db, [asker]))[asker]
    found = [one for one in followed if one.webchat_id > after and is_named(one.display_name)]
    return sorted(found, key=lambda one: one.webchat_id)


async def _check_avatar(deps: Dependencies, me: str, attachment_id: str) -> None:
    """Raises Invalid unless media has it as an avatar of mine, Unavailable where media does not answer."""
    try:
        await deps.media.call("avatars", AvatarRequest(user_id=me, attachment_id=attachment_id), Avatar)
    except NotFound as error:
        field = {"avatar_attachment_id": "is no avatar that you stored"}
        raise Invalid("Some fields are not acceptable.", errors=field) from error


async def _record_name(db: Db, me: str, display_name: str) -> None:
    version = await people.count_name(db, me)
    await record_events(db, ProfileRenamed(user_id=me, display_name=display_name, version=version))


async def change_profile(deps: Dependencies, me: str, changes: dict[str, str | None]) -> Profile:
    """Set what is named in `changes`; followers hear of it only if something is different."""
    await ensure_known(deps, [me])
    if (avatar_id := changes.get("avatar_id")) is not None:
        await _check_avatar(deps, me, avatar_id)

    async def change(db: Db) -> set[str]:
        changed = await people.change_person(db, me, changes)  # from here on nobody begins to follow me, see follows
        if changed:
            await raise_followers(db, me)
        if "display_name" in changed:
            await _record_name(db, me, str(changes["display_name"]))
        return changed

    if await deps.database.transact(change):
        deps.relay.wake()
        await announce_to_followers(deps, me)
    return await get_profile(deps, me, me)
