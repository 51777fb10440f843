"""/api/social: following and blocks."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from shared.contracts.social import Profile
from shared.web.callers import Caller, PathId
from shared.web.cursors import Cursor
from shared.web.openapi import answers, reply
from social.api.bodies import MAX_BODY, Limit
from social.api.parts import parts_of
from social.service import blocks, follows

router = APIRouter(prefix="/api/social", tags=["following"], max_body_size=MAX_BODY)


@router.get("/following", responses=answers(Profile, page=True))
async def list_following(request: Request, caller: Caller, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """Those whom I follow, the newest first."""
    return reply(await follows.list_following(parts_of(request), caller.subject, cursor, limit))


@router.get("/followers", responses=answers(Profile, page=True))
async def list_followers(request: Request, caller: Caller, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """Those who follow me, the newest first."""
    return reply(await follows.list_followers(parts_of(request), caller.subject, cursor, limit))


@router.put("/following/{user_id}", status_code=204)
async def follow(request: Request, caller: Caller, user_id: PathId) -> Response:
    """Follow someone; at most 2,000 people, and nobody with a block between."""
    await follows.follow(parts_of(request), caller.subject, user_id)
    return Response(status_code=204)


@router.delete("/following/{user_id}", status_code=204)
async def unfollow(request: Request, caller: Caller, user_id: PathId) -> Response:
    await follows.unfollow(parts_of(request), caller.subject, user_id)
    return Response(status_code=204)


@router.get("/blocks", responses=answers(Profile, page=True))
async def list_blocks(request: Request, caller: Caller, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """Those whom I blocked, the newest first."""
    return reply(await follows.list_blocks(parts_of(request), caller.subject, cursor, limit))


@router.put("/blocks/{user_id}", status_code=204)
async def block(request: Request, caller: Caller, user_id: PathId) -> Response:
    """Block someone; the follows between the two end."""
    await blocks.block(parts_of(request), caller.subject, user_id)
    return Response(status_code=204)


@router.delete("/blocks/{user_id}", status_code=204)
async def unblock(request: Request, caller: Caller, user_id: PathId) -> Response:
    await blocks.unblock(parts_of(request), caller.subject, user_id)
    return Response(status_code=204)
