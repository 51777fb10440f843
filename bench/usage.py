"""The resource usage of processes, and its difference between two points in time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Usage:
    """Per process name: CPU-seconds (user and system), write system calls, resident bytes."""

    cpu: dict[str, float] = field(default_factory=dict)
    writes: dict[str, int] = field(default_factory=dict)
    resident: dict[str, int] = field(default_factory=dict)

    def since(self, before: "Usage") -> "Usage":
        """Return CPU, writes and growth of memory since `before`."""
        return Usage(
            {name: round(self.cpu[name] - before.cpu.get(name, 0), 3) for name in self.cpu},
            {name: self.writes[name] - before.writes.get(name, 0) for name in self.writes},
            {name: self.resident[name] - before.resident.get(name, 0) for name in self.resident},
        )

    def without(self, name: str) -> "Usage":
        """Return the usage without a process that ends, so that `since` counts all of the one that replaces it."""
        cpu, writes, resident = dict(self.cpu), dict(self.writes), dict(self.resident)
        del cpu[name], writes[name], resident[name]
        return Usage(cpu, writes, resident)

    def cpu_of(self, prefix: str = "") -> float:
        """Return the CPU-seconds of all processes whose names start with the prefix."""
        return sum(seconds for name, seconds in self.cpu.items() if name.startswith(prefix))

    def writes_of(self, prefix: str) -> int:
        return sum(count for name, count in self.writes.items() if name.startswith(prefix))

    def resident_of(self, prefix: str) -> int:
        return sum(size for name, size in self.resident.items() if name.startswith(prefix))


def usage_of(pids: Mapping[str, int]) -> Usage:
    """Return the usage of each process, including its children."""
    usage = Usage()
    for name, pid in pids.items():
        try:
            parent = psutil.Process(pid)
            family = [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
        usage.cpu[name] = sum(map(_cpu, family))
        usage.writes[name] = sum(_writes(process.pid) for process in family)
        usage.resident[name] = sum(map(_resident, family))
    return usage


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _writes(pid: int) -> int:
    """Return Linux's `syscw`, the calls of write and writev, which uvloop uses to send. 0 on other systems."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("syscw")), 0)
