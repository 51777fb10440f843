"""What media answers: attachments, as messages carry them."""

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
