"""A description of the machine, for readers of figures."""

import os
import platform
from pathlib import Path

from bench.cores import is_pinning


def machine(*, quick: bool) -> str:
    """Describe the machine in one line, with its load, so that a reader can judge the figures."""
    model = next((line.partition(": ")[2] for line in _cpuinfo() if line.startswith("model name")), platform.machine())
    pinned = "servers on one core, load on another" if is_pinning() else "nothing pinned"
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    what = "A quick run: its figures mean nothing. " if quick else ""
    return (
        f"{what}{model}, {os.cpu_count()} cores ({pinned}), {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}; load average at the start {load}."
    )


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
