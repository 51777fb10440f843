"""What the use cases of one process work with, made once by `main`."""

from dataclasses import dataclass

from media.service.gate import Gate
from media.service.pictures import Studio
from media.service.signing import Cdn
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
