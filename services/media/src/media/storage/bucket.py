"""The bucket that holds the bytes of attachments. Every call ends within the client's timeouts."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import IO, Any, NamedTuple

import aioboto3
import aiohttp
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from media.settings import MediaSettings

MISSING = ("404", "NoSuchBucket", "NotFound")
ALREADY_OURS = "BucketAlreadyOwnedByYou"
CHUNK = 64 * 1024
BUCKET_DOWN = (BotoCoreError, ClientError, aiohttp.ClientError, OSError, TimeoutError)
"""What an S3 that is away, too slow or failing raises."""


class Served(NamedTuple):
    """How an object is handed out, whoever asks for it in whatever way."""

    content_type: str
    disposition: str


class Listed(NamedTuple):
    key: str
    modified_ms: int


class Bucket:
    def __init__(self, client: Any, public: Any, settings: MediaSettings) -> None:
        self._client, self._public = client, public
        self._name, self._region = settings.aws_storage_bucket_name, settings.aws_region
        self._part_bytes = settings.s3_part_bytes
        self._uploads = asyncio.Semaphore(settings.s3_uploads_at_once)

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

    async def put(self, key: str, file: IO[bytes], size: int, served: Served) -> None:
        """Store a file from its beginning: in one piece, or in several where it is large. Whole or not at all."""
        target = {"Bucket": self._name, "Key": key}
        how = {"ContentType": served.content_type, "ContentDisposition": served.disposition}
        async with self._uploads:
            if size <= self._part_bytes:
                await self._client.put_object(**target, **how, Body=await _read(file, 0, size))
                return
            upload = await self._client.create_multipart_upload(**target, **how)
            target["UploadId"] = upload["UploadId"]
            try:
                await self._put_parts(target, file, size)
            except BaseException:
                await _quietly(self._client.abort_multipart_upload(**target))  # else the sweep does it
                raise

    async def _put_parts(self, target: dict[str, str], file: IO[bytes], size: int) -> None:
        done = []
        for number, start in enumerate(range(0, size, self._part_bytes), 1):
            body = await _read(file, start, self._part_bytes)
            part = await self._client.upload_part(**target, PartNumber=number, Body=body)
            done.append({"PartNumber": number, "ETag": part["ETag"]})
        await self._client.complete_multipart_upload(**target, MultipartUpload={"Parts": done})

    async def open(self, key: str, span: tuple[int, int] | None) -> AsyncGenerator[bytes, None]:
        """The bytes of a span (first and last), or all; raises before the iterator is there, or while it goes."""
        part = {} if span is None else {"Range": f"bytes={span[0]}-{span[1]}"}
        answer = await self._client.get_object(Bucket=self._name, Key=key, **part)
        return _pieces(answer["Body"])

    async def fetch(self, key: str) -> tuple[Served, AsyncGenerator[bytes, None]]:
        """How an object is handed out, and its bytes; raises ClientError where there is none."""
        answer = await self._client.get_object(Bucket=self._name, Key=key)
        return Served(answer["ContentType"], answer.get("ContentDisposition", "")), _pieces(answer["Body"])

    async def delete(self, key: str) -> None:
        """No error where there is none."""
        await self._client.delete_object(Bucket=self._name, Key=key)

    async def list_after(self, key: str, limit: int) -> list[Listed]:
        """Objects in the order of their keys, behind `key`."""
        answer = await self._client.list_objects_v2(Bucket=self._name, StartAfter=key, MaxKeys=limit)
        return [Listed(one["Key"], _ms(one["LastModified"])) for one in answer.get("Contents", ())]

    async def abort_stale(self, before_ms: int, limit: int) -> None:
        """End uploads in pieces that began before a time: whoever made them is gone."""
        answer = await self._client.list_multipart_uploads(Bucket=self._name, MaxUploads=limit)
        for one in answer.get("Uploads", ()):
            if _ms(one["Initiated"]) < before_ms:
                target = {"Bucket": self._name, "Key": one["Key"], "UploadId": one["UploadId"]}
                await self._client.abort_multipart_upload(**target)

    @property
    def is_public(self) -> bool:
        """Whether browsers reach the bucket by themselves."""
        return self._public is not None

    async def sign(self, key: str, served: Served, seconds: int) -> str:
        """An address for everyone, for a while, with the type and disposition forced."""
        target = {
            "Bucket": self._name,
            "Key": key,
            "ResponseContentType": served.content_type,
            "ResponseContentDisposition": served.disposition,
            "ResponseCacheControl": "private, no-store",
        }
        url: str = await self._public.generate_presigned_url("get_object", Params=target, ExpiresIn=seconds)
        return url


async def _read(file: IO[bytes], start: int, size: int) -> bytes:
    def read() -> bytes:
        file.seek(start)
        return file.read(size)

    return await asyncio.to_thread(read)


async def _pieces(body: Any) -> AsyncGenerator[bytes, None]:
    try:
        while piece := await body.read(CHUNK):
            yield piece
    finally:
        body.close()


async def _quietly(work: Any) -> None:
    try:
        await work
    except BUCKET_DOWN:
        return


def _ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)


@asynccontextmanager
async def open_bucket(settings: MediaSettings) -> AsyncIterator[Bucket]:
    """Nothing is sent yet. Signatures of version 4, which a presigned PUT needs; paths, as an IP has no subdomains."""
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path", "payload_signing_enabled": False},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        connect_timeout=settings.s3_connect_timeout_s,
        read_timeout=settings.s3_read_timeout_s,
        max_pool_connections=settings.s3_connections,
        retries={"max_attempts": 2},
    )
    session = aioboto3.Session()

    def client(endpoint: str | None) -> Any:
        return session.client(
            "s3",
            endpoint_url=endpoint,
            region_name=settings.aws_region,
            aws_access_key_id=settings.aws_access_key,
            aws_secret_access_key=settings.aws_secret_access_key.get_secret_value() or None,
            config=config,
        )

    async with AsyncExitStack() as stack:
        inside = await stack.enter_async_context(client(settings.s3_endpoint_url))
        outside = settings.s3_public_url and await stack.enter_async_context(client(settings.s3_public_url))
        yield Bucket(inside, outside or None, settings)
