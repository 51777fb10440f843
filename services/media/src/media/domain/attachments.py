"""An attachment as it is stored, and as everyone sees it."""

import secrets
from hashlib import sha256
from typing import Literal, TypeAlias

import msgspec

from shared.contracts.media import Attachment

State: TypeAlias = Literal["pending", "stored", "failed", "deleting", "deleted"]
"""pending → stored → deleting → deleted; pending → failed. Only what is stored is seen by anyone."""


class Upload(msgspec.Struct, kw_only=True):
    """What someone wants to store; without a room it is an avatar."""

    user_id: str
    room_id: str | None
    client_id: str | None
    filename: str


class File(msgspec.Struct, kw_only=True):
    """What is to be stored. `digest` is of the bytes as they came: the same again are stored once."""

    digest: bytes
    content_type: str
    size: int
    width: int | None = None
    height: int | None = None
    thumbnail: bool = False


class StoredAttachment(msgspec.Struct, kw_only=True):
    """`twin_key` is there while the row is pending or stored: no second one has the same."""

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
    """256 random bits: who does not have the key from us finds nothing in the bucket."""
    return f"a/{secrets.token_urlsafe(32)}"


def thumbnail_key(object_key: str) -> str:
    return f"{object_key}.thumbnail"


def object_key_of(key: str) -> str:
    """The object that a key of the bucket belongs to."""
    return key.removesuffix(".thumbnail")


def keys_of(stored: StoredAttachment) -> list[str]:
    return [stored.object_key, *([thumbnail_key(stored.object_key)] if stored.thumbnail else [])]


def twin_key(upload: Upload, digest: bytes) -> bytes:
    """The same for the same bytes, under the same name, by the same person, in the same room."""
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
