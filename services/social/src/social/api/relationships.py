"""Routes of follows and blocks, below /api/social."""

from fastapi import APIRouter

from shared.contracts.social import Profile
from shared.web.callers import Caller, PathId
from shared.web.cursors import Cursor
from shared.web.openapi import Page
from shared.web.routing import StructRoute
from social.api.dependencies import Deps
from social.api.schemas import MAX_BODY_BYTES, Limit
from social.service import blocks, follows

router = APIRouter(prefix="/api/social", tags=["following"], max_body_size=MAX_BODY_BYTES, route_class=StructRoute)


@router.get("/following")
async def list_following(deps: Deps, caller: Caller, cursor: Cursor = None, limit: Limit = 100) -> Page[Profile]:
    """List the people whom I follow, the newest first."""
    return await follows.list_following(deps, caller.subject, cursor, limit)


@router.get("/followers")
async def list_followers(deps: Deps, caller: Caller, cursor: Cursor = None, limit: Limit = 100) -> Page[Profile]:
    """List the people who follow me, the newest first."""
    return await follows.list_followers(deps, caller.subject, cursor, limit)


@router.put("/following/{user_id}", status_code=204)
async def follow(deps: Deps, caller: Caller, user_id: PathId) -> None:
    """Follow a person: at most 2,000, and nobody with whom there is a block."""
    await follows.follow(deps, caller.subject, user_id)


@router.delete("/following/{user_id}", status_code=204)
async def unfollow(deps: Deps, caller: Caller, user_id: PathId) -> None:
    await follows.unfollow(deps, caller.subject, user_id)


@router.get("/blocks")
async def list_blocks(deps: Deps, caller: Caller, cursor: Cursor = None, limit: Limit = 100) -> Page[Profile]:
    """List the people whom I blocked, the newest first."""
    return await follows.list_blocks(deps, caller.subject, cursor, limit)


@router.put("/blocks/{user_id}", status_code=204)
async def block(deps: Deps, caller: Caller, user_id: PathId) -> None:
    """Block a person. The follows between the two end."""
    await blocks.block(deps, caller.subject, user_id)


@router.delete("/blocks/{user_id}", status_code=204)
async def unblock(deps: Deps, caller: Caller, user_id: PathId) -> None:
    await blocks.unblock(deps, caller.subject, user_id)
