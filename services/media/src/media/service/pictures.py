"""Pictures made anew, each in a process of its own that has little memory and little time: a bomb ends nothing else."""

import asyncio
import logging
import math
import sys
from typing import IO

import msgspec

from media.service.picture_worker import Limits, Made, Order
from media.settings import MediaSettings
from shared.errors import Invalid, Unavailable

log = logging.getLogger(__name__)

WORKER = (sys.executable, "-P", "-m", "media.service.picture_worker")


def refused(detail: str) -> Invalid:
    return Invalid(f"This picture cannot be taken: {detail}", errors={"file": detail})


class Studio:
    def __init__(self, settings: MediaSettings) -> None:
        self._free = asyncio.Semaphore(settings.pictures_at_once)
        self._timeout = settings.picture_timeout_s
        self._limits = Limits(
            pixels=settings.max_picture_pixels,
            frames=settings.max_picture_frames,
            frame_pixels=settings.max_animation_pixels,
            memory=settings.picture_memory_mb * 1024 * 1024,
            seconds=math.ceil(settings.picture_timeout_s) + 1,
        )

    async def develop(self, source: IO[bytes], file: IO[bytes], thumbnail: IO[bytes]) -> Made:
        """The picture in `source` without anything but its pixels; raises Invalid where it is none or too much."""
        order = Order(source.fileno(), file.fileno(), thumbnail.fileno(), self._limits)
        try:
            async with asyncio.timeout(self._timeout):
                await self._free.acquire()
        except TimeoutError as error:
            raise Unavailable("Too many pictures are being made. Try again shortly.", retry_after=2) from error
        try:
            answer = await self._work(order)
        finally:
            self._free.release()
        made = msgspec.json.decode(answer, type=Made) if answer else Made(refused="it is damaged or too costly")
        if made.refused:
            raise refused(made.refused)
        return made

    async def _work(self, order: Order) -> bytes:
        """What the worker answers; nothing where it died or was too slow."""
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *WORKER, msgspec.json.encode(order).decode(),
            stdin=nothing, stdout=pipe, stderr=pipe, pass_fds=(order.source, order.file, order.thumbnail),
        )  # fmt: skip
        try:
            async with asyncio.timeout(self._timeout):
                answer, errors = await process.communicate()
        except TimeoutError:
            log.warning("a picture took more than %s s", self._timeout)
            return b""
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            log.warning("a picture ended its worker with %s: %s", process.returncode, errors[-300:])
            return b""
        return answer
