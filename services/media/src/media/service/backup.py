"""Backup of the bucket's objects to a folder. Objects never change, so a second run only adds new ones.

`index.jsonl` has a line for every complete file: key, size, digest, and headers.
"""

import asyncio
import sys
from collections.abc import Iterator
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TypeVar

import msgspec
from botocore.exceptions import ClientError

from media.storage.bucket import Bucket, ObjectHeaders

PAGE = 500
AT_ONCE = 8
GONE = ("NoSuchKey", "404")

T = TypeVar("T")


class Entry(msgspec.Struct):
    key: str
    size: int
    sha256: str
    content_type: str
    disposition: str


def _index(folder: Path) -> Path:
    return folder / "index.jsonl"


def _file_of(folder: Path, key: str) -> Path:
    """Return the path of a key; raises ValueError if it would be outside the folder."""
    file = folder / "objects" / key
    if ".." in file.parts or key.startswith("/"):
        raise ValueError(f"not a key of an object: {key}")
    return file


def read_index(folder: Path) -> list[Entry]:
    index = _index(folder)
    return [msgspec.json.decode(line, type=Entry) for line in index.read_bytes().splitlines()] if index.exists() else []


async def save(bucket: Bucket, folder: Path) -> str:
    """Copy the objects that are not in the folder. Objects that are deleted meanwhile are skipped."""
    await bucket.check()
    known, after, copied = {entry.key for entry in read_index(folder)}, "", 0
    with _index(folder).open("ab") as index:
        while page := await bucket.list_after(after, PAGE):
            after = page[-1].key
            keys = [one.key for one in page if one.key not in known]
            for some in _batches(keys):
                for entry in await asyncio.gather(*(_save_one(bucket, folder, key) for key in some)):
                    if entry is not None:
                        index.write(msgspec.json.encode(entry) + b"\n")
                        copied += 1
            _report(f"files: {copied} copied")
    return f"files: {copied} copied, {len(known)} existed"


async def _save_one(bucket: Bucket, folder: Path, key: str) -> Entry | None:
    try:
        headers, pieces = await bucket.fetch(key)
    except ClientError as error:
        if error.response["Error"]["Code"] in GONE:
            return None
        raise
    file, digest, size = _file_of(folder, key), sha256(), 0
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as output:
        async for piece in pieces:
            output.write(piece)
            digest.update(piece)
            size += len(piece)
    return Entry(key, size, digest.hexdigest(), headers.content_type, headers.disposition)


async def restore(bucket: Bucket, folder: Path) -> str:
    """Copy every object of the folder into the bucket. Raises ValueError if a file has changed."""
    await bucket.check()
    entries, done = read_index(folder), 0
    for some in _batches(entries):
        await asyncio.gather(*(_restore_one(bucket, folder, entry) for entry in some))
        done += len(some)
        if done % PAGE < AT_ONCE:
            _report(f"files: {done} of {len(entries)}")
    return f"files: {done} restored"


async def _restore_one(bucket: Bucket, folder: Path, entry: Entry) -> None:
    with _file_of(folder, entry.key).open("rb") as file:
        if (await asyncio.to_thread(file_digest, file, "sha256")).hexdigest() != entry.sha256:
            raise ValueError(f"{entry.key} has changed since it was saved")
        await bucket.put(entry.key, file, entry.size, ObjectHeaders(entry.content_type, entry.disposition))


def _batches(items: list[T]) -> Iterator[list[T]]:
    return (items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE))


def _report(line: str) -> None:
    sys.stderr.write(f"{line}\n")
