"""The application of a data service or the gateway: problems, health, OpenAPI, CORS; and how its process runs."""

import gc
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import Response

from shared import VERSION
from shared.service import metrics
from shared.service.instance import INSTANCE
from shared.service.log_context import LogContext
from shared.service.logs import configure_logging
from shared.service.openapi import install_openapi, reply
from shared.service.problems import Unavailable, install_problem_handlers, problem_response
from shared.service.settings import Settings

log = logging.getLogger(__name__)

Check = Callable[[], Awaitable[object]]
Lifespan = (
    Callable[[FastAPI], AbstractAsyncContextManager[None]]
    | Callable[[FastAPI], AbstractAsyncContextManager[Mapping[str, Any]]]
)


def create_app(
    settings: Settings,
    *,
    title: str,
    routers: Sequence[APIRouter],
    lifespan: Lifespan,
    outages: Sequence[type[Exception]] = (TimeoutError,),
) -> FastAPI:
    """The lifespan sets `app.state.verify` (token → Principal) and `app.state.checks` (name → readiness check).

    `outages` are the errors of a part that is away: answered 503.
    """
    app = FastAPI(title=title, version=VERSION, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.settings = settings
    app.state.checks = {}
    install_problem_handlers(app)
    for error in outages:
        app.add_exception_handler(error, _on_outage)
    install_openapi(app)
    if settings.backend_cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.backend_cors_origins,
            allow_credentials=True,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Content-Type"],
        )
    metrics.switch(on=settings.metrics)
    if settings.metrics:
        app.add_middleware(metrics.Measured)
        app.include_router(_metrics())
    app.add_middleware(LogContext)  # the outermost
    app.include_router(_health(app))
    for router in routers:
        app.include_router(router)
    return app


async def _on_outage(request: Request, error: Exception) -> Response:
    """The database is down, full of waiters or locked."""
    log.warning("no answer to %s: %r", request.method, error)
    return problem_response(Unavailable("A part of WebChat does not answer. Try again."))


def _health(app: FastAPI) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz() -> Response:
        return reply({"status": "alive", "version": VERSION, "instance": INSTANCE})

    @router.get("/readyz")
    async def readyz() -> Response:
        checks: Mapping[str, Check] = app.state.checks
        missing = [name for name, check in checks.items() if not await _passes(name, check)]
        return reply({"status": "waiting" if missing else "ready", "missing": missing}, 503 if missing else 200)

    return router


def _metrics() -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/metrics")
    async def read_metrics() -> Response:
        return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)

    return router


async def _passes(name: str, check: Check) -> bool:
    try:
        await check()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the part, it is missing
        log.info("not ready: %s: %r", name, error)
        return False
    return True


SWITCH_S = 0.0005
"""A thread that works for the database gives way to the loop after this; Python's 5 ms are a message's whole way."""

GC_THRESHOLDS = 5_000, 10, 100
"""Little here is cyclic, and what was imported stays: full collections, at Python's own, lengthened every tail."""


def run_app(app: FastAPI, settings: Settings, **options: Any) -> None:
    """Serve until SIGTERM or SIGINT."""
    configure_logging(settings)
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    uvicorn.run(
        app,
        **{
            "host": settings.listen_host,
            "port": settings.listen_port,
            "log_config": None,
            "access_log": False,
            "loop": "uvloop",
            "http": "httptools",
            "timeout_keep_alive": 75,
            "timeout_graceful_shutdown": 3,
            "server_header": False,
            **options,
        },
    )
