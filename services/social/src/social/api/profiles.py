"""Routes of profiles, below /api/social/profiles."""

from fastapi import APIRouter

from shared.contracts.social import Profile
from shared.web.callers import Caller, PathId
from shared.web.cursors import Cursor
from shared.web.openapi import Page
from shared.web.routing import StructRoute
from shared.web.shedding import SHED_UNDER_LOAD
from social.api.dependencies import Deps
from social.api.schemas import MAX_BODY_BYTES, Limit, ProfileChange, SearchText, UserIds
from social.service import profiles

router = APIRouter(
    prefix="/api/social/profiles", tags=["profiles"], max_body_size=MAX_BODY_BYTES, route_class=StructRoute
)


@router.get("")
async def list_profiles(deps: Deps, caller: Caller, user_ids: UserIds) -> Page[Profile]:
    """Return the profiles of up to 200 users, in the order of the ids. Users without an account are left out."""
    return await profiles.list_profiles(deps, caller.subject, user_ids)


@router.get("/search", dependencies=[SHED_UNDER_LOAD])
async def search(
    deps: Deps,
    caller: Caller,
    webchat_id: SearchText,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Page[Profile]:
    """Search for a WebChat ID: the exact match first, then IDs that begin with it.

    A text that cannot be part of a WebChat ID searches the display names of the people whom I follow: as a substring,
    or as initial consonants (ㄱㅁㅈ finds 김민지).
    """
    return await profiles.search(deps, caller.subject, webchat_id, cursor, limit)


@router.get("/me")
async def get_mine(deps: Deps, caller: Caller) -> Profile:
    return await profiles.get_profile(deps, caller.subject, caller.subject)


@router.patch("/me")
async def change_mine(deps: Deps, caller: Caller, body: ProfileChange) -> Profile:
    """Change the given fields. Followers see the change at once."""
    return await profiles.change_profile(deps, caller.subject, body.columns())


@router.get("/{user_id}")
async def get_profile(deps: Deps, caller: Caller, user_id: PathId) -> Profile:
    return await profiles.get_profile(deps, caller.subject, user_id)
