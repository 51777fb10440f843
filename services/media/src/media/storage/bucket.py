"""The S3 bucket with the bytes of attachments. Every call ends within the client's timeouts."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any, NamedTuple

import aioboto3
import aiohttp
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import SecretStr

MISSING = ("404", "NoSuchBucket", "NotFound")
ALREADY_OWNED = "BucketAlreadyOwnedByYou"
CHUNK = 64 * 1024
BUCKET_DOWN = (BotoCoreError, ClientError, aiohttp.ClientError, OSError, TimeoutError)
"""Errors of an S3 server that is unreachable, too slow or failing."""


class ObjectHeaders(NamedTuple):
    """Headers with which an object is served."""

    content_type: str
    disposition: str


class Listed(NamedTuple):
    key: str
    modified_ms: int


@dataclass(frozen=True, kw_only=True)
class BucketOptions:
    """The place of a bucket, and limits of its clients."""

    name: str
    region: str
    endpoint_url: str | None
    public_url: str | None
    access_key: str | None
    secret_key: SecretStr
    connections: int
    connect_timeout_s: float
    read_timeout_s: float
    part_bytes: int
    concurrent_uploads: int


class Bucket:
    def __init__(
        self, client: Any, public: Any, *, name: str, region: str, part_bytes: int, concurrent_uploads: int
    ) -> None:
        self._client, self._public = client, public
        self._name, self._region = name, region
        self._part_bytes = part_bytes
        self._uploads = asyncio.Semaphore(concurrent_uploads)

    async def check(self) -> None:
        """Create the bucket if it does not exist; raises if it is unusable. Idempotent."""
        try:
            await self._client.head_bucket(Bucket=self._name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in MISSING:
                raise
            await self._create()

    async def _create(self) -> None:
        # S3 rejects us-east-1 as a location constraint.
        has_constraint = self._region != "us-east-1"
        where = {"CreateBucketConfiguration": {"LocationConstraint": self._region}} if has_constraint else {}
        try:
            await self._client.create_bucket(Bucket=self._name, **where)
        except ClientError as error:
            if error.response["Error"]["Code"] != ALREADY_OWNED:
                raise

    async def put(self, key: str, file: IO[bytes], size: int, headers: ObjectHeaders) -> None:
        """Store a file from its beginning, a large one as a multipart upload. It is stored completely or not at all."""
        target = {"Bucket": self._name, "Key": key}
        how = {"ContentType": headers.content_type, "ContentDisposition": headers.disposition}
        async with self._uploads:
            if size <= self._part_bytes:
                await self._client.put_object(**target, **how, Body=await _read(file, 0, size))
                return
            upload = await self._client.create_multipart_upload(**target, **how)
            target["UploadId"] = upload["UploadId"]
            try:
                await self._put_parts(target, file, size)
            except BaseException:
                await _ignore_outage(self._client.abort_multipart_upload(**target))  # if this fails, the sweep does it
                raise

    async def _put_parts(self, target: dict[str, str], file: IO[bytes], size: int) -> None:
        done = []
        for number, start in enumerate(range(0, size, self._part_bytes), 1):
            body = await _read(file, start, self._part_bytes)
            part = await self._client.upload_part(**target, PartNumber=number, Body=body)
            done.append({"PartNumber": number, "ETag": part["ETag"]})
        await self._client.complete_multipart_upload(**target, MultipartUpload={"Parts": done})

    async def open(self, key: str, byte_range: tuple[int, int] | None) -> AsyncGenerator[bytes, None]:
        """Return the bytes of a range (first and last), or all. Raises here or while the bytes are read."""
        part = {} if byte_range is None else {"Range": f"bytes={byte_range[0]}-{byte_range[1]}"}
        answer = await self._client.get_object(Bucket=self._name, Key=key, **part)
        return _pieces(answer["Body"])

    async def fetch(self, key: str) -> tuple[ObjectHeaders, AsyncGenerator[bytes, None]]:
        """Return headers and bytes of an object; raises ClientError if there is none."""
        answer = await self._client.get_object(Bucket=self._name, Key=key)
        return ObjectHeaders(answer["ContentType"], answer.get("ContentDisposition", "")), _pieces(answer["Body"])

    async def delete(self, key: str) -> None:
        """Delete an object if it exists."""
        await self._client.delete_object(Bucket=self._name, Key=key)

    async def list_after(self, key: str, limit: int) -> list[Listed]:
        """Return objects with keys above `key`, in order."""
        answer = await self._client.list_objects_v2(Bucket=self._name, StartAfter=key, MaxKeys=limit)
        return [Listed(one["Key"], _ms(one["LastModified"])) for one in answer.get("Contents", ())]

    async def abort_stale(self, before_ms: int, limit: int) -> None:
        """Abort multipart uploads that began before a time: their process has died."""
        answer = await self._client.list_multipart_uploads(Bucket=self._name, MaxUploads=limit)
        for one in answer.get("Uploads", ()):
            if _ms(one["Initiated"]) < before_ms:
                target = {"Bucket": self._name, "Key": one["Key"], "UploadId": one["UploadId"]}
                await self._client.abort_multipart_upload(**target)

    @property
    def is_public(self) -> bool:
        """Return whether browsers can reach the bucket."""
        return self._public is not None

    async def sign(self, key: str, headers: ObjectHeaders, seconds: int) -> str:
        """Return a presigned URL, valid for `seconds`, with fixed content type and disposition."""
        target = {
            "Bucket": self._name,
            "Key": key,
            "ResponseContentType": headers.content_type,
            "ResponseContentDisposition": headers.disposition,
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


async def _ignore_outage(work: Any) -> None:
    try:
        await work
    except BUCKET_DOWN:
        return


def _ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)


@asynccontextmanager
async def open_bucket(options: BucketOptions) -> AsyncIterator[Bucket]:
    """Open clients, without a request yet. Addressing is by path, because an IP address has no subdomains."""
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path", "payload_signing_enabled": False},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        connect_timeout=options.connect_timeout_s,
        read_timeout=options.read_timeout_s,
        max_pool_connections=options.connections,
        retries={"max_attempts": 2},
    )
    session = aioboto3.Session()

    def client(endpoint: str | None) -> Any:
        return session.client(
            "s3",
            endpoint_url=endpoint,
            region_name=options.region,
            aws_access_key_id=options.access_key,
            aws_secret_access_key=options.secret_key.get_secret_value() or None,
            config=config,
        )

    async with AsyncExitStack() as stack:
        inside = await stack.enter_async_context(client(options.endpoint_url))
        outside = options.public_url and await stack.enter_async_context(client(options.public_url))
        yield Bucket(
            inside,
            outside or None,
            name=options.name,
            region=options.region,
            part_bytes=options.part_bytes,
            concurrent_uploads=options.concurrent_uploads,
        )
