"""The application of a service or of ops: errors, health, metrics, OpenAPI, CORS; and its process."""

import gc
import logging
import sys
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import Response
from starlette.middleware import Middleware

from shared import VERSION, metrics
from shared.errors import Unavailable
from shared.logging.context import LogContext
from shared.logging.setup import configure_logging, finish_logs
from shared.settings import WebSettings
from shared.tracing.setup import close_tracing, configure_tracing
from shared.web.caching import NoStore
from shared.web.errors import error_response, install_error_handlers
from shared.web.health import health_router
from shared.web.openapi import install_openapi
from shared.web.overload import Overload
from shared.web.plain_routes import PlainRoute, PlainRoutes
from shared.web.request_budget import RequestBudget
from shared.web.state import AppState

log = logging.getLogger(__name__)

Lifespan = (
    Callable[[FastAPI], AbstractAsyncContextManager[None]]
    | Callable[[FastAPI], AbstractAsyncContextManager[Mapping[str, Any]]]
)


def create_app(
    settings: WebSettings,
    *,
    title: str,
    lifespan: Lifespan,
    routers: Sequence[APIRouter] = (),
    outages: Sequence[type[Exception]] = (TimeoutError,),
    uploads: Collection[str] = (),
    middleware: Sequence[Middleware] = (),
) -> FastAPI:
    """Create an application whose `lifespan` completes its `AppState`. `middleware` comes before routes and CORS.

    `outages` are the errors of an unavailable dependency, such as a database that is down: they are answered with 503.
    `uploads` are the paths of uploads, which may take longer than other requests.
    """
    overload = Overload(ephemeral_at=settings.shed_hints_at, history_at=settings.shed_history_at)
    state = AppState(overload)
    app = FastAPI(
        title=title,
        version=VERSION,
        lifespan=_extended(lifespan, overload),
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # to look for providers takes 15 µs per request
    )
    app.state.webchat = state
    install_error_handlers(app)
    for error in outages:
        app.add_exception_handler(error, _on_outage)
    install_openapi(app)
    if plain := [route for router in routers for route in router.routes if isinstance(route, PlainRoute)]:
        app.add_middleware(PlainRoutes, routes=plain, handlers=app.exception_handlers)
    app.add_middleware(RequestBudget, uploads=uploads)
    if settings.backend_cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.backend_cors_origins,
            allow_credentials=True,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Content-Type"],
        )
    for one in middleware:
        app.add_middleware(one.cls, *one.args, **one.kwargs)
    app.add_middleware(NoStore)
    metrics.switch(on=settings.metrics)
    if settings.metrics:
        app.add_middleware(metrics.RequestMetrics)
        app.include_router(_metrics())
    app.add_middleware(LogContext)  # must be the outermost middleware
    app.include_router(health_router(state))
    for router in routers:
        app.include_router(router)
    return app


async def _on_outage(request: Request, error: Exception) -> Response:
    """Answer 503: the database is down, overloaded or locked."""
    log.warning("no answer to %s: %r", request.method, error)
    return error_response(Unavailable("A part of WebChat does not answer. Try again."))


def _extended(lifespan: Lifespan, overload: Overload) -> Lifespan:
    """Return the lifespan with measurement of the load.

    At its end it flushes logs and traces, because uvicorn then ends the process by the signal that it received.
    """

    @asynccontextmanager
    async def extended(app: FastAPI) -> AsyncIterator[Any]:
        try:
            async with overload.watching(), lifespan(app) as state:
                yield state
        finally:
            finish_logs()
            close_tracing()

    return extended


def _metrics() -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/metrics")
    async def read_metrics() -> Response:
        return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)

    return router


SWITCH_INTERVAL_S = 0.0005
"""A database thread yields to the event loop after this. Python's default, 5 ms, is the latency of a whole message."""

GC_THRESHOLDS = 5_000, 10, 100
"""Rarer than Python's defaults, because there is little cyclic garbage: full collections raised the tail latency."""


def run_app(app: FastAPI, settings: WebSettings, **options: Any) -> None:
    """Serve until SIGTERM or SIGINT."""
    configure_logging(settings)
    configure_tracing(settings)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    gc.enable()  # shared.startup disabled it
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
            "proxy_headers": False,  # auth reads the headers of nginx itself
            **options,
        },
    )
