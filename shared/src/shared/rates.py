"""Token buckets (GCRA). One number, the time when the bucket is full again, is a bucket's whole state.

`redis/take_token.lua` and `redis/give_token.lua` compute the same in Redis.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """At most `burst` tokens at once, one more every `every_ms`."""

    burst: int
    every_ms: int


def take(full_at: int, now: int, rate: Rate) -> tuple[int, int]:
    """Take a token: return the new `full_at` and 0. If there is none, return `full_at` and the milliseconds to wait."""
    after = max(full_at, now) + rate.every_ms
    wait = after - rate.burst * rate.every_ms - now
    return (full_at, wait) if wait > 0 else (after, 0)


def give_back(full_at: int, rate: Rate) -> int:
    """Return the new `full_at` after a token was given back."""
    return full_at - rate.every_ms
