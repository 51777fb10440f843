"""Fair shares: limited places and computing time, of which one person can take only a part."""

import asyncio
import math
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from shared.errors import RateLimited, Unavailable

MINUTE_S = 60


class Places:
    """Places that are taken or refused at once. One person holds at most `of_one` of them."""

    def __init__(self, places: int, *, of_one: int) -> None:
        self._free, self._of_one = places, of_one
        self._held: Counter[str] = Counter()

    @contextmanager
    def place(self, person: str) -> Iterator[None]:
        """Hold a place while the block runs. Raises Unavailable if none is free, or if the person holds their share."""
        if self._held[person] >= self._of_one:
            raise Unavailable("Too many of your uploads are in progress. Try again shortly.", retry_after=2)
        if self._free == 0:
            raise Unavailable("Too many uploads are in progress. Try again shortly.", retry_after=2)
        self._free -= 1
        self._held[person] += 1
        try:
            yield
        finally:
            self._free += 1
            _drop(self._held, person)


class Workers:
    """Workers that people wait for in turn: a person who brings much work waits for it, and nobody else does.

    One person holds at most `of_one` workers, and `waiting_of_one` requests of one person wait for them. A free worker
    goes to the person who was served longest ago. `_waiting` holds each person's requests, in that order of persons.
    """

    def __init__(self, workers: int, *, of_one: int, waiting_of_one: int) -> None:
        self._free, self._of_one, self._waiting_of_one = workers, of_one, waiting_of_one
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def worker(self, person: str) -> AsyncIterator[None]:
        """Wait for a worker, and hold it while the block runs. Raises Unavailable if too many requests wait."""
        if len(self._waiting.get(person, ())) >= self._waiting_of_one:
            raise Unavailable("Too many of your pictures are waiting. Try again shortly.", retry_after=2)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(person, deque()).append(turn)
        self._assign()
        try:
            await asyncio.wait([turn])  # unlike `await turn`, this leaves the future as it is when the caller gives up
            yield
        finally:
            if turn.done():
                self._free += 1
                _drop(self._held, person)
            else:
                self._withdraw(person, turn)
            self._assign()

    def _assign(self) -> None:
        """Give free workers to people who wait and hold less than their share."""
        for person in [one for one in self._waiting if self._held[one] < self._of_one]:
            if self._free == 0:
                return
            turns = self._waiting.pop(person)
            self._free -= 1
            self._held[person] += 1
            turns.popleft().set_result(None)
            if turns:
                self._waiting[person] = turns  # at the end: everyone else comes first

    def _withdraw(self, person: str, turn: asyncio.Future[None]) -> None:
        """Remove a request whose caller gave up."""
        turns = self._waiting[person]
        turns.remove(turn)
        if not turns:
            del self._waiting[person]


class ComputingTime:
    """CPU seconds that each person may use in a minute. Used time is forgiven evenly, second by second.

    `_used` maps a person to the seconds used and not yet forgiven, and the monotonic time of that count. People who
    have nothing to be forgiven are removed, so it holds few more than were active in the last minute.
    """

    def __init__(self, seconds_per_minute: float) -> None:
        self._allowed = seconds_per_minute
        self._used: dict[str, tuple[float, float]] = {}

    def check(self, person: str, now: float) -> None:
        """Raise RateLimited if the person has used up their time. `now` is in monotonic seconds."""
        excess = self._unforgiven(person, now) - self._allowed
        if excess >= 0:
            wait = max(1, math.ceil(excess * MINUTE_S / self._allowed))
            raise RateLimited("Your pictures took too much computing time. Try again later.", retry_after=wait)

    def charge(self, person: str, seconds: float, now: float) -> None:
        """Add CPU seconds that the person's work has used."""
        self._used[person] = self._unforgiven(person, now) + seconds, now
        for other in [one for one in self._used if self._unforgiven(one, now) == 0]:
            del self._used[other]

    def _unforgiven(self, person: str, now: float) -> float:
        seconds, at = self._used.get(person, (0, now))
        return max(0, seconds - (now - at) * self._allowed / MINUTE_S)


def _drop(held: Counter[str], person: str) -> None:
    held[person] -= 1
    if not held[person]:
        del held[person]
