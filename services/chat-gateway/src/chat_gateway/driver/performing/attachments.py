"""Messages with attachments: uploads over the socket, and attachments that were uploaded before.

While the attachments of a message are looked up, its connection defers later commands of the same room, so that the
sender's commands stay in order. An upload does not defer later commands.
"""

from collections.abc import Callable

from chat_gateway.clients.media import Media
from chat_gateway.driver.output import send_error, send_reply
from chat_gateway.driver.performing.commands import send_command, sent_fields
from chat_gateway.driver.performing.submitting import CommandSubmitter
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.effects import Effect
from chat_gateway.protocol.frames import AnyFrame, FileUpload, MessageSend, UploadReply
from shared.contracts.media import Attachment, UploadRequest
from shared.contracts.rooms import Rejected, Result
from shared.errors import DomainError, ErrorCode, Unavailable
from shared.ids import is_id
from shared.redis.person_rate import PersonRate

Submit = Callable[[Connection, AnyFrame, list[Attachment]], None]
Run = Callable[[Connection, list[Effect]], None]


class Attachments:
    def __init__(self, media: Media, upload_rate: PersonRate, submitter: CommandSubmitter) -> None:
        self._media, self._upload_rate, self._submitter = media, upload_rate, submitter

    async def send(self, connection: Connection, frame: MessageSend, submit: Submit, run: Run) -> None:
        """Look up the attachments of a message and submit it. Then run the effects of the deferred commands."""
        try:
            if not all(map(is_id, frame.attachment_ids)):
                send_error(connection, frame.id, ErrorCode.INVALID, "attachment_ids: there is no such attachment.")
            else:
                attachments = await self._media.attachments(connection.user_id, frame.room_id, frame.attachment_ids)
                submit(connection, frame, attachments)
        except Unavailable as error:  # the client sends the message again, and later commands must not overtake it
            for unsent in (frame, *connection.take_deferred(frame.room_id)):
                send_error(connection, unsent.id, error.code, f"attachment_ids: {error.detail}", retry_after=1)
            return
        except DomainError as error:
            code = ErrorCode.INVALID if error.code == ErrorCode.NOT_FOUND else error.code
            detail = f"attachment_ids: {error.detail}"
            send_error(connection, frame.id, code, detail, retry_after=error.retry_after)
        run(connection, connection.resume(frame.room_id))

    async def upload(self, connection: Connection, frame: FileUpload) -> None:
        """Store the file, then send the message with it, under the same `client_id`."""
        try:
            await self._upload_rate.count(connection.user_id)
            attachment = await self._media.upload(_upload_request(connection, frame))
        except DomainError as error:
            send_error(connection, frame.id, error.code, error.detail, retry_after=error.retry_after)
            return

        def on_result(result: Result) -> None:
            if isinstance(result, Rejected):
                send_error(connection, frame.id, result.code, result.detail)
            else:
                reply = UploadReply(id=frame.id or "", attachment=attachment, **sent_fields(result))
                send_reply(connection, frame.id, reply)

        command = send_command(frame, connection.user_id, [attachment])
        self._submitter.submit(connection, frame, command, on_result)


def _upload_request(connection: Connection, frame: FileUpload) -> UploadRequest:
    return UploadRequest(
        user_id=connection.user_id,
        room_id=frame.room_id,
        client_id=frame.client_id.lower(),
        filename=frame.filename,
        data=frame.data,
    )
