"""Routes for uploading and downloading files, below /api/media/attachments."""

from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from media.api.base64_file import decode_into, max_body
from media.api.dependencies import Deps
from media.api.form import OVERHEAD, read_form
from media.api.schemas import DOWNLOAD_RESPONSES, UPLOAD_REQUEST, UploadBody
from media.domain.attachments import Upload
from media.domain.ranges import NoSuchRangeError, parse_range
from media.service import downloads, uploads
from media.service.auditing import auditing_refusals
from media.service.dependencies import Dependencies
from media.service.downloads import Readable
from media.service.spool import Spool, new_spool
from shared.contracts.media import Attachment
from shared.errors import DomainError, ErrorCode, TooLarge
from shared.web.callers import Caller, PathId
from shared.web.errors import error_response
from shared.web.routing import StructRoute, read_body

router = APIRouter(prefix="/api/media/attachments", tags=["attachments"], route_class=StructRoute)

HeaderValue = Annotated[str | None, Header()]


class UnsupportedMedia(DomainError):
    code = ErrorCode.UNSUPPORTED_MEDIA_TYPE


class NoSuchRange(DomainError):
    code = ErrorCode.NO_SUCH_RANGE


@router.post("", status_code=201, openapi_extra=UPLOAD_REQUEST)
async def upload(request: Request, deps: Deps, caller: Caller) -> Attachment:
    """Store a file for a room, or an avatar. A retry with the same `client_id` gets the first result.

    A person uploads thirty files at once and thirty a minute, over HTTP and sockets together.
    """
    with auditing_refusals(caller.subject):
        await deps.upload_rate.count(caller.subject)
        with deps.upload_places.place(caller.subject), new_spool(deps.uploads.max_bytes) as spool:
            wanted = await _read(request, deps, spool, caller.subject)
            return await uploads.store(deps, wanted, spool)


async def _read(request: Request, deps: Dependencies, spool: Spool, user_id: str) -> Upload:
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        limit = deps.uploads.max_bytes
        _check_length(request, limit + OVERHEAD)
        form = await read_form(content_type, request.stream(), spool, limit)
        room_id, client_id = form.fields.get("room_id") or None, form.fields.get("client_id") or None
        return Upload(user_id=user_id, room_id=room_id, client_id=client_id, filename=form.filename or "")
    if kind == "application/json":
        limit = deps.uploads.max_base64_bytes
        _check_length(request, max_body(limit))
        body = await read_body(request, UploadBody, limit=max_body(limit))
        await decode_into(spool, body.data, limit)
        return Upload(user_id=user_id, room_id=body.room_id, client_id=body.client_id, filename=body.filename)
    raise UnsupportedMedia("Send multipart/form-data or application/json.")


def _check_length(request: Request, limit: int) -> None:
    """Reject a body whose Content-Length exceeds the limit, without reading it."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > limit:
        raise TooLarge(f"The body is larger than {limit} bytes.")


@router.get("/{attachment_id}/content", response_class=Response, responses=DOWNLOAD_RESPONSES)
async def get_content(
    deps: Deps, caller: Caller, attachment_id: PathId,
    range: HeaderValue = None, if_range: HeaderValue = None, if_none_match: HeaderValue = None,  # noqa: A002 - the header's name
) -> Response:  # fmt: skip
    """Download a file. Members of the room may read it; everyone who is signed in may read avatars."""
    readable = await downloads.get_content(deps, attachment_id, caller.subject)
    return await _serve(deps, readable, if_none_match, range, if_range)


@router.get("/{attachment_id}/thumbnail", response_class=Response, responses=DOWNLOAD_RESPONSES)
async def get_thumbnail(
    deps: Deps, caller: Caller, attachment_id: PathId, if_none_match: HeaderValue = None
) -> Response:
    readable = await downloads.get_thumbnail(deps, attachment_id, caller.subject)
    return await _serve(deps, readable, if_none_match)


async def _serve(
    deps: Dependencies,
    readable: Readable,
    if_none_match: str | None,
    range_header: str | None = None,
    if_range: str | None = None,
) -> Response:
    if (link := await downloads.link_to(deps, readable)) is not None:
        return RedirectResponse(link, 302, {"Cache-Control": "private, no-store"})
    headers = _headers(readable)
    if if_none_match is not None and readable.etag in if_none_match:
        return Response(status_code=304, headers=headers)
    if readable.size is None:
        return StreamingResponse(await downloads.open_bytes(deps, readable, None), headers=headers)
    return await _serve_range(deps, readable, headers, range_header, if_range)


async def _serve_range(
    deps: Dependencies, readable: Readable, headers: dict[str, str], range_header: str | None, if_range: str | None
) -> Response:
    size = readable.size or 0
    headers |= {"Accept-Ranges": "bytes"}
    try:
        byte_range = parse_range(range_header, if_range, readable.etag, size)
    except NoSuchRangeError:
        answer = error_response(NoSuchRange(f"The file has {size} bytes."))
        answer.headers.update({"Content-Range": f"bytes */{size}", "Cache-Control": "no-store"})
        return answer
    first, last = byte_range or (0, size - 1)
    headers["Content-Length"] = str(last - first + 1)
    if byte_range is not None:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    body = await downloads.open_bytes(deps, readable, byte_range)
    return StreamingResponse(body, 200 if byte_range is None else 206, headers)


def _headers(readable: Readable) -> dict[str, str]:
    """Only the user's own browser may cache it, and must revalidate each time: membership may have ended."""
    return {
        "Content-Type": readable.headers.content_type,
        "Content-Disposition": readable.headers.disposition,
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
        "ETag": readable.etag,
    }
