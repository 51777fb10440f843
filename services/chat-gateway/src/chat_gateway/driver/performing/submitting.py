"""Submits commands. Starts a span for sampled commands and for commands that carry a `traceparent`."""

import random
from collections.abc import Callable
from functools import partial

from chat_gateway.command_queue import CommandQueues
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.frames import AnyCommandFrame
from shared.contracts.rooms import AnyCommand, Rejected, Result
from shared.tracing.spans import Span, child_span, start_trace


class CommandSubmitter:
    """Puts the commands of connections into the command queues. `trace_sample` is the share that is sampled."""

    def __init__(self, queues: CommandQueues, trace_sample: float) -> None:
        self._queues, self._trace_sample = queues, trace_sample

    def submit(
        self,
        connection: Connection,
        frame: AnyCommandFrame,
        command: AnyCommand,
        on_result: Callable[[Result], None],
    ) -> None:
        """Submit the command. Its span ends after `on_result`, which sends the reply."""
        span = self._start_span(connection, frame)
        if span is not None:
            command.traceparent = span.traceparent
            on_result = partial(_finish, span, on_result)
        self._queues.submit(command, connection.id, on_result)

    def _start_span(self, connection: Connection, frame: AnyCommandFrame) -> Span | None:
        if frame.traceparent is None and random.random() >= self._trace_sample:  # noqa: S311 - not a secret
            return None
        action = str(frame.__struct_config__.tag)
        fields = {"user.id": connection.user_id, "webchat.room": frame.room_id}
        if frame.traceparent is None:
            return start_trace(action, fields)
        return child_span(frame.traceparent, action, "server", fields)


def _finish(span: Span, on_result: Callable[[Result], None], result: Result) -> None:
    on_result(result)
    span.end("failure" if isinstance(result, Rejected) else "success")
