"""W3C trace context: to which trace belongs what runs here, and how that goes along to other parts.

A trace is written down (*sampled*) where its `traceparent` says so, or where its id falls into the installation's
share: all services draw the same ones by it, and nobody has to tell.
"""

import re
import secrets
from contextvars import ContextVar, Token

import msgspec

TRACE_HEADER = "traceparent"
LONGEST_TRACEPARENT = 55
_WELL_FORMED = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


class SpanContext(msgspec.Struct, frozen=True):
    """Where something stands in its trace: under the span `span_id`."""

    trace_id: str
    span_id: str
    is_sampled: bool

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.is_sampled else '00'}"

    def child(self) -> "SpanContext":
        return SpanContext(self.trace_id, new_span_id(), self.is_sampled)


_current: ContextVar[SpanContext | None] = ContextVar("trace_place", default=None)
_sampled_below = 0


def set_sample_ratio(share: float) -> None:
    """Of the traces that come without a mark, this share (0 … 1) is written down in this process."""
    global _sampled_below  # noqa: PLW0603 - one process has one setting
    _sampled_below = int(share * 2**32)


def new_span_id() -> str:
    return secrets.token_hex(8)


def new_span_context() -> SpanContext:
    """The beginning of a trace that is written down."""
    return SpanContext(secrets.token_hex(16), new_span_id(), is_sampled=True)


def parse_traceparent(traceparent: str) -> SpanContext | None:
    """None for what is not well-formed: it is ignored, as the specification has it."""
    found = _WELL_FORMED.fullmatch(traceparent)
    if found is None:
        return None
    trace_id, span_id, flags = found.groups()
    is_sampled = int(flags, 16) & 1 == 1 or int(trace_id[-8:], 16) < _sampled_below
    return SpanContext(trace_id, span_id, is_sampled)


def current_span_context() -> SpanContext | None:
    return _current.get()


def sampled_span_context() -> SpanContext | None:
    """Where we are, if that is written down."""
    context = _current.get()
    return context if context is not None and context.is_sampled else None


def attach_span_context(context: SpanContext | None) -> Token[SpanContext | None]:
    """What this task does, and what it starts from now on, stands there."""
    return _current.set(context)


def detach_span_context(token: Token[SpanContext | None]) -> None:
    _current.reset(token)


def trace_headers() -> dict[str, str]:
    """For a call that is made on behalf of what runs here."""
    context = _current.get()
    return {TRACE_HEADER: context.traceparent} if context is not None else {}
