"""The dependencies of the use cases."""

from dataclasses import dataclass

from media.service.cdn import Cdn, open_cdn
from media.service.picture_worker import Limits
from media.service.pictures import PictureProcessor
from media.service.shares import ComputingTime, Places
from media.settings import MediaSettings
from media.storage.bucket import Bucket, BucketOptions
from shared.database.engine import Database
from shared.fair_workers import Workers
from shared.redis.circuit_breaker import CircuitBreaker
from shared.redis.client import AnyRedis
from shared.redis.person_rate import PersonRate, upload_rate
from shared.rpc.client import Peer


@dataclass(frozen=True, kw_only=True)
class UploadLimits:
    """Limits of uploads."""

    max_bytes: int
    max_base64_bytes: int
    """Limit of a file in JSON, after decoding."""
    deadline_ms: int
    wait_for_duplicate_s: float
    storage_of_one: int
    """Bytes of all files of one person; 0 for no limit."""


@dataclass(frozen=True, kw_only=True)
class SweepLimits:
    """Limits of the sweep."""

    batch: int
    late_write_ms: int
    """Wait after the deadline of a failed upload before its objects are removed."""
    orphan_ms: int
    """Minimum age of an object without a row before it is removed."""


@dataclass(frozen=True)
class Dependencies:
    database: Database
    bucket: Bucket
    cdn: Cdn | None
    rooms: Peer
    pictures: PictureProcessor
    upload_rate: PersonRate
    upload_places: Places
    body_places: Places
    """Places for bodies of uploads that a gateway sends: they name their person only at the end."""
    uploads: UploadLimits
    cleanup: SweepLimits
    link_seconds: int


def create_dependencies(
    settings: MediaSettings, database: Database, redis: AnyRedis, bucket: Bucket, rooms: Peer
) -> Dependencies:
    return Dependencies(
        database=database,
        bucket=bucket,
        cdn=open_cdn(settings.aws_cdn_url, settings.cdn_key_id, settings.cdn_private_key),
        rooms=rooms,
        pictures=_picture_processor(settings),
        upload_rate=upload_rate(CircuitBreaker(redis), on=settings.rate_limits),
        upload_places=Places(settings.uploads_at_once, of_one=settings.uploads_at_once_of_one),
        body_places=Places(settings.uploads_at_once, of_one=settings.uploads_at_once),
        uploads=UploadLimits(
            max_bytes=settings.max_upload_bytes,
            max_base64_bytes=settings.max_base64_bytes,
            deadline_ms=round(settings.upload_deadline_s * 1000),
            wait_for_duplicate_s=settings.wait_for_twin_s,
            storage_of_one=settings.storage_of_one_bytes,
        ),
        cleanup=SweepLimits(
            batch=settings.media_sweep_batch,
            late_write_ms=round(settings.straggler_s * 1000),
            orphan_ms=round(settings.orphan_s * 1000),
        ),
        link_seconds=settings.link_seconds,
    )


def _picture_processor(settings: MediaSettings) -> PictureProcessor:
    limits = Limits(
        pixels=settings.max_picture_pixels,
        side=settings.max_picture_side,
        frames=settings.max_picture_frames,
        frame_pixels=settings.max_animation_pixels,
        memory=settings.picture_memory_mb * 1024 * 1024,
    )
    of_one = max(1, settings.pictures_at_once - 1)
    workers = Workers(
        settings.pictures_at_once,
        of_one=of_one,
        waiting_of_one=settings.pictures_waiting,
        wait_s=settings.picture_timeout_s,
        too_many="Too many of your pictures are waiting. Try again shortly.",
    )
    time_of_one = ComputingTime(settings.picture_cpu_per_minute_s)
    return PictureProcessor(limits, workers, time_of_one, timeout_s=settings.picture_timeout_s)


def bucket_options(settings: MediaSettings) -> BucketOptions:
    return BucketOptions(
        name=settings.aws_storage_bucket_name,
        region=settings.aws_region,
        endpoint_url=settings.s3_endpoint_url,
        public_url=settings.s3_public_url,
        access_key=settings.aws_access_key,
        secret_key=settings.aws_secret_access_key,
        connections=settings.s3_connections,
        connect_timeout_s=settings.s3_connect_timeout_s,
        read_timeout_s=settings.s3_read_timeout_s,
        part_bytes=settings.s3_part_bytes,
        concurrent_uploads=settings.s3_uploads_at_once,
    )
