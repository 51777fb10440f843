"""Leftovers of aborted runs on the engine are removed by the next run; those of live runs stay."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import Containers
from engine import docker
from leftovers import is_left, owned_name, remove

IMAGE = "redis:8"


@pytest.fixture
def ended() -> int:
    """The ID of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def project(ended: int, tmp_path: Path) -> Iterator[str]:
    """A compose project of that process, with a container, a volume and a network."""
    name = f"webchat-e2e-{ended}-1"
    file = tmp_path / "compose.yaml"
    file.write_text(
        f"services: {{one: {{image: '{IMAGE}', restart: always, volumes: ['kept:/data']}}}}\nvolumes: {{kept: }}\n"
    )
    docker("compose", "--project-name", name, "--file", str(file), "up", "--detach")
    yield name
    docker("compose", "--project-name", name, "--file", str(file), "down", "--volumes", "--timeout", "1")


def things_of(project: str) -> list[str]:
    ours = f"label=com.docker.compose.project={project}"
    return [thing for kind in ("container", "volume", "network") for thing in _list(kind, ours)]


def _list(kind: str, ours: str) -> list[str]:
    every = ["--all"] if kind == "container" else []
    return docker(kind, "ls", "--quiet", *every, "--filter", ours).split()


def test_a_project_of_an_ended_run_is_removed(project: str):
    assert len(things_of(project)) == 3
    assert project in remove()
    assert things_of(project) == []


def test_projects_of_live_runs_and_of_others_stay(ended: int):
    assert not is_left(f"{owned_name('e2e')}-8080")
    assert not is_left("webchat")
    assert not is_left(f"somebody-e2e-{ended}-1")
    assert is_left(f"webchat-ec2-{ended}-8080")


def test_a_container_that_is_not_running_has_no_process(tmp_path: Path):
    project = f"{owned_name('e2e')}-0"
    docker("create", "--name", f"{project}-redis-1", IMAGE)
    try:
        assert Containers("", tmp_path, project).running_pid("valkey") is None
    finally:
        docker("rm", f"{project}-redis-1")
