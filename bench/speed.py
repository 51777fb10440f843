"""The speed of the machine: a fixed loop in pure Python, so that figures of different machines and hours compare."""

import time

STEPS = 2_000_000
ROUNDS = 3


def loop_cpu_s(rounds: int = ROUNDS) -> float:
    """Return the CPU-seconds of the loop, the least of some rounds."""
    return min(_once() for _ in range(rounds))


def _once() -> float:
    before, value = time.process_time(), 0
    for step in range(STEPS):
        value = (value + step * step) % 1_000_003
    return time.process_time() - before
