"""The stack with its people and the attacker, and one attack after the other."""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.client.accounts import Account, open_group, sign_in, sign_up_one
from bench.client.http_client import HttpClient
from bench.client.socket import encode
from bench.fairness.attacker import GRACE_S
from bench.fairness.attacks.attack import Effort, Order
from bench.fairness.attacks.files import draw_costly
from bench.fairness.judge import Outcome, Sample, compare
from bench.fairness.people import People
from bench.server.fill import fill_webchat
from bench.server.stack import ROOT, Server
from bench.tally import body_of, client_id_of
from bench.usage import Usage

ADDRESS = "127.0.0.66"
"""The attacker's. Every ordinary person has another one."""
SESSIONS = 5
"""Sessions of the attacker's account, because nginx limits each of them by itself."""
RAMP_S = 0.5
"""Seconds between the start of an attack and the first action that is measured."""
ANSWER_S = 60.0
QUIET_TRIES = 3
"""Other programs may disturb a quiet time."""
BUSY = 3
"""Processes that are named as the busiest."""
Report = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    people: int
    messages: int
    """Messages of the room with the long history."""
    quiet_s: float
    attack_s: float
    pause_s: float


FULL = Size(people=20, messages=50_000, quiet_s=20.0, attack_s=7.0, pause_s=4.0)
QUICK = Size(people=4, messages=1_000, quiet_s=1.2, attack_s=0.3, pause_s=0.05)


class Attacker:
    """The process of the attacker."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def begin(self, order: Order) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(encode(order) + b"\n")
        await self._line(ANSWER_S)

    async def effort(self, seconds: float) -> Effort:
        """Wait for the end of the attack, whose duration is given."""
        return msgspec.json.decode(await self._line(seconds + GRACE_S + ANSWER_S), type=Effort)

    async def _line(self, seconds: float) -> bytes:
        assert self._process.stdout is not None
        async with asyncio.timeout(seconds):
            if line := await self._process.stdout.readline():
                return line
        raise RuntimeError("the process of the attacker ended")


@asynccontextmanager
async def attacking() -> AsyncIterator[Attacker]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.fairness.attacker",
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 24,
    )  # fmt: skip
    try:
        yield Attacker(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def prepare(server: Server, size: Size, folder: Path) -> tuple[People, Order]:
    """Sign everybody up, open the rooms, and return the people and an order without an attack."""
    people = await People.sign_up(server, size.people)
    accounts = [person.account for person in people.people]
    attacker = await sign_up_one(server.port, ADDRESS)
    shared, long_room = [await open_group(attacker, accounts, title) for title in ("square", "long history")]
    body = {"body": body_of(0), "client_id": client_id_of(0)}
    await attacker.http.json("POST", f"/api/rooms/{shared}/messages", body, expected=201)
    user_ids = [account.user_id for account in accounts]
    await asyncio.to_thread(fill_webchat, server, long_room, user_ids, size.messages)
    await asyncio.to_thread(draw_costly, folder)
    people.show_history(long_room, size.messages)
    order = Order(
        attack="", seconds=0, port=server.port, address=ADDRESS, cookies=await _sessions(server.port, attacker),
        user_ids=user_ids, logins=[account.login for account in accounts],
        shared_room=shared, long_room=long_room, messages=size.messages, folder=str(folder),
    )  # fmt: skip
    return people, order


async def _sessions(port: int, attacker: Account) -> list[str]:
    cookies = [attacker.cookie]
    for _ in range(SESSIONS - 1):
        http = HttpClient(port, address=ADDRESS)
        await sign_in(http, attacker.login)
        cookies.append(http.cookie)
        http.close()
    return cookies


async def try_all(
    server: Server,
    attacks: Sequence[str],
    size: Size,
    on_quiet: Callable[[Sample], None],
    on_outcome: Callable[[Outcome], None],
) -> tuple[Sample, list[Outcome]]:
    """Measure the quiet time, then every attack.

    Raises RuntimeError if people get errors in every quiet time, because then nothing can be compared.
    """
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="webchat-fairness-") as folder:
        people, order = await prepare(server, size, Path(folder))
        await people.live(min(size.pause_s, 2.0))  # caches fill, connections open
        quiet = await _quiet(people, size.quiet_s)
        on_quiet(quiet)
        async with attacking() as attacker:
            for attack in attacks:
                present = server.with_present_pids()
                outcomes.append(
                    await _attempt(
                        present, people, attacker, msgspec.structs.replace(order, attack=attack), quiet, size
                    )
                )
                on_outcome(outcomes[-1])
                await asyncio.sleep(size.pause_s)
    return quiet, outcomes


async def _quiet(people: People, seconds: float) -> Sample:
    for _ in range(QUIET_TRIES):
        quiet = await people.live(seconds)
        if not quiet.errors:
            return quiet
    raise RuntimeError(f"ordinary people get errors without an attack: {dict(quiet.errors)}")


async def _attempt(
    server: Server, people: People, attacker: Attacker, order: Order, quiet: Sample, size: Size
) -> Outcome:
    order = msgspec.structs.replace(order, seconds=size.attack_s + RAMP_S)
    before, began = server.usage(), time.perf_counter()
    await attacker.begin(order)
    await asyncio.sleep(min(RAMP_S, size.attack_s))
    attacked = await people.live(size.attack_s)
    effort = await attacker.effort(order.seconds)
    recovered_s = await people.recovered()
    used, took = server.usage().since(before), time.perf_counter() - began
    return Outcome(
        order.attack, effort.seconds, effort.counts, attacked, compare(quiet, attacked), recovered_s,
        busiest(used, took),
    )  # fmt: skip


def busiest(used: Usage, seconds: float) -> str:
    """Name the processes that used most CPU, each with its share of a core."""
    most = sorted(used.cpu, key=lambda name: -used.cpu[name])[:BUSY]
    return ", ".join(f"{name} {used.cpu[name] / seconds:.0%}" for name in most)
