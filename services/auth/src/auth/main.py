"""auth: accounts, sessions and signing keys. This module composes the service."""

from functools import partial
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware import Middleware

from auth.api import accounts, check, internal, sessions
from auth.api.origin import OriginGuard
from auth.consumers import on_social
from auth.service.dependencies import Dependencies, create_dependencies
from auth.service.sessions import purge
from auth.settings import AuthSettings
from shared.events.social import ProfileRenamed
from shared.web.data_service import DataService, create_data_service

MIGRATIONS = Path(__file__).parents[2] / "migrations"


async def build(service: DataService, settings: AuthSettings) -> Dependencies:
    deps = create_dependencies(settings, service.database, service.redis, service.relay_outbox())
    service.stack.callback(deps.hasher.close)
    await deps.keys.refresh()
    service.state.verify = deps.keys.verify
    service.add_required_check("signing keys", deps.keys.check)
    service.consume("social", ProfileRenamed, partial(on_social, deps))
    service.run("signing keys", deps.keys.refresh, settings.signing_key_refresh_s)
    service.run("used sessions", deps.sessions.touch_used)
    service.run("expired sessions", partial(purge, deps), settings.session_purge_s)
    return deps


def create_app(settings: AuthSettings) -> FastAPI:
    routers = [accounts.router, sessions.router, check.router, internal.router]
    guard = Middleware(OriginGuard, listed=settings.backend_cors_origins)
    return create_data_service(
        settings, title="WebChat auth", migrations=MIGRATIONS, routers=routers, build=build, middleware=[guard]
    )
