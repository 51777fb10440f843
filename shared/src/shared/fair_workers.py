"""Workers that people share fairly: a worker is whatever can do one piece of work at a time."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.errors import Unavailable


class Workers:
    """Workers that people wait for in turn: a person who brings much work waits for it, and nobody else does.

    One person holds at most `of_one` workers, and `waiting_of_one` requests of one person wait for them. A free worker
    goes to the person who was served longest ago. `_waiting` holds each person's requests, in that order of persons.
    """

    def __init__(self, workers: int, *, of_one: int, waiting_of_one: int, wait_s: float, too_many: str) -> None:
        """A request waits at most `wait_s` seconds. `too_many` is the error of a person with too many requests."""
        self._free, self.of_one, self._waiting_of_one = workers, of_one, waiting_of_one
        self._wait_s, self._too_many = wait_s, too_many
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def worker(self, person: str) -> AsyncIterator[None]:
        """Wait for a worker, and hold it while the block runs.

        Raises Unavailable if too many requests of the person wait, or this one for too long.
        """
        if len(self._waiting.get(person, ())) >= self._waiting_of_one:
            raise Unavailable(self._too_many, retry_after=2)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(person, deque()).append(turn)
        self._assign()
        try:
            if not turn.done():  # unlike `await turn`, this leaves the future as it is when the caller gives up
                await asyncio.wait([turn], timeout=self._wait_s)
            if not turn.done():
                raise Unavailable(self._too_many, retry_after=2)
            yield
        finally:
            if turn.done():
                self._free += 1
                _drop(self._held, person)
            else:
                self._withdraw(person, turn)
            self._assign()

    @property
    def requests(self) -> int:
        """The number of requests that hold a worker or wait for one."""
        return self._held.total() + sum(map(len, self._waiting.values()))

    def requests_of(self, person: str) -> int:
        return self._held.get(person, 0) + len(self._waiting.get(person, ()))

    def _assign(self) -> None:
        """Give free workers to people who wait and hold less than their share."""
        for person in list(self._waiting) if self._free else ():
            if self._free == 0:
                return
            if self._held.get(person, 0) >= self.of_one:
                continue
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


def _drop(held: Counter[str], person: str) -> None:
    held[person] -= 1
    if not held[person]:
        del held[person]
