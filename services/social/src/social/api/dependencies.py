"""The application's dependencies as a parameter of endpoints."""

from typing import Annotated

from fastapi import Depends

from shared.web.state import get_dependencies
from social.service.dependencies import Dependencies

Deps = Annotated[Dependencies, Depends(get_dependencies)]
