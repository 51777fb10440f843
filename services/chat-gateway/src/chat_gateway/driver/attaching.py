"""Messages with attachments: an upload over the socket, and attachments that were uploaded before.

While attachments are looked up, later commands of the same connection and room wait behind, so that a sender's messages
keep their order. An upload holds nothing back: people go on talking while it runs.
"""

import logging
from collections.abc import Callable

from chat_gateway.driver.client import Client
from chat_gateway.driver.commands import send_command
from chat_gateway.driver.following import follow
from chat_gateway.driver.gateway import Gateway
from chat_gateway.protocol.frames import AnyFrame, FileUpload, MessageSend, Ok
from shared.contracts.media import Attachment, UploadRequest
from shared.contracts.rooms import Rejected, Result
from shared.errors import DomainError, RateLimited, Unavailable
from shared.ids import is_id
from shared.redis.client import REDIS_DOWN

log = logging.getLogger(__name__)

UPLOADS_A_MINUTE = 5
Submit = Callable[[AnyFrame, list[Attachment]], None]


def hold_back(client: Client, frame: AnyFrame, room_id: str) -> bool:
    """Queue a command behind an earlier one of its room that waits for media; False where none does."""
    waiting = client.held.get(room_id)
    if waiting is None:
        return False
    waiting.append(frame)
    return True


async def attach(
    gateway: Gateway, client: Client, frame: MessageSend, submit: Submit, again: Callable[[AnyFrame], None]
) -> None:
    """Look the attachments of a message up and submit it; then go on with what waited behind it."""
    try:
        if not all(map(is_id, frame.attachment_ids)):
            client.refuse(frame.id, "invalid", "attachment_ids: there is no such attachment.")
        else:
            submit(frame, await gateway.media.attachments(client.user_id, frame.room_id, frame.attachment_ids))
    except Unavailable as problem:  # it will be sent again: what waits behind it must not overtake it
        for unsent in (frame, *client.held.pop(frame.room_id)):
            client.refuse(unsent.id, "unavailable", f"attachment_ids: {problem.detail}", retry_after=1)
        return
    except DomainError as problem:
        code = "invalid" if problem.code == "not_found" else problem.code
        client.refuse(frame.id, code, f"attachment_ids: {problem.detail}", retry_after=problem.retry_after)
    for waiting in client.held.pop(frame.room_id):
        again(waiting)


async def upload(gateway: Gateway, client: Client, frame: FileUpload) -> None:
    """Store the file, then send the message that carries it, under the same `client_id`."""
    try:
        await _check_rate(gateway, client.user_id)
        request = UploadRequest(
            user_id=client.user_id,
            room_id=frame.room_id,
            client_id=frame.client_id.lower(),
            filename=frame.filename,
            data=frame.data,
        )
        attachment = await gateway.media.upload(request)
    except DomainError as problem:
        client.refuse(frame.id, problem.code, problem.detail, retry_after=problem.retry_after)
        return

    def done(result: Result) -> None:
        if isinstance(result, Rejected):
            client.refuse(frame.id, result.code, result.detail)
        else:
            reply = Ok(id=frame.id or "", attachment=attachment, seq=result.seq, version=result.version)
            reply.at, reply.duplicate = result.at, result.duplicate
            client.finish(frame.id, reply)

    follow(gateway, client, frame, send_command(frame, client.user_id, [attachment]), done)


async def _check_rate(gateway: Gateway, user_id: str) -> None:
    """Five uploads a minute per user, over all gateways; while Redis is away nobody is turned down."""
    if not gateway.limits.rates:
        return
    key = f"uploads:{{{user_id}}}"
    try:
        pipeline = gateway.redis.pipeline(transaction=False)
        pipeline.set(key, 0, ex=60, nx=True)
        pipeline.incr(key)
        pipeline.ttl(key)
        _, count, seconds = await pipeline.execute()
    except REDIS_DOWN as error:
        log.warning("uploads are not counted: %r", error)
        return
    if count > UPLOADS_A_MINUTE:
        raise RateLimited("More uploads than allowed.", retry_after=max(1, seconds))
