"""Submits commands. Starts a span for sampled commands and for commands that carry a `traceparent`."""

import random
from collections.abc import Callable
from functools import partial

from chat_gateway.driver.connection import UserConnection
from chat_gateway.driver.gateway import Gateway
from chat_gateway.protocol.frames import AnyCommandFrame
from shared.contracts.rooms import AnyCommand, Rejected, Result
from shared.tracing.spans import Span, child_span, start_trace


def submit_traced(
    gateway: Gateway,
    connection: UserConnection,
    frame: AnyCommandFrame,
    command: AnyCommand,
    on_result: Callable[[Result], None],
) -> None:
    """Submit the command. Its span ends after `on_result`, which sends the reply."""
    span = _start_span(gateway, connection, frame)
    if span is not None:
        command.traceparent = span.traceparent
        on_result = partial(_finish, span, on_result)
    gateway.command_queues.submit(command, connection.id, on_result)


def _start_span(gateway: Gateway, connection: UserConnection, frame: AnyCommandFrame) -> Span | None:
    if frame.traceparent is None and random.random() >= gateway.trace_sample:  # noqa: S311 - not a secret
        return None
    action, fields = str(frame.__struct_config__.tag), {"user.id": connection.user_id, "webchat.room": frame.room_id}
    if frame.traceparent is None:
        return start_trace(action, fields)
    return child_span(frame.traceparent, action, "server", fields)


def _finish(span: Span, on_result: Callable[[Result], None], result: Result) -> None:
    on_result(result)
    span.end("failure" if isinstance(result, Rejected) else "success")
