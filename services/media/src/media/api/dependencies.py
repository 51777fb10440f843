"""The application's dependencies as a parameter of endpoints."""

from typing import Annotated

from fastapi import Depends

from media.service.dependencies import Dependencies
from shared.web.state import get_dependencies

Deps = Annotated[Dependencies, Depends(get_dependencies)]
