"""Fields of the current request for log lines: trace, method, path, user, room. Keys are ECS names."""

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
_PERSONAL_PATH = re.compile(
    r"(?P<to>/api/(?:social/[a-z]+|rooms/[^/]+/members|auth/sessions))/[0-9a-fA-F-]{36}(?P<on>/.*)?", re.DOTALL
)
"""Paths that contain the id of a person or a device. nginx has the same pattern (logging.conf)."""

_NO_FIELDS: Mapping[str, str] = {}
_fields: ContextVar[Mapping[str, str]] = ContextVar("log_fields", default=_NO_FIELDS)


def log_fields() -> Mapping[str, str]:
    """Return the fields of lines that are written here. `user.id` is the plain id; the log hashes it."""
    fields, context = _fields.get(), current_span_context()
    if context is None:
        return fields
    return {**fields, "trace.id": context.trace_id, **({"span.id": context.span_id} if context.is_sampled else {})}


def add_log_fields(**fields: str) -> None:
    """Add fields to the later lines of this task and of tasks that it starts: `user_id` or `room`."""
    _fields.set({**_fields.get(), **{_NAMES[name]: value for name, value in fields.items() if value}})


_NAMES = {"user_id": "user.id", "room": "webchat.room"}


class InRoom(Protocol):
    @property
    def room_id(self) -> str: ...


def about_room(commands: Iterable[InRoom]) -> dict[str, dict[str, str]]:
    """Return `extra` for a line about these commands: their room, if they have the same."""
    rooms = {command.room_id for command in commands}
    return {"ecs": {"webchat.room": rooms.pop()}} if len(rooms) == 1 else {}


def logged_path(path: str) -> str:
    """Return the path as it is logged, without the ids of people and devices."""
    found = _PERSONAL_PATH.fullmatch(path)
    return (f"{found['to']}/{{id}}{found['on'] or ''}" if found else path)[:LONGEST_PATH]


class LogContext:
    """ASGI middleware: set the fields of the request; if it is sampled, record a span."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _fields.set({"http.request.method": scope["method"], "url.path": logged_path(scope["path"])})
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
        response: dict[str, Any] = {"status": 500}

        async def record_status(message: Message) -> None:
            if message["type"] == "http.response.start":
                response["status"] = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, record_status)
        finally:
            status = response["status"]
            span.end("failure" if status >= 500 else "success", {"http.response.status_code": status})
