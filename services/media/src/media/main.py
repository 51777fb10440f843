"""media: attachments and avatars. This module composes the service."""

from functools import partial
from pathlib import Path

from fastapi import FastAPI

from media.api import attachments, internal
from media.consumers import on_auth, on_rooms
from media.service.dependencies import Dependencies, bucket_options, create_dependencies
from media.service.sweep import Sweep
from media.settings import MediaSettings
from media.storage.bucket import open_bucket
from shared.contracts.rooms import Revisions, UserIdsRequest
from shared.events.auth import AuthEvent
from shared.events.rooms import AttachmentsReleased
from shared.web.data_service import DataService, create_data_service

MIGRATIONS = Path(__file__).parents[2] / "migrations"
UPLOADS = ("/api/media/attachments", "/internal/uploads")


async def build(service: DataService, settings: MediaSettings) -> Dependencies:
    bucket = await service.stack.enter_async_context(open_bucket(bucket_options(settings)))
    service.add_required_check("bucket", bucket.check)
    service.verify_with_auth()
    rooms = service.optional_peer("rooms", "revisions", UserIdsRequest([]), Revisions)
    deps = create_dependencies(settings, service.database, service.redis, bucket, rooms)
    service.consume("auth", AuthEvent, partial(on_auth, deps))
    service.consume("rooms", AttachmentsReleased, partial(on_rooms, deps))
    service.run("sweep", Sweep(deps).run, settings.media_sweep_s)
    return deps


def create_app(settings: MediaSettings) -> FastAPI:
    routers = [attachments.router, internal.router]
    return create_data_service(
        settings, title="WebChat media", migrations=MIGRATIONS, routers=routers, build=build, uploads=UPLOADS
    )
