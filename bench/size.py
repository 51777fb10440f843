"""The size of a run: the real one, and the quick one that only checks that every figure is produced."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """The size of a run. Seconds are per phase, rates in messages per second."""

    seconds: float
    settle: float
    """Seconds of quiet before and after a scene, so that scenes do not affect each other."""
    shares_stack: bool
    """Use one stack for all scenes of WebChat, even for those that need another one to mean something."""
    users: int
    receivers: tuple[int, ...]
    """The first, a small one, shows the fixed cost of a message."""
    shares: tuple[float, ...]
    """The points of the curves of throughput against latency, as shares of the capacity."""
    fixed_seconds: float
    idle_connections: int
    small_rooms: int
    deep_room: int
    """Number of messages in the room with the long history."""
    deep_room_mariadb: int
    """The same on MariaDB, where filling takes longer."""
    crowd: int
    crowd_accounts: int
    crowd_rest_seconds: float
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
    shares_stack=False,
    users=60,
    receivers=(2, 200, 1000),
    shares=(0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2),
    fixed_seconds=10.0,
    idle_connections=1000,
    small_rooms=200,
    deep_room=1_000_000,
    deep_room_mariadb=200_000,
    crowd=20_000,
    crowd_accounts=2_000,
    crowd_rest_seconds=50.0,
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
    shares_stack=True,
    users=4,
    receivers=(2, 20, 40),
    shares=(0.5, 1.2),
    fixed_seconds=0.3,
    idle_connections=40,
    small_rooms=4,
    deep_room=3_000,
    deep_room_mariadb=3_000,
    crowd=40,
    crowd_accounts=4,
    crowd_rest_seconds=0.2,
    resuming=20,
    missed=20,
    idle_messages=8,
    upload_bytes=1 << 18,
    uploads=4,
    observability_rounds=1,
    observability_rate=20.0,
)
