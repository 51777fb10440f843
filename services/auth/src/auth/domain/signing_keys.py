"""The rotation of signing keys. All times are in milliseconds.

A new key is published before it signs. An old key is published until all tokens that it signed have expired.
"""

from collections.abc import Sequence
from dataclasses import dataclass

PUBLISHED_FIRST_MS = 120_000
"""A key is published this long before it signs: longer than replicas take to read the table again (60 s)."""
KEPT_MS = 3_600_000
"""A replaced key is published this long: longer than any token is valid."""


@dataclass(frozen=True)
class KeyAge:
    generation: int
    created_at: int
    can_sign: bool


def needs_new_key(keys: Sequence[KeyAge], now: int, rotation_ms: int) -> bool:
    return not any(key.can_sign and now - key.created_at < rotation_ms for key in keys)


def signing_generation(keys: Sequence[KeyAge], now: int) -> int:
    """Return the newest key that all replicas know, else the newest; raises ValueError if none can sign."""
    able = [key for key in keys if key.can_sign]
    known = [key for key in able if now - key.created_at >= PUBLISHED_FIRST_MS]
    # the first key, or the first after a change of the secret, signs at once: no other one can
    return max(key.generation for key in known or able)


def expired_generations(keys: Sequence[KeyAge], now: int) -> list[int]:
    """Return the keys whose successor has signed for longer than a token is valid."""
    settled = [key.generation for key in keys if now - key.created_at > PUBLISHED_FIRST_MS + KEPT_MS]
    return [key.generation for key in keys if key.generation < max(settled, default=0)]
