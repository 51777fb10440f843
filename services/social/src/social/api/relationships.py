"""Routes of follows and blocks, below /api/social."""

from fastapi import APIRouter
from fastapi.responses import Response

from shared.contracts.social import Profile
from shared.web.callers import Caller, PathId
from shared.web.cursors import Cursor
from shared.web.openapi import answers, reply
from social.api.dependencies import Deps
from social.api.schemas import MAX_BODY_BYTES, Limit
from social.service import blocks, follows

router = APIRouter(prefix="/api/social", tags=["following"], max_body_size=MAX_BODY_BYTES)


@router.get("/following", responses=answers(Profile, page=True))
async def list_following(deps: Deps, caller: Caller, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """List the people whom I follow, the newest first."""
    return reply(await follows.list_following(deps, caller.subject, cursor, limit))


@router.get("/followers", responses=answers(Profile, page=True))
async def list_followers(deps: Deps, caller: Caller, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """List the people who follow me, the newest first."""
    return reply(await follows.list_followers(deps, caller.subject, cursor, limit))


@router.put("/following/{user_id}", status_code=204)
async def follow(deps: Deps, caller: Caller, user_id: PathId) -> Response:
    """Follow a person: at most 2,000, and nobody with whom there is a block."""
    await follows.follow(deps, caller.subject, user_id)
    return Response(status_code=204)


@router.delete("/following/{user_id}", status_code=204)
async def unfollow(deps: Deps, caller: Caller, user_id: PathId) -> Response:
    await follows.unfollow(deps, caller.subject, user_id)
    return Response(status_code=204)


@router.get("/blocks", responses=answers(Profile, page=True))
async def list_blocks(deps: Deps, caller: Caller, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """List the people whom I blocked, the newest first."""
    return reply(await follows.list_blocks(deps, caller.subject, cursor, limit))


@router.put("/blocks/{user_id}", status_code=204)
async def block(deps: Deps, caller: Caller, user_id: PathId) -> Response:
    """Block a person. The follows between the two end."""
    await blocks.block(deps, caller.subject, user_id)
    return Response(status_code=204)


@router.delete("/blocks/{user_id}", status_code=204)
async def unblock(deps: Deps, caller: Caller, user_id: PathId) -> Response:
    await blocks.unblock(deps, caller.subject, user_id)
    return Response(status_code=204)
