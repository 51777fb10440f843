"""What every log line of a request tells of it: its trace, its method and path, who asks, and in which room.

It is kept by names of ECS and read only where a line is written.
"""

import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Any, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.tracing.context import (
    TRACE_HEADER,
    SpanContext,
    attach_span_context,
    current_span_context,
    parse_traceparent,
)
from shared.tracing.spans import Span

LONGEST_PATH = 512
_OF_A_PERSON = re.compile(
    r"(?P<to>/api/(?:social/[a-z]+|rooms/[^/]+/members|auth/sessions))/[0-9a-fA-F-]{36}(?P<on>/.*)?", re.DOTALL
)
"""Paths that name a person or a device; nginx has the same (logging.conf)."""

_NOTHING: Mapping[str, str] = {}
_fields: ContextVar[Mapping[str, str]] = ContextVar("log_fields", default=_NOTHING)


def log_fields() -> Mapping[str, str]:
    """What lines written here tell; `user.id` is still the plain id."""
    fields, context = _fields.get(), current_span_context()
    if context is None:
        return fields
    return {**fields, "trace.id": context.trace_id, **({"span.id": context.span_id} if context.is_sampled else {})}


def note(**fields: str) -> None:
    """Tell more in the lines that follow in this task, and in those that it starts: `note(user_id=…, room=…)`."""
    _fields.set({**_fields.get(), **{_NAMES[name]: value for name, value in fields.items() if value}})


_NAMES = {"user_id": "user.id", "room": "webchat.room"}


class InRoom(Protocol):
    @property
    def room_id(self) -> str: ...


def about_room(commands: Iterable[InRoom]) -> dict[str, dict[str, str]]:
    """As `extra` of a line about them: their room, where it is one."""
    rooms = {command.room_id for command in commands}
    return {"ecs": {"webchat.room": rooms.pop()}} if len(rooms) == 1 else {}


def shown_path(path: str) -> str:
    """The path as logs have it: who or whose device is meant is not among what they tell in plain."""
    found = _OF_A_PERSON.fullmatch(path)
    return (f"{found['to']}/{{id}}{found['on'] or ''}" if found else path)[:LONGEST_PATH]


class LogContext:
    """ASGI middleware: lines of a request tell which it is; one of a trace that is written down is a span."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _fields.set({"http.request.method": scope["method"], "url.path": shown_path(scope["path"])})
        name = TRACE_HEADER.encode()
        context = parse_traceparent(
            next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
        )
        attach_span_context(context)
        if context is not None and context.is_sampled:
            await self._traced(context, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _traced(self, context: SpanContext, scope: Scope, receive: Receive, send: Send) -> None:
        span = Span("http.request", context, "server", dict(_fields.get()))
        attach_span_context(span.context)
        answered: dict[str, Any] = {"status": 500}

        async def note_status(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered["status"] = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            status = answered["status"]
            span.end("failure" if status >= 500 else "success", {"http.response.status_code": status})
