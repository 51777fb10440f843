"""Contracts of media: attachments, as messages contain them, and requests of other services."""

import msgspec


class Attachment(msgspec.Struct, omit_defaults=True, kw_only=True):
    """`url` and `thumbnail_url` are API paths, which check membership."""

    attachment_id: str
    filename: str
    content_type: str
    size: int
    width: int | None = None
    height: int | None = None
    url: str
    thumbnail_url: str | None = None


# Requests of other services


class UploadRequest(msgspec.Struct, kw_only=True):
    """Store base64 `data` (at most 5 MiB decoded) for a member of the room. The answer is an Attachment.

    Idempotent by `user_id` and `client_id`: a retry gets the first answer, other content is a conflict.
    """

    user_id: str
    room_id: str
    client_id: str
    filename: str
    data: str


class AttachmentsRequest(msgspec.Struct, kw_only=True):
    """Ask for attachments that the user uploaded to this room; at most 10 per call."""

    user_id: str
    room_id: str
    attachment_ids: list[str]


class Attachments(msgspec.Struct):
    """All requested attachments, in the order of the ids. If one is missing, the call fails with `not_found`."""

    attachments: list[Attachment]


class AvatarRequest(msgspec.Struct, kw_only=True):
    """Check an avatar: `not_found` unless the user uploaded this attachment as an avatar."""

    user_id: str
    attachment_id: str


class Avatar(msgspec.Struct):
    attachment_id: str
