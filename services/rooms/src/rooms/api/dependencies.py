"""The application's dependencies as a parameter of endpoints."""

from typing import Annotated

from fastapi import Depends, Request

from rooms.service.dependencies import Dependencies
from shared.web.state import state_of


async def get_dependencies(request: Request) -> Dependencies:
    deps: Dependencies = state_of(request.app).dependencies
    return deps


Deps = Annotated[Dependencies, Depends(get_dependencies)]
