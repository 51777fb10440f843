"""Whether a process lives, and whether it can do its work; every check has so long and no longer to answer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, FastAPI
from fastapi.responses import Response

from shared import VERSION
from shared.instance import INSTANCE
from shared.web.openapi import reply

log = logging.getLogger(__name__)

CHECK_S = 1.5
"""Engines and probes wait for two seconds or more."""

Check = Callable[[], Awaitable[object]]


def health_router(app: FastAPI, *, check_s: float = CHECK_S) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz() -> Response:
        return reply({"status": "alive", "version": VERSION, "instance": INSTANCE})

    @router.get("/readyz")
    async def readyz() -> Response:
        """`missing`: without these no request is taken; `degraded`: gone too, but the service goes on without."""
        checks, wishes = app.state.checks, app.state.wishes
        failed = await _failed({**checks, **wishes}, check_s)
        missing = [name for name in checks if name in failed]
        degraded = [name for name in wishes if name in failed]
        told = {"status": "waiting" if missing else "ready", "missing": missing}
        return reply(told | ({"degraded": degraded} if degraded else {}), 503 if missing else 200)

    return router


async def _failed(checks: Mapping[str, Check], check_s: float) -> set[str]:
    """All at the same time. One that does not answer is left behind, not waited for: it may not even end when told."""
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
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the part, it is missing
        log.info("not ready: %s: %r", name, error)
        return False
    return True
