"""The stack of deploy/ec2 on a swarm of this one machine, with its stores as containers."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from engine import docker, open_files, wait_until
from leftovers import owned_name
from measurements import record

from shared.testing.servers import free_port

CHECKOUT = Path(__file__).parents[1]
EC2 = CHECKOUT / "deploy" / "ec2"
SERVICES = ("auth", "social", "rooms", "media", "chat-gateway")
EDGE = ("nginx",)
_OF_TESTS = "webchat.tests"


class Swarm:
    """One stack; `name` is also the version of its images and secrets."""

    def __init__(self, name: str, port: int) -> None:
        self.name, self.url = name, f"http://127.0.0.1:{port}"

    def service(self, name: str) -> dict[str, Any]:
        [service] = json.loads(docker("service", "inspect", f"{self.name}_{name}"))
        return dict(service)

    def container(self, name: str) -> dict[str, Any]:
        """Return the specification of a service's containers."""
        return dict(self.service(name)["Spec"]["TaskTemplate"]["ContainerSpec"])

    def running(self, name: str) -> list[str]:
        """Return the images of a service's running and healthy tasks."""
        form = "{{.CurrentState}} {{.Image}}"
        tasks = docker("service", "ps", "--filter", "desired-state=running", "--format", form, f"{self.name}_{name}")
        return [task.split()[-1] for task in tasks.splitlines() if task.startswith("Running")]

    def is_up(self) -> bool:
        wanted = {"nginx": 1, "ops": 1, **dict.fromkeys(SERVICES, 2)}
        return all(len(self.running(name)) == number for name, number in wanted.items())

    def update(self, name: str, *words: str) -> None:
        """Start an update; `state_of_update` returns its state."""
        docker("service", "update", "--detach", "--no-resolve-image", *words, f"{self.name}_{name}")

    def state_of_update(self, name: str) -> str:
        return str(self.service(name).get("UpdateStatus", {}).get("State"))

    def newer_image(self, name: str) -> str:
        """Build another version of a service."""
        tag = f"webchat/{name}:{self.name}-next"
        docker("build", "--quiet", "--tag", tag, "-", given=f"FROM webchat/{name}:{self.name}\nLABEL version=next\n")
        return tag

    def describe(self) -> str:
        """Return the state and the logs of its tasks, for the report of a failure."""
        tasks = docker("stack", "ps", "--no-trunc", "--format", "{{.Name}} {{.CurrentState}} {{.Error}}", self.name)
        logs = (docker("service", "logs", "--tail", "10", f"{self.name}_{name}") for name in (*SERVICES, "ops", *EDGE))
        return "\n".join([tasks, *logs])


def answers(url: str) -> bool:
    """Return whether a request passes through nginx and a service to its database."""
    try:
        return httpx.get(f"{url}/api/social/profiles/me", timeout=5).status_code == 401
    except httpx.HTTPError:
        return False


def _is_swarm() -> bool:
    return docker("info", "--format", "{{.Swarm.LocalNodeState}}") == "active"


def _join_swarm() -> None:
    """Make this machine a swarm, unless it already is in one. A label says that tests did it."""
    if not _is_swarm():
        docker("swarm", "init", "--advertise-addr", "127.0.0.1")
        node = docker("info", "--format", "{{.Swarm.NodeID}}")
        docker("node", "update", "--label-add", f"{_OF_TESTS}=yes", node)


def leave_swarm() -> None:
    """Leave the swarm that tests made. This breaks the engine's DNS for containers that run meanwhile."""
    if _is_swarm() and _OF_TESTS in docker("node", "inspect", "--format", "{{.Spec.Labels}}", "self"):
        docker("swarm", "leave", "--force")


def _build(name: str, env_file: Path) -> None:
    with env_file.open("a") as file:
        file.write(f"WEBCHAT_VERSION={name}\n")
    compose = ["compose", "--project-name", name, "--env-file", str(env_file), "--file", str(CHECKOUT / "compose.yaml")]
    docker(*compose, "build", "--quiet", seconds=900)


def _remove(name: str) -> None:
    """Remove the stack, and once its containers are gone, their data, secrets and images."""
    docker("stack", "rm", "--detach=true", name)  # without detaching it may wait forever, although everything is gone
    ours = f"label=com.docker.stack.namespace={name}"
    wait_until(lambda: not docker("ps", "--all", "--quiet", "--filter", ours), "the stack's end", 120)
    for volume in docker("volume", "ls", "--quiet", "--filter", ours).split():
        docker("volume", "rm", volume)
    for secret in docker("secret", "ls", "--quiet", "--filter", "name=webchat_", "--format", "{{.Name}}").split():
        if secret.endswith(f"_{name}"):
            docker("secret", "rm", secret)
    images = docker("image", "ls", "--filter", "reference=webchat/*", "--format", "{{.Repository}}:{{.Tag}}").split()
    docker("image", "rm", *(image for image in images if image.partition(":")[2].startswith(name)))


@contextmanager
def swarm(folder: Path) -> Iterator[Swarm]:
    port, env_file, settings = free_port(), folder / ".env", folder / "settings.env"
    name = f"{owned_name('ec2')}-{port}"
    make_env = [sys.executable, str(CHECKOUT / "deploy" / "make_env.py"), str(env_file)]
    subprocess.run(make_env, check=True, stdout=subprocess.DEVNULL)
    with env_file.open("a") as file:
        file.write(f"REDIS_PASSWORD={secrets.token_hex(32)}\n")
    settings.write_text("RATE_LIMITS=off\nDEBUG=false\n")
    choice = {"SETTINGS": str(settings), "SECRETS_VERSION": name, "WEBCHAT_VERSION": name, "HTTP_PORT": str(port)}
    choice |= {"HTTPS_PORT": str(free_port()), "DRAIN_SECONDS": "2", "START_PERIOD": "20s"}
    choice |= {"OPEN_FILES": str(open_files())}
    stack = Swarm(name, port)
    with ExitStack() as undo:
        _join_swarm()
        undo.callback(_remove, name)
        _build(name, env_file)
        started = time.monotonic()
        subprocess.run([EC2 / "secrets.sh", env_file, name, "stores"], check=True, stdout=subprocess.DEVNULL)
        files = ("--compose-file", str(EC2 / "stack.yaml"), "--compose-file", str(EC2 / "stores.yaml"))
        deploy = ("stack", "deploy", "--detach=true", "--resolve-image", "never")
        docker(*deploy, *files, name, env=os.environ | choice)
        try:
            wait_until(stack.is_up, "all replicas", 300)
            wait_until(lambda: answers(stack.url), "an answer", 30)
        except AssertionError:
            print(stack.describe())
            raise
        record(f"the stack on a swarm, with stores, is up after {time.monotonic() - started:.1f} s")
        yield stack
