"""/internal: what media answers to the other services. Not reachable through nginx."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from media.api.base64_file import decode_into, max_body
from media.api.dependencies import Deps
from media.domain.attachments import Upload
from media.service import resolving, uploads
from media.service.spool import new_spool
from shared.contracts.media import AttachmentsRequest, AvatarRequest, UploadRequest
from shared.errors import Invalid
from shared.ids import is_id
from shared.web.callers import ServiceCaller
from shared.web.openapi import read_body, reply

router = APIRouter(prefix="/internal", include_in_schema=False)


@router.post("/uploads")
async def upload(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    limit = deps.settings.max_base64_bytes
    with deps.uploads.place(), new_spool(limit) as spool:
        asked = await read_body(request, UploadRequest, limit=max_body(limit))
        if not is_id(asked.user_id):
            raise Invalid("Some fields are not acceptable.", errors={"user_id": "must be an id"})
        await decode_into(spool, asked.data, limit)
        wanted = Upload(
            user_id=asked.user_id, room_id=asked.room_id, client_id=asked.client_id, filename=asked.filename
        )
        return reply(await uploads.store(deps, wanted, spool))


@router.post("/attachments")
async def resolve(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    asked = await read_body(request, AttachmentsRequest)
    return reply(await resolving.resolve(deps, asked.user_id, asked.room_id, asked.attachment_ids))


@router.post("/avatars")
async def check_avatar(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    asked = await read_body(request, AvatarRequest)
    return reply(await resolving.check_avatar(deps, asked.user_id, asked.attachment_id))
