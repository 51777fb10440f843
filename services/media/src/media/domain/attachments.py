"""Attachments: the stored record and the public view."""

import secrets
from hashlib import sha256
from typing import Literal, TypeAlias

import msgspec

from shared.contracts.media import Attachment

State: TypeAlias = Literal["pending", "stored", "failed", "deleting", "deleted"]
"""pending → stored → deleting → deleted; pending → failed. Only `stored` attachments are visible."""


class Upload(msgspec.Struct, kw_only=True):
    """A request to store a file; without a room it is an avatar."""

    user_id: str
    room_id: str | None
    client_id: str | None
    filename: str


class File(msgspec.Struct, kw_only=True):
    """A file to be stored. `digest` is the SHA-256 of the bytes as received, before pictures are re-encoded."""

    digest: bytes
    content_type: str
    size: int
    width: int | None = None
    height: int | None = None
    thumbnail: bool = False


class StoredAttachment(msgspec.Struct, kw_only=True):
    """A row of the table. `twin_key`, unique, is its `duplicate_key` while it is pending or stored."""

    id: str
    user_id: str
    room_id: str | None
    state: State
    digest: bytes
    twin_key: bytes | None
    filename: str
    content_type: str
    size: int
    width: int | None
    height: int | None
    thumbnail: bool
    object_key: str
    created_at: int
    deadline_at: int


def new_object_key() -> str:
    """Return a key of 256 random bits, which nobody can guess."""
    return f"a/{secrets.token_urlsafe(32)}"


def thumbnail_key(object_key: str) -> str:
    return f"{object_key}.thumbnail"


def object_key_of(key: str) -> str:
    """Return the object key of a key in the bucket, which may be that of its thumbnail."""
    return key.removesuffix(".thumbnail")


def keys_of(stored: StoredAttachment) -> list[str]:
    return [stored.object_key, *([thumbnail_key(stored.object_key)] if stored.thumbnail else [])]


def duplicate_key(upload: Upload, digest: bytes) -> bytes:
    """Return a key that is equal for equal bytes under the same name, from the same user, in the same room."""
    where = f"{upload.user_id} {upload.room_id or '-'} {upload.filename}".encode()
    return sha256(digest + where).digest()


def attachment_of(stored: StoredAttachment) -> Attachment:
    base = f"/api/media/attachments/{stored.id}"
    return Attachment(
        attachment_id=stored.id,
        filename=stored.filename,
        content_type=stored.content_type,
        size=stored.size,
        width=stored.width,
        height=stored.height,
        url=f"{base}/content",
        thumbnail_url=f"{base}/thumbnail" if stored.thumbnail else None,
    )
