"""The container engine through its command line."""

import resource
import subprocess
import time
from collections.abc import Callable

MOST_FILES = 65_536


def docker(*words: str, given: str = "", env: dict[str, str] | None = None, seconds: float = 300) -> str:
    """Run a docker command and return its output. A failure contains all that it printed."""
    command = ["docker", *words]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=seconds, env=env)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def open_files() -> int:
    """Return the limit of open files for a container: at most that of this machine."""
    return min(MOST_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def wait_until(check: Callable[[], object], what: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.2)
