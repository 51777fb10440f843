"""What the use cases of one process work with, made once by `main`."""

from dataclasses import dataclass

from media.service.gate import Gate
from media.service.pictures import Studio
from media.service.signing import Cdn
from media.settings import MediaSettings
from media.storage.bucket import Bucket
from shared.service.database import Database
from shared.service.http import Peer


@dataclass(frozen=True)
class Parts:
    settings: MediaSettings
    database: Database
    bucket: Bucket
    cdn: Cdn | None
    rooms: Peer
    studio: Studio
    uploads: Gate
