"""What every log line of a request tells of it: its trace, its method and path, who asks, and in which room.

It is kept by names of ECS and read only where a line is written. nginx's id of a request, 32 hexadecimal digits, is its
trace id; it goes along in the calls that the request makes of other services.
"""

import re
from collections.abc import Mapping
from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

TRACE_HEADER = "X-Request-ID"
TRACE_ID = re.compile(r"[0-9a-f]{32}")
LONGEST_PATH = 512

_NOTHING: Mapping[str, str] = {}
_fields: ContextVar[Mapping[str, str]] = ContextVar("log_fields", default=_NOTHING)


def log_fields() -> Mapping[str, str]:
    """What lines written here tell; `user.id` is still the plain id."""
    return _fields.get()


def note(**fields: str) -> None:
    """Tell more in the lines that follow in this task, and in those that it starts: `note(user_id=…, room=…)`."""
    _fields.set({**_fields.get(), **{_NAMES[name]: value for name, value in fields.items() if value}})


_NAMES = {"trace_id": "trace.id", "user_id": "user.id", "room": "webchat.room"}


def note_trace(claimed: str) -> None:
    """Take over a trace id; one of another shape is none."""
    if TRACE_ID.fullmatch(claimed):
        note(trace_id=claimed)


def trace_headers() -> dict[str, str]:
    """For a call that is made on behalf of what runs here."""
    trace_id = _fields.get().get("trace.id")
    return {TRACE_HEADER: trace_id} if trace_id else {}


class LogContext:
    """ASGI middleware: lines of a request tell which it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            _fields.set({"http.request.method": scope["method"], "url.path": scope["path"][:LONGEST_PATH]})
            name = TRACE_HEADER.lower().encode()
            note_trace(next((value.decode("latin-1") for key, value in scope["headers"] if key == name), ""))
        await self._app(scope, receive, send)
