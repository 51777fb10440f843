"""W3C trace context: the current span of a task, and its propagation to other processes.

A trace is sampled if its `traceparent` says so, or if its id is within the sample ratio. All services use the same
ratio, so they make the same decision without communicating.
"""

import re
import secrets
from contextvars import ContextVar, Token

import msgspec

TRACE_HEADER = "traceparent"
LONGEST_TRACEPARENT = 55
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


class SpanContext(msgspec.Struct, frozen=True):
    """A span in a trace, as the parent of other spans."""

    trace_id: str
    span_id: str
    is_sampled: bool

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.is_sampled else '00'}"

    def child(self) -> "SpanContext":
        return SpanContext(self.trace_id, new_span_id(), self.is_sampled)


_current: ContextVar[SpanContext | None] = ContextVar("span_context", default=None)
_sampled_below = 0


def set_sample_ratio(ratio: float) -> None:
    """Set the share (0 to 1) of traces to sample among those that are not marked as sampled."""
    global _sampled_below  # noqa: PLW0603 - one process has one setting
    _sampled_below = int(ratio * 2**32)


def new_span_id() -> str:
    return secrets.token_hex(8)


def new_span_context() -> SpanContext:
    """Return the context of a new sampled trace."""
    return SpanContext(secrets.token_hex(16), new_span_id(), is_sampled=True)


def parse_traceparent(traceparent: str) -> SpanContext | None:
    """Return the context in a `traceparent`; None if it is malformed, which the specification says to ignore."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return None
    trace_id, span_id, flags = found.groups()
    is_sampled = int(flags, 16) & 1 == 1 or int(trace_id[-8:], 16) < _sampled_below
    return SpanContext(trace_id, span_id, is_sampled)


def current_span_context() -> SpanContext | None:
    return _current.get()


def sampled_span_context() -> SpanContext | None:
    """Return the current context if it is sampled."""
    context = _current.get()
    return context if context is not None and context.is_sampled else None


def attach_span_context(context: SpanContext | None) -> Token[SpanContext | None]:
    """Set the current context of this task and of the tasks that it starts."""
    return _current.set(context)


def detach_span_context(token: Token[SpanContext | None]) -> None:
    _current.reset(token)


def trace_headers() -> dict[str, str]:
    """Return the headers that propagate the current context."""
    context = _current.get()
    return {TRACE_HEADER: context.traceparent} if context is not None else {}
