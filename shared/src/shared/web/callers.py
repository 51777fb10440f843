"""The caller of a route: a signed-in user, or another service, verified only by the token."""

from typing import Annotated

from fastapi import Depends, Path, Request

from shared.errors import Forbidden
from shared.ids import ID_PATTERN
from shared.logging.context import add_log_fields
from shared.rpc.tokens import TOKEN_HEADER, Principal
from shared.web.state import state_of


async def _principal(request: Request) -> Principal:
    return await state_of(request.app).verify(request.headers.get(TOKEN_HEADER, ""))


async def signed_in(request: Request) -> Principal:
    principal = await _principal(request)
    if principal.use != "user":
        raise Forbidden("This address is for users.")
    add_log_fields(user_id=principal.subject, room=request.path_params.get("room_id", ""))
    return principal


async def from_service(request: Request) -> Principal:
    principal = await _principal(request)
    if principal.use != "service":
        raise Forbidden("This address is for services.")
    return principal


Caller = Annotated[Principal, Depends(signed_in)]
ServiceCaller = Annotated[Principal, Depends(from_service)]
PathId = Annotated[str, Path(pattern=f"^{ID_PATTERN}$")]
"""An id in a path. A malformed one is answered with 404."""
