"""The checker finds each kind of violation in recordings, and counts it exactly."""

from dataclasses import replace

import pytest
from checker import Page, Recording, Reload, Stream, Unread, judge
from hypothesis import given
from hypothesis import strategies as st
from people import Frame

MESSAGES = 12
JOINED = 2
"""Number of events before the first message. The version of a message is its seq plus this."""


def message(seq: int) -> Frame:
    return {"op": "message.created", "seq": seq, "version": seq + JOINED, "client_id": f"id-{seq}"}


def messages(last: int = MESSAGES) -> list[Frame]:
    return [message(seq) for seq in range(1, last + 1)]


def stream(events: list[Frame] | None = None) -> Stream:
    return Stream(JOINED, list(messages() if events is None else events))


def well(streams: list[Stream] | None = None) -> Recording:
    """Return a recording without violations, except those in the streams."""
    return Recording(
        acked={one["client_id"]: one["seq"] for one in messages()},
        history=messages(),
        head=MESSAGES + JOINED,
        streams=[stream(), stream()] if streams is None else streams,
        pages=[Page(range(1, 7), 6), Page(range(3, 6)), Page([])],
        unread=[Unread(MESSAGES, 0), Unread(5, MESSAGES - 5)],
        acked_at=[[1.0, 1.5, 4.0], [2.0], []],
    )


def test_no_violation():
    verdict = judge(well())
    assert verdict.broken == {}
    assert (verdict.acknowledged, verdict.stored, verdict.received) == (MESSAGES, MESSAGES, (MESSAGES, MESSAGES))
    assert verdict.longest_stall == 2.5


def test_one_loss():
    """A message was acknowledged and received, but is missing in history."""
    recording = well()
    without = [one for one in messages() if one["seq"] != 7]
    unread = [Unread(MESSAGES, 0), Unread(7, MESSAGES - 7)]
    assert judge(replace(recording, history=without, unread=unread)).broken == {"lost": 1}
    last = messages()[:-1]
    assert judge(replace(recording, history=last, unread=[])).broken == {"lost": 1}


def test_one_repeat():
    again = [*messages(), message(4)]
    verdict = judge(well([stream(), stream(again)]))
    assert verdict.broken == {"repeated": 1}
    assert verdict.received == (MESSAGES, MESSAGES)


def test_one_repeat_of_a_message_before_the_start_of_the_stream():
    assert judge(well([Stream(JOINED, [message(0), *messages()])])).broken == {"repeated": 1}


def test_a_message_under_two_versions_is_a_repeat():
    twice = message(8) | {"client_id": "id-7"}
    assert judge(well([stream([*messages(7), twice, *messages()[8:]])])).broken == {"repeated": 1, "gaps": 1}


def test_a_message_stored_twice_is_a_repeat():
    history = [*messages(), message(MESSAGES + 1) | {"client_id": "id-3"}]
    recording = replace(well([]), history=history, unread=[])
    assert judge(recording).broken == {"repeated": 1, "reordered": 1}, "and acknowledged elsewhere"


def test_one_reorder():
    events = messages()
    events[4], events[5] = events[5], events[4]
    verdict = judge(well([stream(), stream(events)]))
    assert verdict.broken == {"reordered": 1}
    assert verdict.received == (MESSAGES, MESSAGES)


def test_another_order_than_history_is_a_reorder():
    events = messages()
    events[4] = events[4] | {"client_id": "id-6"}
    events[5] = events[5] | {"client_id": "id-5"}
    assert judge(well([stream(events)])).broken == {"reordered": 2}


def test_a_message_that_only_a_follower_has_is_a_reorder():
    phantom = message(MESSAGES + 1)
    assert judge(replace(well([stream([*messages(), phantom])]), head=MESSAGES + JOINED + 1)).broken == {"reordered": 1}


def test_one_acknowledged_elsewhere_is_a_reorder():
    recording = well()
    assert judge(replace(recording, acked=dict(recording.acked) | {"id-3": 4})).broken == {"reordered": 1}


def test_one_gap():
    events = [one for one in messages() if one["seq"] != 6]
    verdict = judge(well([stream(), stream(events)]))
    assert verdict.broken == {"gaps": 1}
    assert verdict.received == (MESSAGES, MESSAGES - 1)


def test_a_gap_at_the_end():
    verdict = judge(well([stream(messages(MESSAGES - 3)), stream()]))
    assert verdict.broken == {"gaps": 3}


def test_a_gap_of_other_events():
    """Versions also count events that are not messages."""
    later = [one | {"version": one["version"] + 1} for one in messages()]
    history = [message(seq) | {"version": seq + JOINED + 1} for seq in range(1, MESSAGES + 1)]
    recording = replace(well([stream(later)]), history=history, head=MESSAGES + JOINED + 1)
    assert judge(recording).broken == {"gaps": 1}


def test_a_hole_in_history():
    recording = well()
    acked = {client_id: seq for client_id, seq in recording.acked.items() if seq != 7}
    without = [one for one in messages() if one["seq"] != 7]
    assert judge(replace(recording, acked=acked, history=without, streams=[], unread=[])).broken == {"gaps": 1}


@pytest.mark.parametrize(
    ("page", "broken"),
    [
        (Page([1, 2, 4]), {"gaps": 1}),
        (Page([1, 2, 2, 3]), {"repeated": 1}),
        (Page([1, 3, 2]), {"reordered": 1}),
        (Page([1, 2, 3], acked=5), {"gaps": 2}),
        (Page([], acked=1), {"gaps": 1}),
    ],
)
def test_a_page_loaded_during_the_fault(page: Page, broken: dict[str, int]):
    assert judge(replace(well(), pages=[page])).broken == broken


def test_one_unread_drift():
    assert judge(replace(well(), unread=[Unread(5, MESSAGES - 5 + 1)])).broken == {"unread_drift": 1}
    assert judge(replace(well(), unread=[Unread(5, MESSAGES - 5 - 1)])).broken == {"unread_drift": 1}


def test_a_reload_is_no_gap_and_its_live_events_are_no_repeats():
    """Five events are only in the pages, and two events of the pages also arrive live."""
    pages = Reload(9 + JOINED, messages(9))
    events = [*messages(4), pages, message(8), message(9), *messages()[9:]]
    verdict = judge(well([stream(events)]))
    assert verdict.broken == {}
    assert verdict.received == (MESSAGES,)


def test_a_gap_before_a_reload_is_still_a_gap():
    pages = Reload(9 + JOINED, messages(9))
    assert judge(well([stream([*messages(4), message(6), pages, *messages()[9:]])])).broken == {"gaps": 1}


def test_a_reload_with_missing_messages_is_a_gap():
    pages = Reload(9 + JOINED, messages()[5:9])
    assert judge(well([stream([*messages(4), pages, *messages()[9:]])])).broken == {"gaps": 1}


def test_a_repeat_after_a_reload():
    pages = Reload(9 + JOINED, messages(9))
    assert judge(well([stream([*messages(4), pages, *messages()[9:], message(9)])])).broken == {"repeated": 1}
    assert judge(well([stream([*messages(4), pages, message(4), *messages()[9:]])])).broken == {"repeated": 1}


@given(
    gaps=st.sets(st.integers(1, 40)),
    repeats=st.lists(st.integers(1, 40), max_size=5),
    swaps=st.sets(st.integers(1, 10)),
)
def test_counts_are_exact(gaps: set[int], repeats: list[int], swaps: set[int]):
    """Leave out, repeat at the end, or swap neighbours, in any combination."""
    events = messages(40)
    for pair in swaps:
        first = 4 * (pair - 1)
        events[first], events[first + 1] = events[first + 1], events[first]
    events = [one for one in events if one["seq"] not in gaps]
    repeats = [seq for seq in repeats if seq not in gaps]
    history = messages(40)
    recording = Recording(
        acked={one["client_id"]: one["seq"] for one in history},
        history=history,
        head=40 + JOINED,
        streams=[stream([*events, *map(message, repeats)])],
    )
    still_swapped = [pair for pair in swaps if not gaps & {4 * pair - 3, 4 * pair - 2}]
    expected = {"repeated": len(repeats), "reordered": len(still_swapped), "gaps": len(gaps)}
    verdict = judge(recording)
    assert verdict.broken == {kind: count for kind, count in expected.items() if count}
    assert verdict.received == (40 - len(gaps),)
