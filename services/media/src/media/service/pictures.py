"""Re-encoding of pictures, each in a separate process with limited memory and time, against decompression bombs.

The workers and their time are shared fairly: a person with many or costly pictures delays nobody else's.
"""

import asyncio
import logging
import sys
from typing import IO

import msgspec

from media.service.picture_worker import Job, Limits, ProcessedPicture
from media.service.shares import ComputingTime
from shared.errors import Invalid
from shared.fair_workers import Workers

log = logging.getLogger(__name__)

WORKER = (sys.executable, "-P", "-m", "media.service.picture_worker")


def unacceptable(detail: str) -> Invalid:
    return Invalid(f"This picture is not acceptable: {detail}", errors={"file": detail})


class PictureProcessor:
    def __init__(self, limits: Limits, workers: Workers, time_of_one: ComputingTime, *, timeout_s: float) -> None:
        self._limits, self._workers, self._time_of_one, self._timeout = limits, workers, time_of_one, timeout_s

    async def process(self, person: str, source: IO[bytes], file: IO[bytes], thumbnail: IO[bytes]) -> ProcessedPicture:
        """Write the picture in `source` without metadata to `file`, and a thumbnail.

        Raises Invalid if it is malformed or too large, Unavailable if too many pictures are waiting, RateLimited if the
        person's pictures have used up their computing time.
        """
        job = Job(source.fileno(), file.fileno(), thumbnail.fileno(), self._limits)
        loop = asyncio.get_running_loop()
        async with self._workers.worker(person):
            self._time_of_one.check(person, loop.time())
            made = await self._work(job)
            self._time_of_one.charge(person, made.cpu_s, loop.time())
        if made.error:
            raise unacceptable(made.error)
        return made

    async def _work(self, job: Job) -> ProcessedPicture:
        """Return what the worker made. One that died or was too slow counts as if it had used its whole time."""
        began = asyncio.get_running_loop().time()
        answer = await self._run(job)
        if answer:
            return msgspec.json.decode(answer, type=ProcessedPicture)
        used = asyncio.get_running_loop().time() - began
        return ProcessedPicture(error="it is damaged or too costly", cpu_s=used)

    async def _run(self, job: Job) -> bytes:
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
