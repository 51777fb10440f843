"""The bucket's objects as files in a folder. Objects never change, so a second round adds what came since the first.

`index.jsonl` has a line for every file that is whole: its key, size, digest, and how it is handed out.
"""

import asyncio
import sys
from collections.abc import Iterator
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TypeVar

import msgspec
from botocore.exceptions import ClientError

from media.storage.bucket import Bucket, Served

A_PAGE = 500
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
    """Raises ValueError for a key that would lead out of the folder."""
    file = folder / "objects" / key
    if ".." in file.parts or key.startswith("/"):
        raise ValueError(f"no key of an object: {key}")
    return file


def read_index(folder: Path) -> list[Entry]:
    index = _index(folder)
    return [msgspec.json.decode(line, type=Entry) for line in index.read_bytes().splitlines()] if index.exists() else []


async def save(bucket: Bucket, folder: Path) -> str:
    """Copy what the folder lacks; what is deleted meanwhile is left out."""
    await bucket.check()
    known, behind, copied = {entry.key for entry in read_index(folder)}, "", 0
    with _index(folder).open("ab") as index:
        while page := await bucket.list_after(behind, A_PAGE):
            behind = page[-1].key
            keys = [one.key for one in page if one.key not in known]
            for some in _batches(keys):
                for entry in await asyncio.gather(*(_save_one(bucket, folder, key) for key in some)):
                    if entry is not None:
                        index.write(msgspec.json.encode(entry) + b"\n")
                        copied += 1
            _tell(f"files: {copied} copied")
    return f"files: {copied} copied, {len(known)} were there"


async def _save_one(bucket: Bucket, folder: Path, key: str) -> Entry | None:
    try:
        served, pieces = await bucket.fetch(key)
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
    return Entry(key, size, digest.hexdigest(), served.content_type, served.disposition)


async def bring_back(bucket: Bucket, folder: Path) -> str:
    """Put every object of the folder into the bucket. Raises ValueError where a file is not what was saved."""
    await bucket.check()
    entries, done = read_index(folder), 0
    for some in _batches(entries):
        await asyncio.gather(*(_bring_one(bucket, folder, entry) for entry in some))
        done += len(some)
        if done % A_PAGE < AT_ONCE:
            _tell(f"files: {done} of {len(entries)}")
    return f"files: {done} brought back"


async def _bring_one(bucket: Bucket, folder: Path, entry: Entry) -> None:
    with _file_of(folder, entry.key).open("rb") as file:
        if (await asyncio.to_thread(file_digest, file, "sha256")).hexdigest() != entry.sha256:
            raise ValueError(f"{entry.key} is not what was saved")
        await bucket.put(entry.key, file, entry.size, Served(entry.content_type, entry.disposition))


def _batches(items: list[T]) -> Iterator[list[T]]:
    return (items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE))


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
