"""What the use cases of one process work with, made once by `main`."""

from dataclasses import dataclass

from media.service.gate import Gate
from media.service.pictures import Studio
from media.service.signing import Cdn, open_cdn
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
    studio: Studio
    uploads: Gate


def create_dependencies(settings: MediaSettings, database: Database, bucket: Bucket, rooms: Peer) -> Dependencies:
    return Dependencies(
        settings=settings,
        database=database,
        bucket=bucket,
        cdn=open_cdn(settings),
        rooms=rooms,
        studio=Studio(settings),
        uploads=Gate(settings.uploads_at_once),
    )
