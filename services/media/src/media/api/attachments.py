"""/api/media/attachments: storing files, and reading them."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from media.api.base64_file import decode_into, max_body
from media.api.dependencies import Deps
from media.api.form import OVERHEAD, read_form
from media.domain.attachments import Upload
from media.domain.ranges import NoSuchRangeError, span_of
from media.service import reading, uploads
from media.service.dependencies import Dependencies
from media.service.reading import Readable
from media.service.spool import Spool, new_spool
from shared.contracts.media import Attachment
from shared.errors import DomainError, ErrorCode, TooLarge
from shared.web.callers import Caller, PathId
from shared.web.errors import error_response
from shared.web.openapi import answers, read_body, reply

router = APIRouter(prefix="/api/media/attachments", tags=["attachments"])

Text = Annotated[str | None, Header()]


class UnsupportedMedia(DomainError):
    code = ErrorCode.UNSUPPORTED_MEDIA_TYPE


class NoSuchRange(DomainError):
    code = ErrorCode.NO_SUCH_RANGE


class UploadBody(msgspec.Struct, kw_only=True):
    """`data` in base64; without a room it is an avatar, which must be a picture."""

    filename: str
    data: str
    room_id: str | None = None
    client_id: str | None = None


_TEXT = {"type": "string"}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"}, "room_id": _TEXT, "client_id": _TEXT,
                    },
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["filename", "data"],
                    "properties": {
                        "filename": _TEXT,
                        "data": {"type": "string", "contentEncoding": "base64"},
                        "room_id": _TEXT,
                        "client_id": _TEXT,
                    },
                }
            },
        },
    }
}  # fmt: skip


@router.post("", status_code=201, responses=answers(Attachment, 201), openapi_extra=_BODY)
async def upload(request: Request, deps: Deps, caller: Caller) -> Response:
    """Store a file for a room, or an avatar; a repeat of its `client_id` gets the first."""
    with deps.uploads.place(), new_spool(deps.settings.max_upload_bytes) as spool:
        asked = await _read(request, deps, spool, caller.subject)
        return reply(await uploads.store(deps, asked, spool), 201)


async def _read(request: Request, deps: Dependencies, spool: Spool, user_id: str) -> Upload:
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        limit = deps.settings.max_upload_bytes
        _check_length(request, limit + OVERHEAD)
        form = await read_form(content_type, request.stream(), spool, limit)
        room_id, client_id = form.fields.get("room_id") or None, form.fields.get("client_id") or None
        return Upload(user_id=user_id, room_id=room_id, client_id=client_id, filename=form.filename or "")
    if kind == "application/json":
        limit = deps.settings.max_base64_bytes
        _check_length(request, max_body(limit))
        body = await read_body(request, UploadBody, limit=max_body(limit))
        await decode_into(spool, body.data, limit)
        return Upload(user_id=user_id, room_id=body.room_id, client_id=body.client_id, filename=body.filename)
    raise UnsupportedMedia("Send multipart/form-data or application/json.")


def _check_length(request: Request, limit: int) -> None:
    """What says itself that it is too large is not read at all."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > limit:
        raise TooLarge(f"The body is larger than {limit} bytes.")


_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The bytes", "content": {"application/octet-stream": {}}},
    206: {"description": "A range of them"},
    302: {"description": "An address to get them from, for a minute at the most"},
    304: {"description": "As they were"},
    416: {"description": "No such range"},
}


@router.get("/{attachment_id}/content", response_class=Response, responses=_BYTES)
async def get_content(
    deps: Deps, caller: Caller, attachment_id: PathId,
    range: Text = None, if_range: Text = None, if_none_match: Text = None,  # noqa: A002 - the header's name
) -> Response:  # fmt: skip
    """For members of the room; an avatar is for everyone who is signed in."""
    readable = await reading.get_content(deps, attachment_id, caller.subject)
    return await _hand_out(deps, readable, if_none_match, range, if_range)


@router.get("/{attachment_id}/thumbnail", response_class=Response, responses=_BYTES)
async def get_thumbnail(deps: Deps, caller: Caller, attachment_id: PathId, if_none_match: Text = None) -> Response:
    readable = await reading.get_thumbnail(deps, attachment_id, caller.subject)
    return await _hand_out(deps, readable, if_none_match)


async def _hand_out(
    deps: Dependencies,
    readable: Readable,
    if_none_match: str | None,
    wanted: str | None = None,
    if_range: str | None = None,
) -> Response:
    if (link := await reading.link_to(deps, readable)) is not None:
        return RedirectResponse(link, 302, {"Cache-Control": "private, no-store"})
    headers = _headers(readable)
    if if_none_match is not None and readable.etag in if_none_match:
        return Response(status_code=304, headers=headers)
    if readable.size is None:
        return StreamingResponse(await reading.open_bytes(deps, readable, None), headers=headers)
    return await _answer_range(deps, readable, headers, wanted, if_range)


async def _answer_range(
    deps: Dependencies, readable: Readable, headers: dict[str, str], wanted: str | None, if_range: str | None
) -> Response:
    size = readable.size or 0
    headers |= {"Accept-Ranges": "bytes"}
    try:
        span = span_of(wanted, if_range, readable.etag, size)
    except NoSuchRangeError:
        answer = error_response(NoSuchRange(f"The file has {size} bytes."))
        answer.headers.update({"Content-Range": f"bytes */{size}", "Cache-Control": "no-store"})
        return answer
    first, last = span or (0, size - 1)
    headers["Content-Length"] = str(last - first + 1)
    if span is not None:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    body = await reading.open_bytes(deps, readable, span)
    return StreamingResponse(body, 200 if span is None else 206, headers)


def _headers(readable: Readable) -> dict[str, str]:
    """Kept by the asker's own browser only, and asked for again each time: who is out is out."""
    return {
        "Content-Type": readable.served.content_type,
        "Content-Disposition": readable.served.disposition,
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
        "ETag": readable.etag,
    }
