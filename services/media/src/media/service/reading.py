"""Handing attachments out: to members of the room, avatars to everyone who is signed in; by a link or as bytes."""

import logging
from collections.abc import AsyncIterator
from typing import NamedTuple

from botocore.exceptions import ClientError

from media.domain.attachments import StoredAttachment, thumbnail_key
from media.service.dependencies import Dependencies
from media.service.members import is_member
from media.service.uploads import served, thumbnail_served
from media.storage import attachments
from media.storage.bucket import BUCKET_DOWN, Served
from shared.errors import NotFound, Unavailable

log = logging.getLogger(__name__)


class Readable(NamedTuple):
    """What its asker may read: where it lies, how it is served, and under which `etag` (it never changes)."""

    key: str
    served: Served
    etag: str
    is_avatar: bool
    size: int | None
    """None: not known, as for thumbnails."""


async def get_content(deps: Dependencies, attachment_id: str, user_id: str) -> Readable:
    stored = await _get(deps, attachment_id, user_id)
    etag = f'"{stored.id}"'
    return Readable(stored.object_key, served(stored), etag, stored.room_id is None, stored.size)


async def get_thumbnail(deps: Dependencies, attachment_id: str, user_id: str) -> Readable:
    stored = await _get(deps, attachment_id, user_id)
    if not stored.thumbnail:
        raise _nothing()
    key = thumbnail_key(stored.object_key)
    return Readable(key, thumbnail_served(stored), f'"{stored.id}-thumbnail"', stored.room_id is None, None)


async def _get(deps: Dependencies, attachment_id: str, user_id: str) -> StoredAttachment:
    """Raises NotFound, alike for what is not there and for what is not theirs to see."""
    async with deps.database.read() as db:
        stored = await attachments.find_attachment(db, attachment_id)
    if stored is None or stored.state != "stored":
        raise _nothing()
    if stored.room_id is not None and not await is_member(deps, stored.room_id, user_id):
        raise _nothing()
    return stored


def _nothing() -> NotFound:
    return NotFound("There is no such attachment.")


async def link_to(deps: Dependencies, readable: Readable) -> str | None:
    """Where the asker gets the bytes for the next minute; None: from us."""
    seconds = deps.settings.link_seconds
    if deps.cdn is not None and (deps.cdn.can_sign or readable.is_avatar):
        return deps.cdn.link(readable.key, readable.served, seconds)
    if deps.bucket.is_public:
        return await deps.bucket.sign(readable.key, readable.served, seconds)
    return None


async def open_bytes(deps: Dependencies, readable: Readable, span: tuple[int, int] | None) -> AsyncIterator[bytes]:
    """The bytes of a span, or all; raises Unavailable where the bucket does not give them."""
    try:
        return await deps.bucket.open(readable.key, span)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            log.error("the bucket has lost %s", readable.etag)  # noqa: TRY400 - no bug of ours
            raise _nothing() from error
        raise _away(error) from error
    except BUCKET_DOWN as error:
        raise _away(error) from error


def _away(error: BaseException) -> Unavailable:
    log.warning("an object could not be read: %r", error)
    return Unavailable("The file cannot be read now. Try again shortly.")
