"""The faults. Each returns when it is over, and asserts that it had an effect."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from traffic import PATIENCE_S, Scene, Writer

from chaos.clock import Clock, find_library
from chaos.targets import AWAY_S, GATEWAYS, PROCESSES, Clustered, Own, Target
from shared.roomlog.stream import APPEND_EVENTS
from shared.testing.fixtures import eventually

JUMPS_S = (30, -3600, 0)
UNAVAILABLE_S = 35
"""Seconds within which a message that cannot be stored is answered."""


@dataclass(frozen=True)
class Trial:
    """One fault at a target under traffic.

    A lasting fault continues until it has an effect, then `hold_s` seconds more, and until `meanwhile` returns.
    """

    target: Target
    scene: Scene
    hold_s: float = 0
    meanwhile: Callable[[], Awaitable[None]] | None = None

    @property
    def own(self) -> Own:
        assert isinstance(self.target, Own)
        return self.target

    async def hold(self) -> None:
        await asyncio.sleep(self.hold_s)
        if self.meanwhile is not None:
            await self.meanwhile()


@dataclass(frozen=True)
class Fault:
    name: str
    what: str
    run: Callable[[Trial], Awaitable[None]]
    needs: tuple[str, ...] = ()

    def why_not(self, target: Target) -> str | None:
        """Return the reason why it is not possible with this target, or None."""
        return next((target.lacks[need] for need in self.needs if need in target.lacks), None)


FAULTS: dict[str, Fault] = {}


def fault(what: str, *needs: str) -> Callable[[Callable[[Trial], Awaitable[None]]], Callable[[Trial], Awaitable[None]]]:
    """Register a function as a fault, named after it with `-` instead of `_`."""

    def enter(run: Callable[[Trial], Awaitable[None]]) -> Callable[[Trial], Awaitable[None]]:
        name = run.__name__.replace("_", "-")
        FAULTS[name] = Fault(name, what, run, needs)
        return run

    return enter


# Killed


@fault("SIGKILL to one gateway and then to the other", "kill")
async def gateway_killed(trial: Trial) -> None:
    killed: dict[str, int] = {}
    before = trial.scene.reconnects
    for name in GATEWAYS:  # nginx may have put all followers on the other one, so only both together have an effect
        killed[name] = await trial.target.kill(name)
        await trial.scene.more_acked()
    await eventually(lambda: trial.scene.reconnects > before)
    for name, pid in killed.items():
        await trial.target.restarted(name, pid)


async def _killed(trial: Trial, name: str) -> None:
    await trial.target.restarted(name, await trial.target.kill(name))


@fault("SIGKILL to rooms", "kill")
async def rooms_killed(trial: Trial) -> None:
    await _killed(trial, "rooms")


@fault("SIGKILL to rooms after it has committed messages, before it publishes them", "proxy", "kill")
async def rooms_killed_before_publish(trial: Trial) -> None:
    proxy = trial.own.redis_proxy
    proxy.hold_next(APPEND_EVENTS.sha.encode(), "request")
    await eventually(proxy.triggered.is_set)
    pid = await trial.target.kill("rooms")
    proxy.release()
    await trial.target.restarted("rooms", pid)


@fault("SIGKILL to rooms after it has published messages, before it answers the gateway", "proxy", "kill")
async def rooms_killed_before_answer(trial: Trial) -> None:
    proxy = trial.own.rooms_proxy
    proxy.hold_next(b"/internal/commands", "answer")
    await eventually(proxy.triggered.is_set)
    await eventually(trial.scene.someone_saw_what_is_not_acked)
    pid = await trial.target.kill("rooms")
    proxy.release()
    await trial.target.restarted("rooms", pid)


@fault("SIGKILL to auth", "kill")
async def auth_killed(trial: Trial) -> None:
    await _killed(trial, "auth")


@fault("SIGKILL to nginx", "kill")
async def nginx_killed(trial: Trial) -> None:
    before = trial.scene.reconnects
    await _killed(trial, "nginx")
    assert trial.scene.reconnects > before


@fault("SIGKILL to Valkey", "valkey", "kill")
async def valkey_killed(trial: Trial) -> None:
    await trial.target.kill_valkey(max(AWAY_S, trial.hold_s))


# Paused


async def _paused(trial: Trial, name: str) -> None:
    with trial.target.paused(name):
        await trial.hold()


@fault("SIGSTOP to one gateway and then to the other, each with SIGCONT later")
async def gateway_paused(trial: Trial) -> None:
    for name in GATEWAYS:
        await _paused(trial, name)


@fault("SIGSTOP to rooms, SIGCONT later")
async def rooms_paused(trial: Trial) -> None:
    await _paused(trial, "rooms")


@fault("SIGSTOP to auth, SIGCONT later; open sockets still work")
async def auth_paused(trial: Trial) -> None:
    scene = trial.scene
    with trial.target.paused("auth"):
        before = [len(writer.acked) for writer in scene.socket_writers]
        await eventually(
            lambda: all(len(w.acked) > n + 10 for w, n in zip(scene.socket_writers, before, strict=True)), 30
        )
        await trial.hold()


@fault("SIGSTOP to Valkey, SIGCONT later", "valkey")
async def valkey_paused(trial: Trial) -> None:
    await _paused(trial, "valkey")


# Partitioned


@fault("partition between the services and Valkey, without closed connections", "proxy")
async def valkey_partitioned(trial: Trial) -> None:
    trial.own.redis_proxy.partitioned = True
    await trial.hold()
    trial.own.redis_proxy.partitioned = False


@fault("partition between the gateways and rooms, without closed connections", "proxy")
async def rooms_partitioned(trial: Trial) -> None:
    trial.own.rooms_proxy.partitioned = True
    await trial.hold()
    trial.own.rooms_proxy.partitioned = False


# Databases and their disk


async def _all_unavailable(writers: Sequence[Writer]) -> None:
    before = [writer.unavailable for writer in writers]
    await eventually(
        lambda: all(writer.unavailable > n for writer, n in zip(writers, before, strict=True)), UNAVAILABLE_S
    )


@fault("another process locks rooms' database until all socket writers get `unavailable`", "database")
async def database_held(trial: Trial) -> None:
    with trial.target.holding_rooms():
        await _all_unavailable(trial.scene.socket_writers)


@fault("every write to the databases' disk takes most of a second", "slow disk")
async def disk_slow(trial: Trial) -> None:
    assert trial.own.disk is not None
    with trial.own.disk.slow():
        await trial.scene.more_acked(4, PATIENCE_S)
        await trial.hold()


@fault("the databases' disk is full until all writers get `unavailable`", "disk")
async def disk_full(trial: Trial) -> None:
    assert trial.own.disk is not None
    with trial.own.disk.full():
        await _all_unavailable(trial.scene.writers)


# Valkey's data


@fault("FLUSHALL to Valkey, five times", "valkey")
async def valkey_emptied(trial: Trial) -> None:
    for _ in range(5):
        await trial.scene.more_acked(10)
        await asyncio.to_thread(trial.target.empty_valkey)


@fault("SIGKILL to the room's primary in a Valkey cluster", "cluster")
async def primary_lost(trial: Trial) -> None:
    target, room_id = trial.target, trial.scene.room_id
    assert isinstance(target, Clustered)
    primary = target.owner(room_id)
    await asyncio.to_thread(primary.kill)
    await eventually(lambda: target.owner(room_id) is not primary, 30)


# Time and updates


@fault("rooms' clock jumps half a minute ahead, then an hour back", "clock")
async def clock_jumped(trial: Trial) -> None:
    """Jump only half a minute ahead, because further ahead all tokens of auth would be expired for rooms."""
    library = find_library()
    assert library is not None
    clock = Clock(trial.target.stack.data, "rooms")
    try:
        with clock.preloaded(library):
            await trial.target.restart("rooms")
            for offset in JUMPS_S:
                clock.set(offset)
                await eventually(lambda offset=offset: trial.target.is_off_by("rooms", offset), 30)  # type: ignore[misc]
                await trial.scene.each_acked(seconds=PATIENCE_S)
                await trial.hold()
    finally:
        await trial.target.restart("rooms")


@fault("rolling restart of all processes")
async def rolling_update(trial: Trial) -> None:
    for name in PROCESSES:
        await trial.target.restart(name)
        await trial.scene.more_acked()


SHORT = ("gateway-killed", "rooms-killed-before-publish", "valkey-emptied", "database-held", "auth-paused")
"""The faults of every CI run."""
