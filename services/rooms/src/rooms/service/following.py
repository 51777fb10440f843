"""Commands whose way is written down: the span of their commit, and what their events take along."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from shared.contracts.rooms import Accepted, AnyCommand, Result
from shared.tracing.spans import Span, child_span

Traces = dict[tuple[str, int], str]
"""(room id, version) → traceparent."""

Spans = Mapping[tuple[str, int], Span]
NO_SPANS: Final[Spans] = {}


def begin_commits(commands: Sequence[AnyCommand]) -> dict[int, Span]:
    """By the place of the command in its batch."""
    spans = {}
    for index, command in enumerate(commands):
        if command.traceparent:
            fields = {"user.id": command.user_id, "webchat.room": command.room_id, "webchat.batch": len(commands)}
            if (span := child_span(command.traceparent, "commit", "server", fields)) is not None:
                spans[index] = span
    return spans


def fail_commits(spans: Mapping[int, Span]) -> None:
    for span in spans.values():
        span.end("failure")


def end_commits(spans: Mapping[int, Span], commands: Sequence[AnyCommand], results: Sequence[Result]) -> Traces:
    """What was refused has failed, and leads no further; a repeat has led further already."""
    traces: Traces = {}
    for index, span in spans.items():
        result = results[index]
        span.end("success" if isinstance(result, Accepted) else "failure")
        if isinstance(result, Accepted) and not result.duplicate:
            traces[commands[index].room_id, result.version] = span.traceparent
    return traces


def begin_publishing(traces: Traces) -> Spans:
    begun = {
        key: child_span(traceparent, "publish", "producer", {"webchat.room": key[0]})
        for key, traceparent in traces.items()
    }
    return {key: span for key, span in begun.items() if span is not None}


def end_publishing(spans: Spans, *, behind: Collection[str]) -> None:
    """What is in a room that is behind is published later, from the database, and not followed any more."""
    for (room_id, _), span in spans.items():
        span.end("failure" if room_id in behind else "success")
