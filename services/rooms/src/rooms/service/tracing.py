"""Spans of sampled commands: one for the commit, and one for the publication of its event."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from shared.contracts.rooms import Accepted, AnyCommand, Result
from shared.tracing.spans import Span, child_span

Traces = dict[tuple[str, int], str]
"""(room id, version) → traceparent of the commit."""

PublishSpans = Mapping[tuple[str, int], Span]
NO_SPANS: Final[PublishSpans] = {}


def start_commit_spans(commands: Sequence[AnyCommand]) -> dict[int, Span]:
    """Return the spans by the index of their command."""
    spans = {}
    for index, command in enumerate(commands):
        if command.traceparent:
            fields = {"user.id": command.user_id, "webchat.room": command.room_id, "webchat.batch": len(commands)}
            if (span := child_span(command.traceparent, "commit", "server", fields)) is not None:
                spans[index] = span
    return spans


def fail_commit_spans(spans: Mapping[int, Span]) -> None:
    for span in spans.values():
        span.end("failure")


def end_commit_spans(spans: Mapping[int, Span], commands: Sequence[AnyCommand], results: Sequence[Result]) -> Traces:
    """End the spans. Return the traces of the events to publish.

    The span of a rejected command ends as failed. Duplicates were published the first time.
    """
    traces: Traces = {}
    for index, span in spans.items():
        result = results[index]
        span.end("success" if isinstance(result, Accepted) else "failure")
        if isinstance(result, Accepted) and not result.duplicate:
            traces[commands[index].room_id, result.version] = span.traceparent
    return traces


def start_publish_spans(traces: Traces) -> PublishSpans:
    started = {
        key: child_span(traceparent, "publish", "producer", {"webchat.room": key[0]})
        for key, traceparent in traces.items()
    }
    return {key: span for key, span in started.items() if span is not None}


def end_publish_spans(spans: PublishSpans, *, lagging: Collection[str]) -> None:
    """End the spans. Events of lagging rooms are published later from the database, without a trace."""
    for (room_id, _), span in spans.items():
        span.end("failure" if room_id in lagging else "success")
