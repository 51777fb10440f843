"""Cursors of pages: the key of a page's last item, encoded and opaque to clients."""

import base64
import binascii
from typing import Annotated, Any

import msgspec
from fastapi import Query
from pydantic.json_schema import SkipJsonSchema

from shared.errors import Invalid
from shared.ids import ID_PATTERN
from shared.web.schemas import documented

MAX_LENGTH = 512
Cursor = Annotated[
    Annotated[str, documented(format="cursor", maxLength=MAX_LENGTH)] | SkipJsonSchema[None],
    Query(max_length=MAX_LENGTH, description="`next` of the previous page"),
]
IdKey = Annotated[str, msgspec.Meta(pattern=rf"^{ID_PATTERN}\Z")]
TimeKey = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


def cursor_of(key: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()


def read_cursor(cursor: str, key_type: Any) -> Any:
    """Return the key in `cursor`; raises Invalid unless it is of type `key_type`."""
    try:
        raw = base64.b64decode(cursor.encode() + b"==", altchars=b"-_", validate=False)
        return msgspec.json.decode(raw, type=key_type)
    except (msgspec.DecodeError, UnicodeError, binascii.Error) as error:
        raise Invalid("This cursor is malformed.", errors={"cursor": "use `next` of the previous page"}) from error
