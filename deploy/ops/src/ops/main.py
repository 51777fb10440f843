"""The application. It has no state and no secret, and calls no service except to read its figures."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TypedDict

from fastapi import FastAPI

from ops import routes
from ops.collector import Collector
from ops.settings import OpsSettings
from shared.rpc.client import Verifier, http_client
from shared.web.app import create_app as create_service
from shared.web.state import state_of


class LifespanState(TypedDict):
    """The state that routes get from the lifespan."""

    collector: Collector


@asynccontextmanager
async def running(app: FastAPI, *, settings: OpsSettings) -> AsyncIterator[LifespanState]:
    state = state_of(app)
    async with http_client() as client:
        verifier = Verifier(client, settings)
        state.verify = verifier.verify
        state.required_checks = {"keys of auth": verifier.check}
        yield {"collector": Collector(client, settings.replica_urls)}


def create_app(settings: OpsSettings) -> FastAPI:
    lifespan = partial(running, settings=settings)
    return create_service(settings, title="WebChat ops", routers=[routes.router], lifespan=lifespan)
