"""Uploads in progress, in unnamed files: they disappear with the process, however it ends."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from tempfile import TemporaryFile
from typing import IO

from media.domain.file_types import HEAD
from shared.errors import TooLarge

BUFFER = 1024 * 1024


class Spool:
    def __init__(self, file: IO[bytes], limit: int) -> None:
        self.file, self.size, self.head = file, 0, b""
        self._limit, self._hash, self._waiting = limit, sha256(), bytearray()

    async def write(self, data: bytes) -> None:
        """Append data; raises TooLarge as soon as the limit is exceeded."""
        self.size += len(data)
        if self.size > self._limit:
            raise TooLarge(f"A file has at most {self._limit} bytes.", errors={"file": "is too large"})
        if len(self.head) < HEAD:
            self.head += bytes(data[: HEAD - len(self.head)])
        self._waiting += data
        if len(self._waiting) >= BUFFER:
            await self._flush()

    async def finish(self) -> bytes:
        """Write what is buffered; return the SHA-256 of the whole file."""
        await self._flush()
        return self._hash.digest()

    async def _flush(self) -> None:
        data, self._waiting = bytes(self._waiting), bytearray()

        def write() -> None:
            self._hash.update(data)
            self.file.write(data)
            self.file.flush()

        await asyncio.to_thread(write)


@contextmanager
def new_spool(limit: int) -> Iterator[Spool]:
    with TemporaryFile() as file:
        yield Spool(file, limit)
