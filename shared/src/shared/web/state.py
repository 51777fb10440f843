"""The state of an application, which routes and the lifespan share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from fastapi import FastAPI, Request

from shared.rpc.tokens import Principal
from shared.web.overload import Overload

Check: TypeAlias = Callable[[], Awaitable[object]]
"""A readiness check: raises while its subject is unavailable."""


async def _reject(token: str) -> Principal:
    del token
    raise RuntimeError("the lifespan has set no verifier")


@dataclass
class AppState:
    """Created by `create_app`, completed by the lifespan. Routes get it with `state_of(request.app)`."""

    overload: Overload
    verify: Callable[[str], Awaitable[Principal]] = _reject
    """Returns the principal of a token; raises `Unauthenticated`."""
    required_checks: dict[str, Check] = field(default_factory=dict)
    """The process takes no requests while one of these fails."""
    optional_checks: dict[str, Check] = field(default_factory=dict)
    """The process serves without these, with less."""
    dependencies: Any = None
    """The `Dependencies` of a data service; its `api/dependencies.py` restores the type."""


def state_of(app: FastAPI) -> AppState:
    state: AppState = app.state.webchat
    return state


async def get_dependencies(request: Request) -> Any:
    """Return the `Dependencies` of a data service; for `Depends`, with which the service restores the type."""
    return state_of(request.app).dependencies
