"""social: profiles, follows and blocks. This module composes the service."""

from functools import partial
from pathlib import Path

from fastapi import FastAPI

from shared.contracts.auth import Accounts, UsersRequest
from shared.events.auth import AuthEvent
from shared.redis.circuit_breaker import CircuitBreaker
from shared.web.data_service import DataService, create_data_service
from social.api import internal, profiles, relationships
from social.consumers import on_auth
from social.service.dependencies import Dependencies
from social.settings import SocialSettings

MIGRATIONS = Path(__file__).parents[2] / "migrations"


async def build(service: DataService, settings: SocialSettings) -> Dependencies:
    del settings
    service.verify_with_auth()
    auth = service.optional_peer("auth", "accounts", UsersRequest([]), Accounts)
    redis = CircuitBreaker(service.redis)
    deps = Dependencies(service.database, redis, service.relay_outbox(), auth, service.peer("media"))
    service.consume("auth", AuthEvent, partial(on_auth, deps))
    return deps


def create_app(settings: SocialSettings) -> FastAPI:
    routers = [profiles.router, relationships.router, internal.router]
    return create_data_service(settings, title="WebChat social", migrations=MIGRATIONS, routers=routers, build=build)
