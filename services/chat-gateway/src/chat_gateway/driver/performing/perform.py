"""Performs the frames of a client: submits commands, answers queries, and publishes typing."""

from chat_gateway.driver.output import send_encoded_reply, send_error, send_reply
from chat_gateway.driver.performing.attachments import Attachments, Run
from chat_gateway.driver.performing.commands import command_of, reply_of, send_command
from chat_gateway.driver.performing.newest_page import NewestPages
from chat_gateway.driver.performing.queries import Queries, Query
from chat_gateway.driver.performing.submitting import CommandSubmitter
from chat_gateway.driver.performing.typing_publisher import TypingPublisher
from chat_gateway.driver.tasks import ConnectionTasks
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.frames import (
    AnyCommandFrame,
    AnyFrame,
    FileUpload,
    MessageList,
    MessageSend,
    Ok,
    Ping,
    RoomExit,
    RoomTyping,
    TimeReply,
)
from shared.contracts.media import Attachment
from shared.contracts.rooms import AnyCommand, Rejected, Result
from shared.errors import ErrorCode
from shared.ids import now_ms, rfc3339


class Performer:
    def __init__(
        self,
        submitter: CommandSubmitter,
        queries: Queries,
        newest_pages: NewestPages,
        attachments: Attachments,
        typing: TypingPublisher,
        tasks: ConnectionTasks,
    ) -> None:
        self._submitter, self._queries, self._newest_pages = submitter, queries, newest_pages
        self._attachments, self._typing, self._tasks = attachments, typing, tasks

    def perform(self, connection: Connection, frame: AnyFrame) -> None:
        """Start to perform a frame. It is answered exactly once, now or later. `room.typing` is not answered."""
        if isinstance(frame, RoomTyping):
            self._typing.publish(connection, frame)
        elif isinstance(frame, Ping):
            send_reply(connection, frame.id, TimeReply(id=frame.id or "", at=rfc3339(now_ms())))
        elif isinstance(frame, RoomExit):
            send_reply(connection, frame.id, Ok(id=frame.id or ""))
        elif isinstance(frame, MessageList) and (reply := self._newest_pages.find(connection, frame)) is not None:
            send_encoded_reply(connection, frame.id, reply)
        elif isinstance(frame, Query):
            self._tasks.spawn(connection, self._queries.answer(connection, frame))
        elif isinstance(frame, FileUpload):
            self._tasks.spawn(connection, self._attachments.upload(connection, frame))
        else:
            self._submit(connection, frame, [])

    def attach(self, connection: Connection, frame: MessageSend, run: Run) -> None:
        """Start to send a message with attachments. `run` gets the effects of the commands that it deferred."""
        self._tasks.spawn(connection, self._attachments.send(connection, frame, self._submit, run))

    def _submit(self, connection: Connection, frame: AnyFrame, attachments: list[Attachment]) -> None:
        assert isinstance(frame, AnyCommandFrame)

        def on_result(result: Result) -> None:
            if isinstance(result, Rejected):
                retry_after = 1 if result.code == ErrorCode.UNAVAILABLE else None
                send_error(connection, frame.id, result.code, result.detail, retry_after=retry_after)
            else:
                send_reply(connection, frame.id, reply_of(frame, result))

        if isinstance(frame, MessageSend):
            command: AnyCommand = send_command(frame, connection.user_id, attachments)
        else:
            command = command_of(frame, connection.user_id)
        self._submitter.submit(connection, frame, command, on_result)
