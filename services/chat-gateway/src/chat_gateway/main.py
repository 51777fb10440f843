"""The application of a chat gateway. Gateways hold no durable state, and any number of them can run."""

from functools import partial

from fastapi import FastAPI

from chat_gateway.composition import running
from chat_gateway.settings import GatewaySettings
from chat_gateway.timings import DEFAULT_TIMINGS, Timings
from shared.web.app import create_app as create_service


def create_app(settings: GatewaySettings, timings: Timings = DEFAULT_TIMINGS) -> FastAPI:
    lifespan = partial(running, settings=settings, timings=timings)
    return create_service(settings, title="WebChat chat-gateway", lifespan=lifespan)
