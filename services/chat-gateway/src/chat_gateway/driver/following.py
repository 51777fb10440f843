"""Commands into their lanes; the way of one in a thousand, and of those whose client asks for it, is written down."""

import random
from collections.abc import Callable
from functools import partial

from chat_gateway.driver.client import Client
from chat_gateway.driver.gateway import Gateway
from chat_gateway.protocol.frames import CommandFrame
from shared.contracts.rooms import AnyCommand, Rejected, Result
from shared.tracing.spans import Span, child_span, start_trace


def follow(
    gateway: Gateway, client: Client, frame: CommandFrame, command: AnyCommand, done: Callable[[Result], None]
) -> None:
    """Submit the command; `done` gets its result. Its span ends when the client is answered."""
    span = _span(gateway, client, frame)
    if span is not None:
        command.traceparent = span.traceparent
        done = partial(_finish, span, done)
    gateway.lanes.submit(command, client.id, done)


def _span(gateway: Gateway, client: Client, frame: CommandFrame) -> Span | None:
    if frame.traceparent is None and random.random() >= gateway.trace_sample:  # noqa: S311 - no secret
        return None
    action, fields = str(frame.__struct_config__.tag), {"user.id": client.user_id, "webchat.room": frame.room_id}
    if frame.traceparent is None:
        return start_trace(action, fields)
    return child_span(frame.traceparent, action, "server", fields)


def _finish(span: Span, done: Callable[[Result], None], result: Result) -> None:
    done(result)
    span.end("failure" if isinstance(result, Rejected) else "success")
