"""rooms: the event logs of all rooms. This module composes the service."""

from functools import partial
from pathlib import Path

from fastapi import FastAPI

from rooms.api import events, internal, members, messages, rooms
from rooms.consumers import on_auth, on_social
from rooms.service.dependencies import Dependencies, create_dependencies
from rooms.service.trimming import trim
from rooms.settings import RoomsSettings
from shared.contracts.auth import Accounts, UsersRequest
from shared.events.auth import AuthEvent
from shared.events.social import SocialEvent
from shared.web.data_service import DataService, create_data_service

MIGRATIONS = Path(__file__).parents[2] / "migrations"


async def build(service: DataService, settings: RoomsSettings) -> Dependencies:
    service.verify_with_auth()
    auth = service.optional_peer("auth", "accounts", UsersRequest([]), Accounts)
    deps = create_dependencies(settings, service.database, service.redis, auth=auth, media=service.peer("media"))
    service.state.overload.watch(lambda: deps.committer.fill_level)
    await deps.publisher.open()
    service.stack.push_async_callback(deps.publisher.drain)
    service.run("publisher", deps.publisher.run, longest=0.5)
    service.relay_outbox()
    service.consume("auth", AuthEvent, partial(on_auth, deps))
    service.consume("social", SocialEvent, partial(on_social, deps))
    service.run("sweep", deps.sweeper.run, deps.sweeper.tick_s)
    service.run("trimming", partial(trim, deps), settings.trim_s)
    return deps


def create_app(settings: RoomsSettings) -> FastAPI:
    routers = [internal.router, rooms.router, members.router, messages.pages, messages.router, events.router]
    return create_data_service(settings, title="WebChat rooms", migrations=MIGRATIONS, routers=routers, build=build)
