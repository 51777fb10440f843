"""Routes for the other services, below /internal. They are not reachable through nginx."""

from fastapi import APIRouter, Request

from media.api.base64_file import decode_into, max_body
from media.api.dependencies import Deps
from media.domain.attachments import Upload
from media.service import internal_api, uploads
from media.service.auditing import auditing_refusals
from media.service.spool import new_spool
from shared.contracts.media import Attachment, Attachments, AttachmentsRequest, Avatar, AvatarRequest, UploadRequest
from shared.errors import Invalid
from shared.ids import is_id
from shared.web.callers import ServiceCaller
from shared.web.routing import Body, StructRoute, read_body

router = APIRouter(prefix="/internal", include_in_schema=False, route_class=StructRoute)


@router.post("/uploads")
async def upload(request: Request, deps: Deps, _: ServiceCaller) -> Attachment:
    limit = deps.uploads.max_base64_bytes
    with deps.body_places.place(""):
        body = await read_body(request, UploadRequest, limit=max_body(limit))
    if not is_id(body.user_id):
        raise Invalid("Some fields are not acceptable.", errors={"user_id": "must be an id"})
    with auditing_refusals(body.user_id), deps.upload_places.place(body.user_id), new_spool(limit) as spool:
        await decode_into(spool, body.data, limit)
        new = Upload(user_id=body.user_id, room_id=body.room_id, client_id=body.client_id, filename=body.filename)
        return await uploads.store(deps, new, spool)


@router.post("/attachments")
async def resolve(deps: Deps, _: ServiceCaller, body: Body[AttachmentsRequest]) -> Attachments:
    return await internal_api.resolve(deps, body.user_id, body.room_id, body.attachment_ids)


@router.post("/avatars")
async def check_avatar(deps: Deps, _: ServiceCaller, body: Body[AvatarRequest]) -> Avatar:
    return await internal_api.check_avatar(deps, body.user_id, body.attachment_id)
