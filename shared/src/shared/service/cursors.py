"""Cursors of pages: the key of the page's last item, opaque to the caller."""

import base64
import binascii
from typing import Annotated, TypeVar

import msgspec
from fastapi import Query

from shared.service.problems import Invalid

T = TypeVar("T")
MAX_LENGTH = 512
Cursor = Annotated[str | None, Query(max_length=MAX_LENGTH, description="`next` of the page before")]


def cursor_of(key: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()


def read_cursor(cursor: str, shape: type[T]) -> T:
    """The key in `cursor`; raises Invalid where none of `shape` was put into it."""
    try:
        raw = base64.b64decode(cursor.encode() + b"==", altchars=b"-_", validate=False)
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.DecodeError, UnicodeError, binascii.Error) as error:
        raise Invalid("This cursor is not one of ours.", errors={"cursor": "take `next` of the page before"}) from error
