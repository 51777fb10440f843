"""The application's dependencies as a parameter of endpoints."""

from typing import Annotated

from fastapi import Depends, Request

from shared.web.state import state_of
from social.service.dependencies import Dependencies


async def get_dependencies(request: Request) -> Dependencies:
    deps: Dependencies = state_of(request.app).dependencies
    return deps


Deps = Annotated[Dependencies, Depends(get_dependencies)]
