"""Who calls a route: a signed-in user, or another service. Verified by token only, never by address or cookie."""

from typing import Annotated

from fastapi import Depends, Path, Request

from shared.service.ids import ID_PATTERN, is_id
from shared.service.problems import Forbidden, NotFound
from shared.service.tokens import TOKEN_HEADER, Principal


async def _principal(request: Request) -> Principal:
    verified: Principal = await request.app.state.verify(request.headers.get(TOKEN_HEADER, ""))
    return verified


async def signed_in(request: Request) -> Principal:
    principal = await _principal(request)
    if principal.use != "user":
        raise Forbidden("This address is for people.")
    return principal


async def from_service(request: Request) -> Principal:
    principal = await _principal(request)
    if principal.use != "service":
        raise Forbidden("This address is for services.")
    return principal


def _well_formed(value: str) -> str:
    if not is_id(value):
        raise NotFound("There is nothing at this address.")
    return value


Caller = Annotated[Principal, Depends(signed_in)]
ServiceCaller = Annotated[Principal, Depends(from_service)]
PathId = Annotated[str, Path(pattern=f"^{ID_PATTERN}$")]
"""An id in a path: 404 where it is not well-formed."""


def path_id(name: str) -> object:
    """A dependency: the path's id `name`, 404 where it is not well-formed."""

    def read(request: Request) -> str:
        return _well_formed(request.path_params[name])

    return Depends(read)
