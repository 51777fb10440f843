"""The size of a run: the real one, and the quick one that only checks that every figure is produced."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """The size of a run. Seconds are per phase, rates in messages per second."""

    seconds: float
    settle: float
    """Seconds of quiet before and after a scene, so that scenes do not affect each other."""
    at_once: bool
    """Start the servers of later scenes during earlier ones, which distorts these."""
    users: int
    receivers: tuple[int, ...]
    """The first, a small one, shows the fixed cost of a message."""
    idle_connections: int
    small_rooms: int
    first_rate: float
    rate_growth: float
    most_steps: int
    deep_room: int
    """Number of messages in the room with the long history."""
    resuming: int
    missed: int
    idle_messages: int
    upload_bytes: int
    uploads: int
    observability_rounds: int
    observability_rate: float


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
    observability_rounds=24,
    observability_rate=500.0,
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
    observability_rounds=1,
    observability_rate=20.0,
)
