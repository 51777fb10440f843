"""Schemas of /api/media: bodies of uploads and responses of downloads."""

from typing import Any

import msgspec

from shared.ids import ID_PATTERN


class UploadBody(msgspec.Struct, kw_only=True):
    """A file as base64 in `data`. Without a room it is an avatar, which must be a picture."""

    filename: str
    data: str
    room_id: str | None = None
    client_id: str | None = None


_TEXT = {"type": "string"}
_ROOM_ID = {"type": "string", "pattern": f"^{ID_PATTERN}$"}
_CLIENT_ID = {"type": "string", "format": "uuid"}
UPLOAD_REQUEST: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"}, "room_id": _ROOM_ID, "client_id": _CLIENT_ID,
                    },
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["filename", "data"],
                    "properties": {
                        "filename": _TEXT,
                        "data": {"type": "string", "format": "byte", "contentEncoding": "base64", "minLength": 4},
                        "room_id": _ROOM_ID,
                        "client_id": _CLIENT_ID,
                    },
                }
            },
        },
    }
}  # fmt: skip


DOWNLOAD_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The bytes, with the type of the file", "content": {"*/*": {}}},
    206: {"description": "A range of the bytes", "content": {"*/*": {}}},
    302: {"description": "A link to the bytes, valid for at most a minute"},
    304: {"description": "Not modified"},
    416: {"description": "No such range"},
}
