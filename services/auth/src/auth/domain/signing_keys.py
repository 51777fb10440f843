"""When a signing key is made, used and forgotten. All times in milliseconds.

A new key is published before it signs, and an old one is published until every token that it signed has expired.
"""

from collections.abc import Sequence
from dataclasses import dataclass

PUBLISHED_FIRST_MS = 120_000
"""Longer than the replicas take to read the table again (60 s)."""
KEPT_MS = 3_600_000
"""Longer than any token lives, after the key was replaced."""


@dataclass(frozen=True)
class KeyAge:
    generation: int
    created_at: int
    can_sign: bool


def needs_new_key(keys: Sequence[KeyAge], now: int, rotation_ms: int) -> bool:
    return not any(key.can_sign and now - key.created_at < rotation_ms for key in keys)


def signing_generation(keys: Sequence[KeyAge], now: int) -> int:
    """The newest key that everyone knows, else the newest; raises ValueError where none can sign."""
    able = [key for key in keys if key.can_sign]
    known = [key for key in able if now - key.created_at >= PUBLISHED_FIRST_MS]
    # the very first key, or one made after the secret changed, has nothing to wait for
    return max(key.generation for key in known or able)


def forgotten_generations(keys: Sequence[KeyAge], now: int) -> list[int]:
    """Keys with a successor that has signed in their place for longer than a token lives."""
    settled = [key.generation for key in keys if now - key.created_at > PUBLISHED_FIRST_MS + KEPT_MS]
    return [key.generation for key in keys if key.generation < max(settled, default=0)]
