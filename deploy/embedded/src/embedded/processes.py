"""Leftover processes of a program: the members of its process group whose working folder is the data folder.

The kernel reuses pids, so a recorded pid is only trusted together with the group and the working folder. These are
read from `/proc`; on systems other than Linux nothing is found and nothing is ended.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")


def end_group(pid_file: Path, data: Path, number: signal.Signals) -> list[int]:
    """Send the signal to the remaining processes of the group recorded in the file, and return their pids."""
    group = _recorded(pid_file)
    reached = []
    for pid in _members(group, data.resolve()) if group else ():
        try:
            os.kill(pid, number)
            reached.append(pid)
        except ProcessLookupError:
            continue  # it has ended in the meantime
    return reached


def end_all(pids: Path, data: Path, *, grace: float) -> list[str]:
    """End every recorded group: SIGTERM, and SIGKILL after `grace` seconds. Returns the names of the groups found."""
    names = sorted(file.name for file in pids.iterdir())
    found = [name for name in names if end_group(pids / name, data, signal.SIGTERM)]
    _wait_until_gone([pids / name for name in found], data, grace)
    forced = [pids / name for name in found if end_group(pids / name, data, signal.SIGKILL)]
    _wait_until_gone(forced, data, 1)
    for name in names:
        (pids / name).unlink()
    return found


def _wait_until_gone(pid_files: list[Path], data: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(is_alive(file, data) for file in pid_files) and time.monotonic() < deadline:
        time.sleep(0.02)


def is_alive(pid_file: Path, data: Path) -> bool:
    group = _recorded(pid_file)
    return group is not None and any(_members(group, data.resolve()))


def _recorded(pid_file: Path) -> int | None:
    text = pid_file.read_text().strip() if pid_file.exists() else ""
    return int(text) if text.isdigit() else None


def _members(group: int, data: Path) -> Iterator[int]:
    """Return the live processes of the group whose working folder is the data folder or below."""
    if not PROC.is_dir():
        return
    for entry in PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid() and _belongs(entry, group, data):
            yield int(entry.name)


def _belongs(entry: Path, group: int, data: Path) -> bool:
    try:
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
        return int(fields[2]) == group and fields[0] not in "ZX" and (entry / "cwd").readlink().is_relative_to(data)
    except OSError:
        return False  # it has ended in the meantime, or belongs to another user
