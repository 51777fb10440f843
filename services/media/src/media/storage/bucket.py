"""The bucket that holds the bytes of attachments."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aioboto3
from botocore.config import Config
from botocore.exceptions import ClientError

from media.settings import MediaSettings

MISSING = ("404", "NoSuchBucket", "NotFound")
ALREADY_OURS = "BucketAlreadyOwnedByYou"


class Bucket:
    def __init__(self, client: Any, name: str, region: str) -> None:
        self._client, self._name, self._region = client, name, region

    async def check(self) -> None:
        """Raises unless the bucket can be used; makes it where it is missing. Idempotent."""
        try:
            await self._client.head_bucket(Bucket=self._name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in MISSING:
                raise
            await self._create()

    async def _create(self) -> None:
        # us-east-1 is the one region that S3 does not take as a constraint.
        elsewhere = self._region != "us-east-1"
        where = {"CreateBucketConfiguration": {"LocationConstraint": self._region}} if elsewhere else {}
        try:
            await self._client.create_bucket(Bucket=self._name, **where)
        except ClientError as error:
            if error.response["Error"]["Code"] != ALREADY_OURS:
                raise


@asynccontextmanager
async def open_bucket(settings: MediaSettings) -> AsyncIterator[Bucket]:
    """Nothing is sent yet. Signatures of version 4, which a presigned PUT needs; paths, as an IP has no subdomains."""
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        connect_timeout=2,
        read_timeout=10,
        retries={"max_attempts": 2},
    )
    client = aioboto3.Session().client(
        "s3",
        endpoint_url=settings.s3_endpoint_url,
        region_name=settings.aws_region,
        aws_access_key_id=settings.aws_access_key,
        aws_secret_access_key=settings.aws_secret_access_key.get_secret_value() or None,
        config=config,
    )
    async with client as opened:
        yield Bucket(opened, settings.aws_storage_bucket_name, settings.aws_region)
