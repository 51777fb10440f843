"""Fair shares: limited places and computing time, of which one person can take only a part."""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

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
            self._held[person] -= 1
            if not self._held[person]:
                del self._held[person]


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
