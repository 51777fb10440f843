"""One fault under traffic, and its outcome for the guarantees."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from checker import Verdict
from people import Person, sign_up
from traffic import PATIENCE_S, Scene

from chaos.faults import Fault, Trial
from chaos.targets import Target

NAMES = ("ana", "ben", "cho")
BEFORE_S, HOLD_S = 1 / 4, 1 / 3
"""Shares of a trial's seconds: before the fault and during it."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of one fault. Without a verdict it was left out or failed."""

    fault: Fault
    verdict: Verdict | None = None
    left_out: str = ""
    failed: str = ""

    @property
    def is_broken(self) -> bool:
        return bool(self.failed) or (self.verdict is not None and bool(self.verdict.broken))


async def sign_up_members(url: str) -> list[Person]:
    return [await sign_up(url, name) for name in NAMES]


async def close_accounts(members: list[Person]) -> None:
    """Close the accounts, so that no personal data stays on a stack that keeps running."""
    for member in members:
        await member.call("DELETE", "/auth/me", json={"password": member.password}, status=204)


async def attempt(
    target: Target,
    fault: Fault,
    members: list[Person],
    seconds: float = 0,
    meanwhile: Callable[[], Awaitable[None]] | None = None,
) -> Verdict:
    """Run traffic of the members for at least this many seconds, and inject the fault during it.

    `meanwhile` runs during the fault.
    """
    began = time.monotonic()
    scene = await Scene.of(*members)
    try:
        await scene.each_acked(seconds=PATIENCE_S)
        await asyncio.sleep(seconds * BEFORE_S)
        await fault.run(Trial(target, scene, seconds * HOLD_S, meanwhile))
        await target.settled()
        await scene.each_acked(seconds=PATIENCE_S)
        await asyncio.sleep(max(began + seconds - time.monotonic(), 0))
        return await scene.conclude()
    finally:
        await scene.rest()


async def outcome(target: Target, fault: Fault, members: list[Person], seconds: float) -> Outcome:
    """Attempt a fault and return its outcome. An error becomes part of it, so that the next fault can run."""
    if (reason := fault.why_not(target)) is not None:
        return Outcome(fault, left_out=reason)
    try:
        return Outcome(fault, await attempt(target, fault, members, seconds))
    except Exception as error:  # noqa: BLE001 - any error is a failure of this fault
        return Outcome(fault, failed=f"{type(error).__name__}: {error}")
