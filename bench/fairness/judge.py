"""The rule of fairness: what ordinary people waited for in quiet times, compared with the time of an attack."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bench.tally import percentile

MAX_RATIO = 3.0
FLOOR_S = 0.05
"""A p99 up to this is fair whatever it was before: nobody notices it."""


@dataclass
class Sample:
    """Seconds that each action took, and the errors with their number."""

    times: dict[str, list[float]] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, action: str, times: Iterable[float]) -> None:
        self.times.setdefault(action, []).extend(times)

    def percentile_of(self, action: str, share: float) -> float:
        return percentile(self.times.get(action, []), share)


@dataclass(frozen=True)
class Comparison:
    """One action: its p99 in seconds, quiet and during an attack."""

    action: str
    quiet_s: float
    attacked_s: float

    @property
    def ratio(self) -> float:
        return self.attacked_s / self.quiet_s

    @property
    def is_fair(self) -> bool:
        """Return whether the action was fast enough. An action without times is not fair: nobody could do it."""
        return self.attacked_s <= FLOOR_S or self.ratio <= MAX_RATIO


def compare(quiet: Sample, attacked: Sample) -> list[Comparison]:
    """Return the actions of the quiet time, the worst first."""
    every = [
        Comparison(action, quiet.percentile_of(action, 0.99), attacked.percentile_of(action, 0.99))
        for action in quiet.times
    ]
    return sorted(every, key=lambda one: (one.is_fair, one.attacked_s <= FLOOR_S, -one.ratio))


@dataclass(frozen=True)
class Outcome:
    """One attack: what the attacker achieved, and what the others noticed."""

    attack: str
    seconds: float
    counts: Mapping[str, int]
    """Frames, requests, bytes, answers and close codes of the attacker, each with its number."""
    attacked: Sample
    comparisons: list[Comparison]
    recovered_s: float
    """Seconds from the end of the attack until all sockets answered at once again; infinite if they did not."""
    busiest: str
    """The processes that used most CPU, with their share of a core."""

    @property
    def worst(self) -> Comparison:
        return self.comparisons[0]

    @property
    def unfair(self) -> list[Comparison]:
        return [one for one in self.comparisons if not one.is_fair]

    @property
    def is_fair(self) -> bool:
        return not self.unfair and not self.attacked.errors
