"""Commands that operators run: `python -m media <command>`."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from media.service.backup import restore, save
from media.service.dependencies import bucket_options
from media.settings import MediaSettings
from media.storage.bucket import BUCKET_DOWN, Bucket, open_bucket

BACKUP = Path("/backup")
"""Mount point of a backup's folder."""


def save_objects(settings: MediaSettings) -> str:
    """Copy the bucket's objects into the backup."""
    return _with_bucket(settings, save)


def bring_objects_back(settings: MediaSettings) -> str:
    """Copy the backup's objects into the bucket."""
    return _with_bucket(settings, restore)


def _with_bucket(settings: MediaSettings, work: Callable[[Bucket, Path], Awaitable[str]]) -> str:
    async def run() -> str:
        async with open_bucket(bucket_options(settings)) as bucket:
            return await work(bucket, BACKUP)

    try:
        return asyncio.run(run())
    except (*BUCKET_DOWN, ValueError) as error:
        sys.exit(f"media: {error}")
