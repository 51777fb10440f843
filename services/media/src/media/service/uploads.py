"""Uploads: inspect the file, insert a pending row, store the object, and only then make the attachment visible.

If an upload ends in between, its row stays and the sweep cleans up.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import IO, TypeVar

import msgspec
from sqlalchemy.exc import IntegrityError

from media.domain.attachments import (
    File,
    StoredAttachment,
    Upload,
    attachment_of,
    duplicate_key,
    new_object_key,
    thumbnail_key,
)
from media.domain.file_types import PICTURES, UNREADABLE_PICTURES, display_type, type_of
from media.domain.names import clean_name, disposition
from media.service.deletions import release
from media.service.dependencies import Dependencies
from media.service.members import check_member
from media.service.pictures import unacceptable
from media.service.spool import Spool
from media.storage import attachments, deletion_log
from media.storage.bucket import BUCKET_DOWN, ObjectHeaders
from shared.contracts.media import Attachment
from shared.database.engine import UNREACHABLE, Db
from shared.errors import Conflict, Forbidden, Invalid, TooLarge, Unavailable
from shared.ids import is_id, new_id, now_ms

log = logging.getLogger(__name__)

T = TypeVar("T")

POLL_S = 0.1
GONE = ("deleting", "deleted")
"""A retry of such an upload gets the first answer, although its message has been deleted."""
THUMBNAIL_TYPE = "image/webp"


class _InProgressError(Exception):
    """An upload of the same file is in progress."""


class _Prepared(msgspec.Struct):
    """A file that is ready to be stored."""

    file: File
    body: IO[bytes]
    thumbnail: IO[bytes] | None = None


def _validated(upload: Upload) -> Upload:
    """Return the upload with a canonical client id and a safe filename; raises Invalid."""
    client_id = None if upload.client_id is None else upload.client_id.lower()
    if client_id is not None and not is_id(client_id):
        raise Invalid("Some fields are not acceptable.", errors={"client_id": "must be a UUID"})
    return msgspec.structs.replace(upload, client_id=client_id, filename=clean_name(upload.filename))


async def store(deps: Dependencies, upload: Upload, spool: Spool) -> Attachment:
    """Store the file, or return the attachment of an earlier upload of it. If it raises, nothing is visible."""
    upload = _validated(upload)
    if spool.size == 0:
        raise Invalid("The file is empty.", errors={"file": "is empty"})
    digest = await spool.finish()
    if upload.room_id is not None:
        await _check_room(deps, upload, upload.room_id, digest)
    if (existing := await _wait_for_duplicate(deps, lambda: _read_existing(deps, upload, digest))) is not None:
        return attachment_of(existing)
    with ExitStack() as stack:
        prepared = await _inspect(deps, upload, spool, digest, stack)
        claimed = await _wait_for_duplicate(deps, lambda: _claim(deps, upload, prepared.file))
        if claimed.state != "pending":
            return attachment_of(claimed)
        await _store_objects(deps, claimed, prepared)
    return attachment_of(claimed)


async def _check_room(deps: Dependencies, upload: Upload, room_id: str, digest: bytes) -> None:
    """Check membership. Delete a duplicate that is unreferenced in the room, in case its event has not arrived yet."""
    async with deps.database.read() as db:
        duplicate = await attachments.find_duplicate(db, duplicate_key(upload, digest))
    released = await check_member(deps, room_id, upload.user_id, [duplicate.id] if duplicate else [])
    if released:
        await release(deps, room_id, released)


async def _wait_for_duplicate(deps: Dependencies, attempt: Callable[[], Awaitable[T]]) -> T:
    """Retry `attempt` while an upload of the same file is in progress; raises Unavailable if that takes too long."""
    deadline = asyncio.get_running_loop().time() + deps.uploads.wait_for_duplicate_s
    while True:
        try:
            return await attempt()
        except _InProgressError as error:
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable("This file is being stored. Try again shortly.", retry_after=1) from error
        await asyncio.sleep(POLL_S)


# inspecting the file


async def _inspect(deps: Dependencies, upload: Upload, spool: Spool, digest: bytes, stack: ExitStack) -> _Prepared:
    content_type = type_of(spool.head)
    if content_type in UNREADABLE_PICTURES:
        raise unacceptable("this kind is not supported, send it as JPEG")
    if content_type not in PICTURES:
        if upload.room_id is None:
            raise Invalid("An avatar must be a picture.", errors={"file": "must be a picture"})
        return _Prepared(File(digest=digest, content_type=content_type, size=spool.size), spool.file)
    body, thumbnail = (stack.enter_context(TemporaryFile()) for _ in range(2))  # noqa: SIM115
    made = await deps.pictures.process(upload.user_id, spool.file, body, thumbnail)
    size = os.fstat(body.fileno()).st_size
    file = File(
        digest=digest, content_type=made.content_type, size=size, width=made.width, height=made.height, thumbnail=True
    )
    return _Prepared(file, body, thumbnail)


# finding an earlier upload


async def _read_existing(deps: Dependencies, upload: Upload, digest: bytes) -> StoredAttachment | None:
    async with deps.database.read() as db:
        return await _find_existing(db, upload, digest)


async def _find_existing(db: Db, upload: Upload, digest: bytes) -> StoredAttachment | None:
    """Return the earlier upload with this client id, or else a duplicate; raises Conflict or _InProgressError."""
    first = upload.client_id and await attachments.find_by_client_id(db, upload.user_id, upload.client_id)
    if first and (_is_active(first) or first.state in GONE):
        if (first.digest, first.room_id) != (digest, upload.room_id):
            raise Conflict("This client id was used for another file.", errors={"client_id": "was used before"})
        name = upload.filename if first.state in GONE else first.filename
        return msgspec.structs.replace(_stored(first), filename=name)
    duplicate = await attachments.find_duplicate(db, duplicate_key(upload, digest))
    if duplicate is None or not _is_active(duplicate) or (duplicate.state == "stored" and upload.client_id):
        return None  # the writing transaction finds it and records the client id
    return _stored(duplicate)


def _is_active(found: StoredAttachment) -> bool:
    """Return whether it is stored, or being stored by a process that may be alive."""
    return found.state == "stored" or (found.state == "pending" and found.deadline_at > now_ms())


def _stored(found: StoredAttachment) -> StoredAttachment:
    if found.state == "pending":
        raise _InProgressError
    return found


# inserting the pending row


async def _claim(deps: Dependencies, upload: Upload, file: File) -> StoredAttachment:
    """Insert a pending row, or return a stored one. If two processes insert the same, one retries and finds it."""
    for _ in range(2):
        try:
            return await deps.database.transact(lambda db: _write_claim(deps, db, upload, file))
        except IntegrityError:
            continue
    return await deps.database.transact(lambda db: _write_claim(deps, db, upload, file))


async def _write_claim(deps: Dependencies, db: Db, upload: Upload, file: File) -> StoredAttachment:
    if await deletion_log.is_closed(db, upload.user_id):
        raise Forbidden("This account is closed.")
    if (existing := await _find_existing(db, upload, file.digest)) is not None:
        return existing
    duplicate = await attachments.find_duplicate(db, duplicate_key(upload, file.digest))
    if duplicate is not None and _is_active(duplicate):
        _stored(duplicate)  # it was inserted after the read above and must not be failed
    elif duplicate is not None:  # its process has died: fail it, which frees its duplicate key
        await attachments.set_state(db, [duplicate.id], "pending", "failed")
        duplicate = None
    if duplicate is None:
        duplicate = _row_of(upload, file, deps.uploads.deadline_ms)
        same = await attachments.find_same_bytes(db, upload.user_id, upload.room_id, file.digest)
        if same is not None:  # the same bytes under another name share one object
            duplicate = _share(duplicate, same)
        await _check_storage(db, duplicate, deps.uploads.storage_of_one)
        await attachments.insert_attachment(db, duplicate)
    await attachments.record_client_id(db, upload.user_id, upload.client_id, duplicate.id)
    return duplicate


async def _check_storage(db: Db, new: StoredAttachment, limit: int) -> None:
    """Raise TooLarge if the person's files would exceed the limit. Concurrent uploads may exceed it by their size."""
    if limit and await attachments.stored_bytes(db, new.user_id) + new.size > limit:
        detail = "Your files take all of your storage. Delete messages with files first."
        raise TooLarge(detail, errors={"file": "exceeds your storage"})


def _row_of(upload: Upload, file: File, deadline_ms: int) -> StoredAttachment:
    now = now_ms()
    return StoredAttachment(
        id=new_id(),
        user_id=upload.user_id,
        room_id=upload.room_id,
        state="pending",
        digest=file.digest,
        twin_key=duplicate_key(upload, file.digest),
        filename=upload.filename,
        content_type=file.content_type,
        size=file.size,
        width=file.width,
        height=file.height,
        thumbnail=file.thumbnail,
        object_key=new_object_key(),
        created_at=now,
        deadline_at=now + deadline_ms,
    )


def _share(row: StoredAttachment, same: StoredAttachment) -> StoredAttachment:
    made = {name: getattr(same, name) for name in ("content_type", "size", "width", "height", "thumbnail")}
    return msgspec.structs.replace(row, state="stored", object_key=same.object_key, **made)


# storing the object and confirming the row


async def _store_objects(deps: Dependencies, claimed: StoredAttachment, prepared: _Prepared) -> None:
    """Store the objects; on failure set the row to `failed` and raise Unavailable."""
    try:
        async with asyncio.timeout((claimed.deadline_at - now_ms()) / 1000):
            if prepared.thumbnail is not None:
                await _store_object(
                    deps, thumbnail_key(claimed.object_key), prepared.thumbnail, thumbnail_headers(claimed)
                )
            await _store_object(deps, claimed.object_key, prepared.body, headers_of(claimed))
            stored = await deps.database.transact(lambda db: _confirm(db, claimed))
    except BaseException as error:
        await _fail(deps, claimed)
        if isinstance(error, BUCKET_DOWN):
            log.warning("an upload failed: %r", error)
            raise Unavailable("The file could not be stored. Try again.") from error
        raise
    if not stored:
        raise Unavailable("The file could not be stored in time. Try again.")
    claimed.state = "stored"


async def _confirm(db: Db, claimed: StoredAttachment) -> bool:
    """Set the row to `stored`; return False if the sweep has failed it, or the account was closed meanwhile."""
    if claimed.room_id is None and await deletion_log.is_closed(db, claimed.user_id):
        return False
    return await attachments.set_state(db, [claimed.id], "pending", "stored") == 1


async def _store_object(deps: Dependencies, key: str, body: IO[bytes], headers: ObjectHeaders) -> None:
    await deps.bucket.put(key, body, os.fstat(body.fileno()).st_size, headers)


async def _fail(deps: Dependencies, claimed: StoredAttachment) -> None:
    try:
        await deps.database.transact(lambda db: attachments.set_state(db, [claimed.id], "pending", "failed"))
    except UNREACHABLE as error:
        log.warning("a failed upload stays pending until its deadline: %r", error)


def headers_of(stored: StoredAttachment) -> ObjectHeaders:
    content_type, inline = display_type(stored.content_type)
    return ObjectHeaders(content_type, disposition(stored.filename, inline=inline))


def thumbnail_headers(stored: StoredAttachment) -> ObjectHeaders:
    return ObjectHeaders(THUMBNAIL_TYPE, disposition(f"{stored.filename}.webp", inline=True))
