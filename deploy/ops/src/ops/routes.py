"""Routes of /api/ops. Users who are not operators get 404."""

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from ops.collector import Collector
from ops.figures import Figures
from shared.errors import NotFound
from shared.rpc.tokens import TOKEN_HEADER
from shared.web.callers import signed_in
from shared.web.openapi import answers

router = APIRouter(prefix="/api/ops", tags=["operators"])


async def _check_operator(request: Request) -> None:
    """Raise `NotFound` for a request without a token: auth makes tokens for this audience only for operators."""
    if TOKEN_HEADER not in request.headers:
        raise NotFound("There is nothing at this address.")
    await signed_in(request)


@router.get("/figures", responses=answers(Figures), dependencies=[Depends(_check_operator)])
async def get_figures(request: Request) -> Response:
    """Get the main figures of every service, at most two seconds old. Only for the users in `OPERATORS`."""
    collector: Collector = request.state.collector
    return Response(await collector.get(), media_type="application/json", headers={"Cache-Control": "no-store"})
