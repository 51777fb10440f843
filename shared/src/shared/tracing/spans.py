"""Spans of sampled traces: what was done, when, for how long, and under which parent span.

A span is written as one log line when it ends, with `event.duration`, and exported if a collector is configured. For
unsampled traces no spans are created.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal

from shared.tracing.context import (
    SpanContext,
    attach_span_context,
    current_span_context,
    detach_span_context,
    new_span_context,
    parse_traceparent,
)

log = logging.getLogger(__name__)

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Outcome = Literal["success", "failure"]
Fields = dict[str, Any]
"""Fields of a log line by ECS name (docs/logs)."""


class Span:
    """A piece of work under `parent`. `context` is the parent of further spans. Call `end` once."""

    __slots__ = ("_clock_ns", "action", "context", "fields", "kind", "parent", "started_ns")

    def __init__(self, action: str, parent: SpanContext, kind: Kind, fields: Fields, *, is_first: bool = False) -> None:
        self.action, self.kind, self.fields = action, kind, fields
        self.parent = None if is_first else parent
        self.context = parent if is_first else parent.child()
        self.started_ns, self._clock_ns = time.time_ns(), time.perf_counter_ns()

    @property
    def traceparent(self) -> str:
        return self.context.traceparent

    def end(self, outcome: Outcome = "success", more: Fields | None = None) -> None:
        """Write the span with the additional fields `more`."""
        duration = time.perf_counter_ns() - self._clock_ns
        self.fields = self.fields | (more or {}) | {"event.duration": duration, "event.outcome": outcome}
        log.info(self.action, extra={"ecs": self.fields | self._names()})
        if _export is not None:
            _export(self)

    def _names(self) -> Fields:
        started = datetime.fromtimestamp(self.started_ns / 1e9, UTC).isoformat(timespec="microseconds")
        names = {"event.action": self.action, "event.start": started, "trace.id": self.context.trace_id}
        parent = {"parent.id": self.parent.span_id} if self.parent is not None else {}
        return names | {"span.id": self.context.span_id} | parent


Export = Callable[[Span], None]
_export: Export | None = None


def start_trace(action: str, fields: Fields) -> Span:
    """Start a new sampled trace; return its first span."""
    return Span(action, new_span_context(), "server", fields, is_first=True)


def child_span(traceparent: str, action: str, kind: Kind, fields: Fields) -> Span | None:
    """Start a span under a received `traceparent`; return None if it is empty, malformed or unsampled."""
    context = parse_traceparent(traceparent) if traceparent else None
    return Span(action, context, kind, fields) if context is not None and context.is_sampled else None


@contextmanager
def span(action: str, kind: Kind, fields: Fields | None = None, *, after: str = "") -> Iterator[None]:
    """Record the block as a span under the traceparent `after`, or else under the current context, if that is sampled.

    Within the block it is the current context.
    """
    parent = parse_traceparent(after) if after else current_span_context()
    if parent is None or not parent.is_sampled:
        yield
        return
    made = Span(action, parent, kind, fields or {})
    token = attach_span_context(made.context)
    try:
        yield
    except BaseException as error:
        made.end("failure", {"error.type": type(error).__name__})
        raise
    else:
        made.end()
    finally:
        detach_span_context(token)


def export_to(export: Export | None) -> None:
    """Pass spans that end from now on to `export` too, which must not block."""
    global _export  # noqa: PLW0603 - one process, one collector
    _export = export
