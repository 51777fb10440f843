"""Client of media: stores and looks up attachments."""

from collections.abc import Sequence

from shared.budgets import GATEWAY_UPLOAD_S
from shared.contracts.media import Attachment, Attachments, AttachmentsRequest, UploadRequest
from shared.rpc.client import Peer


class Media:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def upload(self, request: UploadRequest) -> Attachment:
        return await self._peer.call("uploads", request, Attachment, timeout=GATEWAY_UPLOAD_S)

    async def attachments(self, user_id: str, room_id: str, attachment_ids: Sequence[str]) -> list[Attachment]:
        """Return the user's uploads to the room. Raises NotFound if one does not exist."""
        request = AttachmentsRequest(user_id=user_id, room_id=room_id, attachment_ids=list(attachment_ids))
        return (await self._peer.call("attachments", request, Attachments)).attachments
