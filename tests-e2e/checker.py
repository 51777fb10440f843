"""Check the recordings that clients made during a fault for violations of guarantees.

An acknowledged message is in history (else it is lost). Every follower receives it once (else it is repeated), in the
order of the room's versions (else it is reordered), without missing events (else there is a gap). The number of unread
messages in the room list agrees with history (else it drifts). `judge` uses no I/O and no clock.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from people import Frame, Person


@dataclass(frozen=True)
class Reload:
    """The messages that a client loaded after `room.reset`, and the version from which it continues."""

    version: int
    messages: Sequence[Frame]


@dataclass
class Stream:
    """The events that one follower received in a room after version `start`, in order of arrival."""

    start: int
    steps: list[Frame | Reload] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """A page of history loaded during the fault. `acked` is the highest seq acknowledged before its request."""

    seqs: Sequence[int]
    acked: int = 0


@dataclass(frozen=True)
class Unread:
    """The number of unread messages in the room list of a member who has read up to `read_seq`."""

    read_seq: int
    count: int


@dataclass(frozen=True)
class Recording:
    """The recordings of one room. `acked` maps a client_id to its seq, `head` is the room's last version.

    `acked_at` holds the times of each writer's acknowledgements, in seconds.
    """

    acked: Mapping[str, int]
    history: Sequence[Frame]
    head: int
    streams: Sequence[Stream]
    pages: Sequence[Page] = ()
    unread: Sequence[Unread] = ()
    acked_at: Sequence[Sequence[float]] = ()


@dataclass(frozen=True)
class Verdict:
    """Counts of one room. `received` has each follower's number of distinct messages."""

    acknowledged: int
    stored: int
    received: tuple[int, ...]
    lost: int
    repeated: int
    reordered: int
    gaps: int
    unread_drift: int
    longest_stall: float
    where: tuple[str, ...] = ()
    """The sources of the violations."""

    @property
    def broken(self) -> dict[str, int]:
        """The violated guarantees, each with its count."""
        kinds = ("lost", "repeated", "reordered", "gaps", "unread_drift")
        return {kind: count for kind in kinds if (count := getattr(self, kind))}


def judge(recording: Recording) -> Verdict:
    history = recording.history
    seqs = {message["client_id"]: message["seq"] for message in history}
    lost = {client_id: seq for client_id, seq in recording.acked.items() if client_id not in seqs}
    followers = [_judge_stream(stream, recording) for stream in recording.streams]
    pages = [_judge_page(page) for page in recording.pages]
    sources = {f"follower {number}": counts for number, counts in enumerate(followers, 1)}
    sources |= {f"page {number} of {len(pages)}": counts for number, counts in enumerate(pages, 1)}
    sources["history"] = _judge_history(history, lost.values())
    counts = sum(sources.values(), Counter[str]())
    counts["reordered"] += sum(seqs.get(client_id, seq) != seq for client_id, seq in recording.acked.items())
    waits = [after - before for times in recording.acked_at for before, after in pairwise(times)]
    return Verdict(
        acknowledged=len(recording.acked),
        stored=len(history),
        received=tuple(follower["received"] for follower in followers),
        lost=len(lost),
        repeated=counts["repeated"],
        reordered=counts["reordered"],
        gaps=counts["gaps"],
        unread_drift=sum(abs(one.count - _above(history, one.read_seq)) for one in recording.unread),
        longest_stall=max(waits, default=0),
        where=tuple(
            f"{source}: {kind} {number}"
            for source, found in sources.items()
            for kind, number in found.items()
            if kind != "received" and number
        ),
    )


class _Follower:
    """Applies a stream like a client, and counts violations."""

    def __init__(self, start: int, history: Sequence[Frame]) -> None:
        self.counts = Counter[str]()
        self.holes: set[int] = set()
        self.received: dict[str, int] = {}
        self._seqs = {message["client_id"]: message["seq"] for message in history}
        self._base = self._highest = start
        self._seen: set[int] = set()
        self._missing: set[int] = set()
        self._overlaps = False
        self._last_seq = 0

    def reload(self, reload: Reload) -> None:
        """Continue from a snapshot. Its events may arrive again; a gap before it is still a gap."""
        self.holes |= self._missing
        self._missing = set()
        self._seen = {version for version in self._seen if version <= reload.version}
        self._base = self._highest = reload.version
        self._overlaps = True
        self.received |= {message["client_id"]: message["seq"] for message in reload.messages}
        self._last_seq = max((message["seq"] for message in reload.messages), default=0)

    def take(self, event: Frame) -> None:
        version = event["version"]
        if version in self._seen or version <= self._base:
            # Live events that are already in the snapshot: clients drop them, as the protocol requires.
            self.counts["repeated"] += version in self._seen or not self._overlaps
            return
        in_order = version > self._highest
        if in_order:
            self._missing.update(range(self._highest + 1, version))
            self._highest, self._overlaps = version, False
        self._missing.discard(version)
        self._seen.add(version)
        in_order = self._take_message(event) and in_order if event["op"] == "message.created" else in_order
        self.counts["reordered"] += not in_order

    def _take_message(self, event: Frame) -> bool:
        """Return whether the message has the same place as in history, after all earlier messages."""
        client_id, seq = event["client_id"], event["seq"]
        if client_id in self.received:
            self.counts["repeated"] += 1
            return True
        self.received[client_id] = seq
        in_order = bool(seq > self._last_seq and self._seqs.get(client_id, seq) == seq)
        self._last_seq = max(self._last_seq, seq)
        return in_order

    def end(self, head: int) -> None:
        self.holes |= self._missing | set(range(self._highest + 1, head + 1))


def _judge_stream(stream: Stream, recording: Recording) -> Counter[str]:
    follower = _Follower(stream.start, recording.history)
    for step in stream.steps:
        if isinstance(step, Reload):
            follower.reload(step)
        else:
            follower.take(step)
    follower.end(recording.head)
    missed = {
        message["version"]
        for message in recording.history
        if message["version"] > stream.start and message["client_id"] not in follower.received
    }
    known = recording.acked.keys() | {message["client_id"] for message in recording.history}
    follower.counts["gaps"] += len(follower.holes | missed)
    follower.counts["reordered"] += len(follower.received.keys() - known)
    follower.counts["received"] = len(set(follower.received.values()))
    return follower.counts


def _judge_history(history: Sequence[Frame], lost: Iterable[int]) -> Counter[str]:
    """Check that every message is there once, and that every seq has one, except those counted as lost."""
    counts = _judge_seqs([message["seq"] for message in history], 1, excused=lost)
    of_each = Counter(message["client_id"] for message in history)
    counts["repeated"] = max(counts["repeated"], sum(number - 1 for number in of_each.values()))
    return counts


def _judge_page(page: Page) -> Counter[str]:
    """Check that seqs ascend without gaps, and that the newest page has all messages acknowledged before."""
    counts = _judge_seqs(page.seqs, min(page.seqs, default=1))
    counts["gaps"] += max(page.acked - max(page.seqs, default=0), 0)
    return counts


def _judge_seqs(seqs: Sequence[int], first: int, excused: Iterable[int] = ()) -> Counter[str]:
    distinct = set(seqs)
    return Counter(
        repeated=len(seqs) - len(distinct),
        reordered=sum(later < earlier for earlier, later in pairwise(seqs)),
        gaps=len(set(range(first, max(distinct, default=0) + 1)) - distinct - set(excused)),
    )


def _above(history: Iterable[Frame], seq: int) -> int:
    return sum(message["seq"] > seq for message in history)


async def stored(person: Person, room_id: str, after: int = 0) -> list[Frame]:
    """Return all messages of the room above a seq, from the database."""
    messages: list[Frame] = []
    choice: dict[str, int] = {"limit": 200}
    while True:
        page = await person.messages(room_id, **choice)
        messages = page["items"] + messages
        if not page["has_more"] or messages[0]["seq"] <= after:
            return [message for message in messages if message["seq"] > after]
        choice["before"] = messages[0]["seq"]
