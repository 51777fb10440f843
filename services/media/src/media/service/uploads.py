"""An upload: looked at, announced by a row, put into the bucket, and only then there for anyone.

Whatever ends it in between leaves a row that says so, and the sweep clears up after it.
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
    new_object_key,
    thumbnail_key,
    twin_key,
)
from media.domain.file_types import PICTURES, UNREADABLE_PICTURES, served_as, type_of
from media.domain.names import clean_name, disposition
from media.service.deleting import release
from media.service.dependencies import Dependencies
from media.service.members import check_member
from media.service.pictures import refused
from media.service.spool import Spool
from media.storage import attachments, receipts
from media.storage.bucket import BUCKET_DOWN, Served
from shared.contracts.media import Attachment
from shared.database.engine import UNREACHABLE, Db
from shared.errors import Conflict, Forbidden, Invalid, Unavailable
from shared.ids import is_id, new_id, now_ms

log = logging.getLogger(__name__)

T = TypeVar("T")

POLL_S = 0.1
GONE = ("deleting", "deleted")
"""It was stored: a repeat is answered as the first was, also when the message has been deleted since."""
THUMBNAIL_TYPE = "image/webp"


class _BusyError(Exception):
    """The first of its kind is under way."""


class _Ready(msgspec.Struct):
    """A file that can go into the bucket."""

    file: File
    body: IO[bytes]
    thumbnail: IO[bytes] | None = None


def checked(upload: Upload) -> Upload:
    """With ids in canonical form and a name that can be shown; raises Problem."""
    client_id = None if upload.client_id is None else upload.client_id.lower()
    if client_id is not None and not is_id(client_id):
        raise Invalid("Some fields are not acceptable.", errors={"client_id": "must be a UUID"})
    return msgspec.structs.replace(upload, client_id=client_id, filename=clean_name(upload.filename))


async def store(deps: Dependencies, upload: Upload, spool: Spool) -> Attachment:
    """The attachment, stored now or before; raises Problem, and then nothing is there."""
    upload = checked(upload)
    if spool.size == 0:
        raise Invalid("The file is empty.", errors={"file": "is empty"})
    digest = await spool.finish()
    if upload.room_id is not None:
        await _check_room(deps, upload, upload.room_id, digest)
    if (first := await _unless_busy(deps, lambda: _find_first(deps, upload, digest))) is not None:
        return attachment_of(first)
    with ExitStack() as stack:
        ready = await _look_at(deps, upload, spool, digest, stack)
        claimed = await _unless_busy(deps, lambda: _claim(deps, upload, ready.file))
        if claimed.state != "pending":
            return attachment_of(claimed)
        await _put(deps, claimed, ready)
    return attachment_of(claimed)


async def _check_room(deps: Dependencies, upload: Upload, room_id: str, digest: bytes) -> None:
    """Raises NotFound for outsiders. What the room has let go is not given out again, even before its event is here."""
    async with deps.database.read() as db:
        twin = await attachments.find_twin(db, twin_key(upload, digest))
    released = await check_member(deps, room_id, upload.user_id, [twin.id] if twin else [])
    if released:
        await release(deps, room_id, released)


async def _unless_busy(deps: Dependencies, ask: Callable[[], Awaitable[T]]) -> T:
    """What `ask` answers once the first of its kind has ended; raises Unavailable where that takes long."""
    deadline = asyncio.get_running_loop().time() + deps.settings.wait_for_twin_s
    while True:
        try:
            return await ask()
        except _BusyError as error:
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable("This file is just being stored. Try again shortly.", retry_after=1) from error
        await asyncio.sleep(POLL_S)


# what it is


async def _look_at(deps: Dependencies, upload: Upload, spool: Spool, digest: bytes, stack: ExitStack) -> _Ready:
    content_type = type_of(spool.head)
    if content_type in UNREADABLE_PICTURES:
        raise refused("this kind is not supported, send it as JPEG")
    if content_type not in PICTURES:
        if upload.room_id is None:
            raise Invalid("An avatar must be a picture.", errors={"file": "must be a picture"})
        return _Ready(File(digest=digest, content_type=content_type, size=spool.size), spool.file)
    body, thumbnail = (stack.enter_context(TemporaryFile()) for _ in range(2))  # noqa: SIM115
    made = await deps.studio.develop(spool.file, body, thumbnail)
    size = os.fstat(body.fileno()).st_size
    file = File(
        digest=digest, content_type=made.content_type, size=size, width=made.width, height=made.height, thumbnail=True
    )
    return _Ready(file, body, thumbnail)


# whether it is there already


async def _find_first(deps: Dependencies, upload: Upload, digest: bytes) -> StoredAttachment | None:
    async with deps.database.read() as db:
        return await _first_of(db, upload, digest)


async def _first_of(db: Db, upload: Upload, digest: bytes) -> StoredAttachment | None:
    """What was stored under the client id, else the same by the same person here; raises Conflict or _BusyError."""
    first = upload.client_id and await attachments.find_by_client_id(db, upload.user_id, upload.client_id)
    if first and (_stands(first) or first.state in GONE):
        if (first.digest, first.room_id) != (digest, upload.room_id):
            raise Conflict("This client id was used for another file.", errors={"client_id": "was used before"})
        name = upload.filename if first.state in GONE else first.filename
        return msgspec.structs.replace(_stored(first), filename=name)
    twin = await attachments.find_twin(db, twin_key(upload, digest))
    if twin is None or not _stands(twin) or (twin.state == "stored" and upload.client_id):
        return None  # with a client id it is found in the writing transaction, which remembers the id
    return _stored(twin)


def _stands(found: StoredAttachment) -> bool:
    """Stored, or being stored by a process that may be alive."""
    return found.state == "stored" or (found.state == "pending" and found.deadline_at > now_ms())


def _stored(found: StoredAttachment) -> StoredAttachment:
    if found.state == "pending":
        raise _BusyError
    return found


# the row that announces it


async def _claim(deps: Dependencies, upload: Upload, file: File) -> StoredAttachment:
    """A new row, pending; or one that is stored. Two processes with the same: one meets the other's row."""
    for _ in range(2):
        try:
            return await deps.database.transact(lambda db: _write_claim(deps, db, upload, file))
        except IntegrityError:
            continue
    return await deps.database.transact(lambda db: _write_claim(deps, db, upload, file))


async def _write_claim(deps: Dependencies, db: Db, upload: Upload, file: File) -> StoredAttachment:
    if await receipts.is_closed(db, upload.user_id):
        raise Forbidden("This account is closed.")
    if (first := await _first_of(db, upload, file.digest)) is not None:
        return first
    twin = await attachments.find_twin(db, twin_key(upload, file.digest))
    if twin is not None and _stands(twin):
        _stored(twin)  # one may have come since the look above: it is not to be ended
    elif twin is not None:  # left behind: it ends, and its key is free
        await attachments.set_state(db, [twin.id], "pending", "failed")
        twin = None
    if twin is None:
        twin = _row_of(upload, file, round(deps.settings.upload_deadline_s * 1000))
        same = await attachments.find_same_bytes(db, upload.user_id, upload.room_id, file.digest)
        if same is not None:  # under another name: one object serves both
            twin = _share(twin, same)
        await attachments.insert_attachment(db, twin)
    await attachments.remember_upload(db, upload.user_id, upload.client_id, twin.id)
    return twin


def _row_of(upload: Upload, file: File, deadline_ms: int) -> StoredAttachment:
    now = now_ms()
    return StoredAttachment(
        id=new_id(),
        user_id=upload.user_id,
        room_id=upload.room_id,
        state="pending",
        digest=file.digest,
        twin_key=twin_key(upload, file.digest),
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


# the object, and the row that says it is there


async def _put(deps: Dependencies, claimed: StoredAttachment, ready: _Ready) -> None:
    """Raises Unavailable where the bucket does not take it in time; the row says `failed` then."""
    try:
        async with asyncio.timeout((claimed.deadline_at - now_ms()) / 1000):
            if ready.thumbnail is not None:
                await _put_one(deps, thumbnail_key(claimed.object_key), ready.thumbnail, thumbnail_served(claimed))
            await _put_one(deps, claimed.object_key, ready.body, served(claimed))
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
    """False where the sweep has ended it, or the account was closed meanwhile."""
    if claimed.room_id is None and await receipts.is_closed(db, claimed.user_id):
        return False
    return await attachments.set_state(db, [claimed.id], "pending", "stored") == 1


async def _put_one(deps: Dependencies, key: str, body: IO[bytes], how: Served) -> None:
    await deps.bucket.put(key, body, os.fstat(body.fileno()).st_size, how)


async def _fail(deps: Dependencies, claimed: StoredAttachment) -> None:
    try:
        await deps.database.transact(lambda db: attachments.set_state(db, [claimed.id], "pending", "failed"))
    except UNREACHABLE as error:
        log.warning("an upload that failed stays pending until its deadline: %r", error)


def served(stored: StoredAttachment) -> Served:
    content_type, inline = served_as(stored.content_type)
    return Served(content_type, disposition(stored.filename, inline=inline))


def thumbnail_served(stored: StoredAttachment) -> Served:
    return Served(THUMBNAIL_TYPE, disposition(f"{stored.filename}.webp", inline=True))
