"""What endpoints declare in their signatures to get the application's dependencies."""

from typing import Annotated

from fastapi import Depends, Request

from media.service.dependencies import Dependencies


async def get_dependencies(request: Request) -> Dependencies:
    deps: Dependencies = request.app.state.deps
    return deps


Deps = Annotated[Dependencies, Depends(get_dependencies)]
