"""Messages with attachments: uploads over the socket, and attachments that were uploaded before.

While the attachments of a message are looked up, later commands of the same connection and room are deferred, so that
the sender's commands stay in order. An upload does not defer later commands.
"""

import logging
from collections.abc import Callable

from chat_gateway.driver.commands import send_command, sent_fields
from chat_gateway.driver.connection import UserConnection
from chat_gateway.driver.gateway import Gateway
from chat_gateway.driver.tracing import submit_traced
from chat_gateway.protocol.frames import AnyFrame, FileUpload, MessageSend, UploadReply
from shared.contracts.media import Attachment, UploadRequest
from shared.contracts.rooms import Rejected, Result
from shared.errors import DomainError, ErrorCode, RateLimited, Unavailable
from shared.ids import is_id
from shared.redis.client import REDIS_DOWN

log = logging.getLogger(__name__)

UPLOADS_PER_MINUTE = 5
Submit = Callable[[AnyFrame, list[Attachment]], None]


def defer(connection: UserConnection, frame: AnyFrame, room_id: str) -> bool:
    """Defer a command if an earlier one of its room waits for media. Returns whether it was deferred."""
    deferred = connection.deferred.get(room_id)
    if deferred is None:
        return False
    deferred.append(frame)
    return True


async def send_with_attachments(
    gateway: Gateway, connection: UserConnection, frame: MessageSend, submit: Submit, resume: Callable[[AnyFrame], None]
) -> None:
    """Look up the attachments of a message and submit it. Then call `resume` with each deferred command."""
    try:
        if not all(map(is_id, frame.attachment_ids)):
            connection.send_error(frame.id, ErrorCode.INVALID, "attachment_ids: there is no such attachment.")
        else:
            submit(frame, await gateway.media.attachments(connection.user_id, frame.room_id, frame.attachment_ids))
    except Unavailable as error:  # the client sends the message again, and later commands must not overtake it
        for unsent in (frame, *connection.deferred.pop(frame.room_id)):
            connection.send_error(unsent.id, error.code, f"attachment_ids: {error.detail}", retry_after=1)
        return
    except DomainError as error:
        code = ErrorCode.INVALID if error.code == ErrorCode.NOT_FOUND else error.code
        connection.send_error(frame.id, code, f"attachment_ids: {error.detail}", retry_after=error.retry_after)
    for deferred in connection.deferred.pop(frame.room_id):
        resume(deferred)


async def upload(gateway: Gateway, connection: UserConnection, frame: FileUpload) -> None:
    """Store the file, then send the message with it, under the same `client_id`."""
    try:
        await _check_rate(gateway, connection.user_id)
        request = UploadRequest(
            user_id=connection.user_id,
            room_id=frame.room_id,
            client_id=frame.client_id.lower(),
            filename=frame.filename,
            data=frame.data,
        )
        attachment = await gateway.media.upload(request)
    except DomainError as error:
        connection.send_error(frame.id, error.code, error.detail, retry_after=error.retry_after)
        return

    def on_result(result: Result) -> None:
        if isinstance(result, Rejected):
            connection.send_error(frame.id, result.code, result.detail)
        else:
            reply = UploadReply(id=frame.id or "", attachment=attachment, **sent_fields(result))
            connection.send_reply(frame.id, reply)

    command = send_command(frame, connection.user_id, [attachment])
    submit_traced(gateway, connection, frame, command, on_result)


async def _check_rate(gateway: Gateway, user_id: str) -> None:
    """Allow five uploads per minute and user, over all gateways. Without Redis every upload is allowed."""
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
    if count > UPLOADS_PER_MINUTE:
        raise RateLimited("More uploads than allowed.", retry_after=max(1, seconds))
