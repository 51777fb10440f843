"""Token buckets by one number (GCRA): when the bucket will be full again. The script in Redis does the same sums."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """At most `burst` at once, one more every `every_ms`."""

    burst: int
    every_ms: int


def take(full_at: int, now: int, rate: Rate) -> tuple[int, int]:
    """The new `full_at` and 0, or the old one and how many milliseconds to wait."""
    after = max(full_at, now) + rate.every_ms
    wait = after - rate.burst * rate.every_ms - now
    return (full_at, wait) if wait > 0 else (after, 0)
