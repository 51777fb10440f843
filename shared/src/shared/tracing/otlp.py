"""Export of spans to an OpenTelemetry collector by OTLP over HTTP. `add` never waits: if the queue is full, it drops.

The ids of our spans travel with messages, so they exist before a tracer of the SDK could create them. This module
converts finished spans and uses only the SDK's processor and exporter.
"""

import threading

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanContext as OtelSpanContext
from opentelemetry.trace import SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode
from opentelemetry.util.re import parse_env_headers

from shared import VERSION
from shared.tracing.context import SpanContext
from shared.tracing.spans import Span

QUEUE_SPANS = 2048
BATCH_SPANS = 512
EVERY_MS = 1_000
TIMEOUT_S = 2.0
CLOSE_S = 1.0
PRIVATE = {"user.id", "event.duration", "event.outcome"}
"""Fields that are not exported as attributes: user ids, and values that spans have anyway."""


def _context(context: SpanContext, *, is_remote: bool) -> OtelSpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED)
    return OtelSpanContext(int(context.trace_id, 16), int(context.span_id, 16), is_remote=is_remote, trace_flags=flags)


class Collector:
    def __init__(
        self, endpoint: str, headers: str, service: str, *, timeout_s: float = TIMEOUT_S, close_s: float = CLOSE_S
    ) -> None:
        """`endpoint` and `headers` have the formats of OpenTelemetry's environment variables.

        `timeout_s` limits an export including its retries, `close_s` the last export in `close`.
        """
        self._close_s = close_s
        self._resource = Resource({"service.name": service, "service.version": VERSION})
        url, parsed_headers = f"{endpoint.rstrip('/')}/v1/traces", parse_env_headers(headers, liberal=True)
        exporter = OTLPSpanExporter(url, headers=parsed_headers, timeout=timeout_s)
        self._processor = BatchSpanProcessor(exporter, QUEUE_SPANS, EVERY_MS, BATCH_SPANS)

    def add(self, span: Span) -> None:
        failed = span.fields["event.outcome"] == "failure"
        made = ReadableSpan(
            span.action,
            _context(span.context, is_remote=False),
            None if span.parent is None else _context(span.parent, is_remote=True),
            self._resource,
            {name: value for name, value in span.fields.items() if name not in PRIVATE},
            kind=SpanKind[span.kind.upper()],
            status=Status(StatusCode.ERROR if failed else StatusCode.UNSET),
            start_time=span.started_ns,
            end_time=span.started_ns + span.fields["event.duration"],
        )
        self._processor.on_end(made)

    def close(self) -> None:
        """Export what is queued, for at most `close_s`: the SDK would wait half a minute for a dead collector."""
        closing = threading.Thread(target=self._processor.shutdown, daemon=True)
        closing.start()
        closing.join(self._close_s)
