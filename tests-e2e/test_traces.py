"""Traces of a message and of a changed profile, from nginx through the services to the frame on the socket."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from people import Person
from stack import Stack
from test_logs import lines_of
from waiting import eventually

Lines = list[dict[str, Any]]
CHAIN = ("message.send", "rooms.commands", "commit", "publish", "deliver")
"""Each span is a child of the one before it."""


def new_trace() -> tuple[str, str]:
    """Return the ID and the `traceparent` of a sampled trace."""
    trace_id = secrets.token_hex(16)
    return trace_id, f"00-{trace_id}-{secrets.token_hex(8)}-01"


def trace_lines(stack: Stack, trace_id: str) -> Lines:
    return [line for line in lines_of(stack, trace_id) if line.get("trace.id") == trace_id]


def spans(lines: Lines) -> dict[str, dict[str, Any]]:
    """Return the spans by action; of several with the same action, the last."""
    return {line["event.action"]: line for line in lines if "event.duration" in line}


def receivers(lines: Lines) -> int:
    return sum(line["webchat.receivers"] for line in lines if line.get("event.action") == "deliver")


def under_nginx(lines: Lines) -> set[str]:
    """Return the services with a span that is a child of nginx's."""
    ids = {line["span.id"] for line in lines if line["service.name"] == "nginx"}
    return {line["service.name"] for line in lines if line.get("parent.id") in ids}


async def test_a_sampled_message_is_traced_to_the_socket_and_an_unsampled_one_leaves_nothing(
    stack: Stack, someone: Callable[[str], Awaitable[Person]]
) -> None:
    ana, ben = await someone("anna"), await someone("benn")
    room_id = await ana.group("Traces", ben)
    here, there = await ana.open(), await ben.open()
    trace_id, traceparent = new_trace()
    quiet_id = secrets.token_hex(12) + "ffffffff"  # an ID that is never sampled
    await here.send(room_id, "untraced", traceparent=f"00-{quiet_id}-{'1' * 16}-00")
    for odd in ("no traceparent", "", "00"):
        await here.send(room_id, "ignored", traceparent=odd)
    sent = await here.send(room_id, "followed", traceparent=traceparent)
    await there.event("message.created", seq=sent["seq"])

    await eventually(lambda: spans(trace_lines(stack, trace_id)).keys() >= set(CHAIN))
    await eventually(lambda: receivers(trace_lines(stack, trace_id)) == 2)  # of one gateway, or of both
    lines = trace_lines(stack, trace_id)
    assert trace_lines(stack, quiet_id) == []
    way = spans(lines)
    above = traceparent.split("-")[2]
    for action in CHAIN:
        assert way[action]["parent.id"] == above, action
        assert way[action]["event.outcome"] == "success"
        assert way[action]["webchat.room"] == room_id
        above = way[action]["span.id"]


async def test_a_message_over_http_and_a_changed_profile_are_traced_too(
    stack: Stack, someone: Callable[[str], Awaitable[Person]]
) -> None:
    ana, ben = await someone("anna"), await someone("benn")
    await ben.follow(ana)
    room_id = await ana.group("Traces", ben)
    there = await ben.open()
    trace_id, traceparent = new_trace()
    message = {"client_id": "0197a1b2-0000-7000-8000-000000000001", "body": "followed"}
    headers = {"traceparent": traceparent}
    await ana.call("POST", f"/rooms/{room_id}/messages", json=message, headers=headers, status=201)
    await there.event("message.created")
    await eventually(
        lambda: spans(trace_lines(stack, trace_id)).keys() >= {"http.request", "commit", "publish", "deliver"}
    )
    await eventually(lambda: under_nginx(trace_lines(stack, trace_id)) == {"auth", "rooms"})
    [nginx] = [line for line in trace_lines(stack, trace_id) if line["service.name"] == "nginx"]
    assert nginx["parent.id"] == traceparent.split("-")[2]

    trace_id, traceparent = new_trace()
    change = {"display_name": "Anna the second"}
    await ana.call("PATCH", "/social/profiles/me", json=change, headers={"traceparent": traceparent})
    await there.event("profile.updated")
    await eventually(lambda: spans(trace_lines(stack, trace_id)).keys() >= {"http.request", "consume", "deliver"})
    way = spans(trace_lines(stack, trace_id))
    assert (way["consume"]["service.name"], way["consume"]["event.code"]) == ("auth", "profile.renamed")
    assert way["deliver"]["service.name"] == "chat-gateway"


@pytest.mark.embedded_only("the same code, and a stack with a collector costs a minute")
async def test_a_collector_gets_the_same_spans_with_the_same_parents(
    stack: Stack, someone: Callable[[str], Awaitable[Person]], exported: tuple[str, list[tuple[str, Span]]]
) -> None:
    _, taken = exported
    ana, ben = await someone("anna"), await someone("benn")
    room_id = await ana.group("Traces", ben)
    here = await ana.open()
    trace_id, traceparent = new_trace()
    await here.send(room_id, "followed", traceparent=traceparent)

    def of_trace() -> dict[str, tuple[str, Span]]:
        wanted = bytes.fromhex(trace_id)
        return {span.name: (service, span) for service, span in list(taken) if span.trace_id == wanted}

    await eventually(lambda: of_trace().keys() >= set(CHAIN), 30)
    await eventually(lambda: spans(trace_lines(stack, trace_id)).keys() >= set(CHAIN))
    way, lines = of_trace(), spans(trace_lines(stack, trace_id))
    above = bytes.fromhex(traceparent.split("-")[2])
    for action in CHAIN:
        service, span = way[action]
        assert (service, span.span_id.hex()) == (lines[action]["service.name"], lines[action]["span.id"])
        assert span.parent_span_id == above, action
        above = span.span_id
    assert ana.id not in str(taken)
