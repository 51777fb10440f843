"""The dependencies of the use cases."""

from dataclasses import dataclass

from media.service.cdn import Cdn, open_cdn
from media.service.concurrency_limit import ConcurrencyLimit
from media.service.pictures import PictureProcessor
from media.settings import MediaSettings
from media.storage.bucket import Bucket
from shared.database.engine import Database
from shared.rpc.client import Peer


@dataclass(frozen=True)
class Dependencies:
    settings: MediaSettings
    database: Database
    bucket: Bucket
    cdn: Cdn | None
    rooms: Peer
    pictures: PictureProcessor
    upload_limit: ConcurrencyLimit


def create_dependencies(settings: MediaSettings, database: Database, bucket: Bucket, rooms: Peer) -> Dependencies:
    return Dependencies(
        settings=settings,
        database=database,
        bucket=bucket,
        cdn=open_cdn(settings),
        rooms=rooms,
        pictures=PictureProcessor(settings),
        upload_limit=ConcurrencyLimit(settings.uploads_at_once),
    )
