"""What media answers: attachments, as messages carry them, and what the other services ask of media."""

import msgspec


class Attachment(msgspec.Struct, omit_defaults=True, kw_only=True):
    """`url` and `thumbnail_url` are API paths: membership is checked behind them."""

    attachment_id: str
    filename: str
    content_type: str
    size: int
    width: int | None = None
    height: int | None = None
    url: str
    thumbnail_url: str | None = None


# What media answers to the other services


class UploadRequest(msgspec.Struct, kw_only=True):
    """Store base64 `data` (at most 5 MiB decoded) for a member of the room; answered by an Attachment.

    Idempotent by (`user_id`, `client_id`): a repeat gets the first, one with other content is a conflict.
    """

    user_id: str
    room_id: str
    client_id: str
    filename: str
    data: str


class AttachmentsRequest(msgspec.Struct, kw_only=True):
    """Resolve attachments that the user uploaded to this room; at most 10 a call."""

    user_id: str
    room_id: str
    attachment_ids: list[str]


class Attachments(msgspec.Struct):
    """All that were asked for, in that order: one that is not there makes the whole call `not_found`."""

    attachments: list[Attachment]


class AvatarRequest(msgspec.Struct, kw_only=True):
    """May the user wear this attachment? `not_found` unless it is an avatar that the user uploaded."""

    user_id: str
    attachment_id: str


class Avatar(msgspec.Struct):
    attachment_id: str
