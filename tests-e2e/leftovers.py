"""Remove leftovers of aborted test runs from the engine: `python leftovers.py`.

The names of a run's compose projects, swarm stacks and containers contain the ID of its process. Those of live
processes are kept. Without this, the engine would restart the leftovers with the machine.
"""

import os
import re
import subprocess
import sys

from engine import docker

_OWNED = re.compile(r"webchat-(?:e2e|ec2|mysql)-(?P<process>\d+)\b")
_PROJECT = "com.docker.compose.project"
_STACK = "com.docker.stack.namespace"


def owned_name(kind: str) -> str:
    """Return the prefix of the names that this run's process owns, such as `webchat-e2e-4711`."""
    return f"webchat-{kind}-{os.getpid()}"


def is_left(name: str) -> bool:
    """Return whether a name belongs to a run whose process has ended."""
    found = _OWNED.match(name)
    if found is None:
        return False
    try:
        os.kill(int(found["process"]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def remove() -> list[str]:
    """Remove everything of ended runs. Returns the names of projects, stacks and containers."""
    removed = [*_remove_stacks(), *_remove_labelled(_PROJECT), *_remove_labelled(_STACK), *_remove_containers()]
    return sorted(set(removed))


def _lines(*words: str) -> list[str]:
    return docker(*words).split()


def _remove_stacks() -> list[str]:
    if docker("info", "--format", "{{.Swarm.LocalNodeState}}") != "active":
        return []
    left = [name for name in _lines("stack", "ls", "--format", "{{.Name}}") if is_left(name)]
    for name in left:
        docker("stack", "rm", "--detach=true", name)
    secrets = _lines("secret", "ls", "--format", "{{.Name}}")
    for secret in (one for one in secrets if is_left(one.rpartition("_")[2])):
        _try("secret", "rm", secret)
    return left


def _remove_labelled(label: str) -> list[str]:
    """Remove containers first, then the volumes and networks that they used."""
    removed = []
    for kind, listed, removal in (
        ("container", ["ls", "--all"], ["rm", "--force", "--volumes"]),
        ("volume", ["ls"], ["rm", "--force"]),
        ("network", ["ls"], ["rm"]),
    ):
        identity = "{{.Name}}" if kind == "volume" else "{{.ID}}"
        form = f'{identity} {{{{.Label "{label}"}}}}'
        rows = docker(kind, *listed, "--filter", f"label={label}", "--format", form).splitlines()
        for thing, owner in (row.split() for row in rows):
            if is_left(owner):
                _try(kind, *removal, thing)
                removed.append(owner)
    return removed


def _remove_containers() -> list[str]:
    left = [name for name in _lines("container", "ls", "--all", "--format", "{{.Names}}") if is_left(name)]
    for name in left:
        _try("rm", "--force", "--volumes", name)
    return left


def _try(*words: str) -> None:
    """Remove something. It may already be gone or still be in use; the next run tries again."""
    subprocess.run(["docker", *words], check=False, capture_output=True)


if __name__ == "__main__":
    for name in remove():
        print(f"removed {name} of an ended run")
    sys.exit(0)
