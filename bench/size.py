"""How large a run is: the real one, and the quick one that only shows that every figure comes about."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """Seconds are of one phase; rates are messages a second."""

    seconds: float
    settle: float
    """Seconds of quiet before and after a scene, so that none has work of another."""
    at_once: bool
    """Start what a later scene needs during the earlier ones, which it slows down."""
    users: int
    receivers: tuple[int, ...]
    """The first, of few, shows what a message costs by itself."""
    idle_connections: int
    small_rooms: int
    first_rate: float
    rate_growth: float
    most_steps: int
    deep_room: int
    """Messages of the room whose depths are read."""
    resuming: int
    missed: int
    idle_messages: int
    upload_bytes: int
    uploads: int
    telling_rounds: int
    telling_rate: float


FULL = Size(
    seconds=5.0,
    settle=0.5,
    at_once=False,
    users=60,
    receivers=(2, 200, 1000),
    idle_connections=1000,
    small_rooms=200,
    first_rate=200.0,
    rate_growth=1.25,
    most_steps=16,
    deep_room=1_000_000,
    resuming=500,
    missed=300,
    idle_messages=160,
    upload_bytes=4 << 20,
    uploads=48,
    telling_rounds=24,
    telling_rate=500.0,
)
QUICK = Size(
    seconds=0.2,
    settle=0.05,
    at_once=True,
    users=4,
    receivers=(2, 20, 40),
    idle_connections=40,
    small_rooms=4,
    first_rate=20.0,
    rate_growth=2.0,
    most_steps=2,
    deep_room=3_000,
    resuming=20,
    missed=20,
    idle_messages=8,
    upload_bytes=1 << 18,
    uploads=4,
    telling_rounds=1,
    telling_rate=20.0,
)
