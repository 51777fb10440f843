"""Downloads of attachments by members of the room, and of avatars by everyone: as a signed link or as bytes."""

import logging
from collections.abc import AsyncIterator
from typing import NamedTuple

from botocore.exceptions import ClientError

from media.domain.attachments import StoredAttachment, thumbnail_key
from media.service.dependencies import Dependencies
from media.service.members import is_member
from media.service.uploads import headers_of, thumbnail_headers
from media.storage import attachments
from media.storage.bucket import BUCKET_DOWN, ObjectHeaders
from shared.errors import NotFound, Unavailable

log = logging.getLogger(__name__)


class Readable(NamedTuple):
    """An object that the caller may read. Its content never changes, so neither does `etag`."""

    key: str
    headers: ObjectHeaders
    etag: str
    is_avatar: bool
    size: int | None
    """None for thumbnails, whose size is not stored."""


async def get_content(deps: Dependencies, attachment_id: str, user_id: str) -> Readable:
    stored = await _get(deps, attachment_id, user_id)
    etag = f'"{stored.id}"'
    return Readable(stored.object_key, headers_of(stored), etag, stored.room_id is None, stored.size)


async def get_thumbnail(deps: Dependencies, attachment_id: str, user_id: str) -> Readable:
    stored = await _get(deps, attachment_id, user_id)
    if not stored.thumbnail:
        raise _not_found()
    key = thumbnail_key(stored.object_key)
    return Readable(key, thumbnail_headers(stored), f'"{stored.id}-thumbnail"', stored.room_id is None, None)


async def _get(deps: Dependencies, attachment_id: str, user_id: str) -> StoredAttachment:
    """Raises NotFound, with the same text for a missing attachment and for one that the user may not see."""
    async with deps.database.read() as db:
        stored = await attachments.find_attachment(db, attachment_id)
    if stored is None or stored.state != "stored":
        raise _not_found()
    if stored.room_id is not None and not await is_member(deps, stored.room_id, user_id):
        raise _not_found()
    return stored


def _not_found() -> NotFound:
    return NotFound("There is no such attachment.")


async def link_to(deps: Dependencies, readable: Readable) -> str | None:
    """Return a link to the bytes, or None if media has to serve them itself.

    It is valid for `link_seconds`, except on a CDN that does not sign: such a link, for avatars only, stays valid.
    """
    seconds = deps.link_seconds
    if deps.cdn is not None and (deps.cdn.can_sign or readable.is_avatar):
        return deps.cdn.link(readable.key, readable.headers, seconds)
    if deps.bucket.is_public:
        return await deps.bucket.sign(readable.key, readable.headers, seconds)
    return None


async def open_bytes(
    deps: Dependencies, readable: Readable, byte_range: tuple[int, int] | None
) -> AsyncIterator[bytes]:
    """Return the bytes of a range, or all; raises Unavailable if the bucket does not answer."""
    try:
        return await deps.bucket.open(readable.key, byte_range)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            log.error("the object of attachment %s is missing in the bucket", readable.etag)  # noqa: TRY400 - not a bug of media
            raise _not_found() from error
        raise _unavailable(error) from error
    except BUCKET_DOWN as error:
        raise _unavailable(error) from error


def _unavailable(error: BaseException) -> Unavailable:
    log.warning("an object could not be read: %r", error)
    return Unavailable("The file cannot be read now. Try again shortly.")
