"""`/healthz` reports that the process is alive, `/readyz` whether it can do its work."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Literal

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response

from shared import VERSION
from shared.instance import INSTANCE
from shared.web.routing import StructRoute
from shared.web.state import AppState, Check

log = logging.getLogger(__name__)

CHECK_S = 1.5
"""Time limit of a check. Container engines and probes wait for two seconds or more."""


class Health(msgspec.Struct):
    status: Literal["alive"]
    version: str
    instance: str


class Readiness(msgspec.Struct, omit_defaults=True):
    """`missing` names the failed required checks, `degraded` the failed optional ones."""

    status: Literal["ready", "waiting"]
    missing: list[str]
    degraded: list[str] = []


def health_router(state: AppState, *, check_s: float = CHECK_S) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=StructRoute)

    @router.get("/healthz")
    async def healthz() -> Health:
        return Health("alive", VERSION, INSTANCE)

    @router.get("/readyz")
    async def readyz(response: Response) -> Readiness:
        """Answer 503 if a required check fails."""
        failed = await _failed({**state.required_checks, **state.optional_checks}, check_s)
        missing = [name for name in state.required_checks if name in failed]
        degraded = [name for name in state.optional_checks if name in failed]
        response.status_code = 503 if missing else 200
        return Readiness("waiting" if missing else "ready", missing, degraded)

    return router


async def _failed(checks: Mapping[str, Check], check_s: float) -> set[str]:
    """Run the checks concurrently; return the names of those that fail.

    One that does not answer in time is cancelled but not awaited: it may not even end when cancelled.
    """
    tasks = {asyncio.ensure_future(_passes(name, check)): name for name, check in checks.items()}
    if not tasks:
        return set()
    done, late = await asyncio.wait(tasks, timeout=check_s)
    for task in late:
        task.cancel()
        log.info("not ready: %s: no answer within %.1f s", tasks[task], check_s)
    return {name for task, name in tasks.items() if task not in done or not task.result()}


async def _passes(name: str, check: Check) -> bool:
    try:
        await check()
    except Exception as error:  # noqa: BLE001 - any error means that the check failed
        log.info("not ready: %s: %r", name, error)
        return False
    return True
