"""Settings of media, in addition to those of every service."""

from typing import ClassVar, Self

from pydantic import Field, SecretStr, model_validator

from shared.settings import Settings

MIB = 1024 * 1024


class MediaSettings(Settings):
    service: ClassVar[str] = "media"

    aws_access_key: str | None = None
    """Without a key, requests are signed with the machine's role, as on EC2."""
    aws_secret_access_key: SecretStr = SecretStr("")
    aws_region: str = "us-east-1"
    aws_storage_bucket_name: str = Field(default="webchat-media", min_length=3, max_length=63)
    s3_endpoint_url: str | None = None
    """URL of an S3 server. Without it, media uses AWS."""
    s3_public_url: str | None = None
    """URL of the same S3 server for browsers. Without it, media serves the bytes itself."""
    aws_cdn_url: str | None = None
    """URL of CloudFront in front of the bucket. Without a signing key it serves only avatars."""
    cdn_key_id: str | None = None
    cdn_private_key: SecretStr | None = None
    """An RSA key in PEM. Its lines may be joined by a literal backslash-n."""

    max_upload_bytes: int = Field(default=50 * MIB, ge=1)
    max_base64_bytes: int = Field(default=5 * MIB, ge=1)
    """Limit of a file in JSON, after decoding."""
    uploads_at_once: int = Field(default=16, ge=1)
    """Concurrent uploads, each with up to `max_upload_bytes` on disk. Further ones get 503 with Retry-After."""
    uploads_at_once_of_one: int = Field(default=10, ge=1)
    """Concurrent uploads of one person, of those above."""
    storage_of_one_bytes: int = Field(default=10 * 1024 * MIB, ge=0)
    """Size of all files of one person that are not deleted; 0 for no limit."""
    upload_deadline_s: float = Field(default=20, gt=0)
    """Time from the pending row to the stored one."""
    wait_for_twin_s: float = Field(default=5, ge=0)
    """The time that a duplicate waits for the first upload, which is in progress."""
    s3_uploads_at_once: int = Field(default=8, ge=1)
    s3_connections: int = Field(default=64, ge=1)
    s3_connect_timeout_s: float = Field(default=2, gt=0)
    s3_read_timeout_s: float = Field(default=10, gt=0)
    s3_part_bytes: int = Field(default=8 * MIB, ge=5 * MIB)

    pictures_at_once: int = Field(default=2, ge=1)
    """Processes that decode pictures. One person uses at most all but one of them, and at least one."""
    pictures_waiting: int = Field(default=4, ge=1)
    """Pictures of one person that wait for a process. Further ones get 503 with Retry-After."""
    picture_cpu_per_minute_s: float = Field(default=30, gt=0)
    """CPU seconds for the pictures of one person in a minute. After that they get 429 with Retry-After."""
    picture_timeout_s: float = Field(default=15, gt=0)
    """Time that a picture waits for a process, and again the time that this takes."""
    picture_memory_mb: int = Field(default=1536, ge=256)
    max_picture_pixels: int = Field(default=50_000_000, ge=1)
    max_picture_side: int = Field(default=10_000, ge=1)
    max_picture_frames: int = Field(default=500, ge=1)
    max_animation_pixels: int = Field(default=60_000_000, ge=1)
    """Total over all frames."""

    link_seconds: int = Field(default=60, ge=1, le=60)
    media_sweep_s: float = Field(default=30, gt=0)
    straggler_s: float = Field(default=5, ge=0)
    """Wait after the deadline of a failed upload before its objects are removed: late writes have arrived by then."""
    orphan_s: float = Field(default=900, gt=0)
    """An object of this age without a row is an orphan. Longer than any upload takes."""
    media_sweep_batch: int = Field(default=200, ge=1, le=1000)

    @model_validator(mode="after")
    def _whole_key(self) -> Self:
        if (self.cdn_key_id is None) != (self.cdn_private_key is None):
            raise ValueError("CDN_KEY_ID and CDN_PRIVATE_KEY: give both or neither")
        return self
