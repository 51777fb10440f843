"""Internal ports: free ones below the kernel's ephemeral range, reused at the next start."""

import json
import random
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

from embedded.failures import CannotRun

LOWEST = 20_000
RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
LINUX_EPHEMERAL = 32_768


def is_free(port: int) -> bool:
    return why_taken(port) is None


def why_taken(port: int) -> OSError | None:
    """Return the error of listening on the port of 127.0.0.1, or None."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error
    return None


def check_public_port(port: int) -> None:
    if (error := why_taken(port)) is not None:
        raise CannotRun(f"port {port} of 127.0.0.1 cannot be used ({error.strerror}): set WEBCHAT_PORT to another one")


def choose(file: Path, sizes: Mapping[str, int]) -> dict[str, int]:
    """Return a port for each process, the first of `sizes[process]` free ones in a row. Prefers those in the file."""
    kept = _read(file)
    taken: set[int] = set()
    chosen: dict[str, int] = {}
    for name, size in sizes.items():
        candidates = [kept[name]] if name in kept else []
        chosen[name] = _first_free([*candidates, *_random_ports()], size, taken)
        taken.update(range(chosen[name], chosen[name] + size))
    file.write_text(json.dumps(chosen, indent=2) + "\n")
    return chosen


def _first_free(candidates: list[int], size: int, taken: set[int]) -> int:
    for first in candidates:
        row = range(first, first + size)
        if taken.isdisjoint(row) and all(map(is_free, row)):
            return first
    raise CannotRun("no free ports below the ephemeral range on this machine")


def _read(file: Path) -> dict[str, int]:
    if not file.exists():
        return {}
    content = json.loads(file.read_text())
    return {str(name): int(port) for name, port in content.items()}


def _random_ports() -> Iterator[int]:
    """Return candidates in random order, so that two instances that start at once do not try the same ones."""
    highest = int(RANGE_FILE.read_text().split()[0]) if RANGE_FILE.exists() else LINUX_EPHEMERAL
    for _ in range(1_000):
        yield random.randrange(LOWEST, max(highest, LOWEST + 1_000) - 100)  # noqa: S311 - a port is no secret
