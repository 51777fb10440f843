"""Routes of /api/ops. Users who are not operators get 404."""

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from chat_gateway.ops.collector import Collector
from chat_gateway.ops.figures import Figures
from shared.errors import NotFound
from shared.web.callers import Caller
from shared.web.openapi import answers

router = APIRouter(prefix="/api/ops", tags=["operators"])


async def _check_operator(request: Request, caller: Caller) -> None:
    operators: frozenset[str] = request.state.operators
    user = await request.state.gateway.sessions.load(caller.session_id) if operators else None
    if user is None or user.webchat_id.lower() not in operators:
        raise NotFound("There is nothing at this address.")


@router.get("/figures", responses=answers(Figures), dependencies=[Depends(_check_operator)])
async def get_figures(request: Request) -> Response:
    """Get the main figures of every service, at most two seconds old. Only for the users in `OPERATORS`."""
    collector: Collector = request.state.collector
    return Response(await collector.get(), media_type="application/json", headers={"Cache-Control": "no-store"})
