"""The composition root: settings to application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from media.settings import MediaSettings
from media.storage.bucket import open_bucket
from shared.service.app import create_app as create_service
from shared.service.http import Verifier, http_client


def create_app(settings: MediaSettings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with http_client() as client, open_bucket(settings) as bucket:
            app.state.verify = Verifier(client, settings).verify
            app.state.checks = {"bucket": bucket.check}
            yield

    return create_service(settings, title="WebChat media", routers=[], lifespan=lifespan)
