"""`python -m bench.fairness.attacker`: a process that attacks, so that attacks do not delay the process that measures.

Each line of standard input is an `Order`. It is answered by two lines: `attacking`, then the `Effort`.
"""

import asyncio
import os
import sys

import msgspec
import uvloop

from bench.fairness.attacks import ATTACKS
from bench.fairness.attacks.attack import Attack, Order

LOW_PRIORITY = 10
"""On the core that both share, the process that measures comes first."""
GRACE_S = 15.0
"""Seconds in which an attack must end after its time. What is still open then is cut."""


async def main() -> None:
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        attack = Attack(msgspec.json.decode(line, type=Order))
        print("attacking", flush=True)
        try:
            async with asyncio.timeout(attack.order.seconds + GRACE_S):
                await ATTACKS[attack.order.attack][1](attack)
        except TimeoutError:
            attack.counts["cut"] += 1
        print(msgspec.json.encode(attack.effort()).decode(), flush=True)


if __name__ == "__main__":
    os.nice(LOW_PRIORITY)
    uvloop.run(main())
