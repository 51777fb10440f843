"""Re-encoding of pictures, each in a separate process with limited memory and time, against decompression bombs."""

import asyncio
import logging
import sys
from typing import IO

import msgspec

from media.service.picture_worker import Job, Limits, ProcessedPicture
from shared.errors import Invalid, Unavailable

log = logging.getLogger(__name__)

WORKER = (sys.executable, "-P", "-m", "media.service.picture_worker")


def unacceptable(detail: str) -> Invalid:
    return Invalid(f"This picture is not acceptable: {detail}", errors={"file": detail})


class PictureProcessor:
    def __init__(self, limits: Limits, *, concurrency: int, timeout_s: float) -> None:
        self._limits, self._timeout = limits, timeout_s
        self._free = asyncio.Semaphore(concurrency)

    async def process(self, source: IO[bytes], file: IO[bytes], thumbnail: IO[bytes]) -> ProcessedPicture:
        """Write the picture in `source` without metadata to `file`, and a thumbnail.

        Raises Invalid if it is malformed or too large, Unavailable if too many pictures are waiting.
        """
        job = Job(source.fileno(), file.fileno(), thumbnail.fileno(), self._limits)
        try:
            async with asyncio.timeout(self._timeout):
                await self._free.acquire()
        except TimeoutError as error:
            raise Unavailable("Too many pictures are being processed. Try again shortly.", retry_after=2) from error
        try:
            answer = await self._work(job)
        finally:
            self._free.release()
        made = (
            msgspec.json.decode(answer, type=ProcessedPicture)
            if answer
            else ProcessedPicture(error="it is damaged or too costly")
        )
        if made.error:
            raise unacceptable(made.error)
        return made

    async def _work(self, job: Job) -> bytes:
        """Return the worker's output, or nothing if it died or was too slow."""
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *WORKER, msgspec.json.encode(job).decode(),
            stdin=nothing, stdout=pipe, stderr=pipe, pass_fds=(job.source, job.file, job.thumbnail),
        )  # fmt: skip
        try:
            async with asyncio.timeout(self._timeout):
                answer, errors = await process.communicate()
        except TimeoutError:
            log.warning("a picture took more than %s s and is rejected", self._timeout)
            return b""
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            log.warning("the worker of a picture ended with %s: %s", process.returncode, errors[-300:])
            return b""
        return answer
