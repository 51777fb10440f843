"""A target for faults: the running containers of compose.yaml."""

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from containers import CHECKOUT, Containers
from engine import docker
from stack import Stack

from chaos.targets import NO_DISK, NO_PROXY, ONE_VALKEY, CannotUse, Target, container_of, without_disk

HTTP_PORT = "8080"
"""nginx's port inside its container."""


class Project(Containers):
    """The compose project of the checkout."""

    def __init__(self) -> None:
        Stack.__init__(self, "", CHECKOUT)
        self.command = ["docker", "compose"]
        try:
            configuration = json.loads(self.compose("config", "--format", "json"))
            self.project, self.services = str(configuration["name"]), frozenset(configuration["services"])
        except (AssertionError, FileNotFoundError) as error:
            raise CannotUse(f"compose.yaml cannot be read: {error}") from error

    def find(self) -> None:
        """Find the address of nginx. Raises CannotUse if the containers do not run."""
        try:
            address = self.compose("port", "nginx", HTTP_PORT).strip()
        except AssertionError as error:
            raise CannotUse(f"no containers of compose.yaml run here: {error}") from error
        self.url = f"http://127.0.0.1:{address.rpartition(':')[2]}"

    def ask(self, service: str, command: str) -> str:
        """Run a shell command in a container and return its output."""
        return self.compose("exec", "--no-TTY", service, "sh", "-c", command)

    @contextmanager
    def holding_rooms(self) -> Iterator[None]:
        """Lock every room's row and the gaps between them in another session while the block runs."""
        program = "exec $(command -v mariadb || command -v mysql)"
        client = f'{program} -uroot -p"$MYSQL_ROOT_PASSWORD" -B -N -n webchat_rooms'
        command = [*self.command, "exec", "--no-TTY", "database", "sh", "-c", client]
        statements = (
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION;"
            " SELECT COUNT(*) FROM (SELECT id FROM room FOR UPDATE) AS held; SELECT 'held';\n"
        )
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT
        ) as holder:
            assert holder.stdin is not None
            assert holder.stdout is not None
            holder.stdin.write(statements)
            holder.stdin.flush()
            for line in holder.stdout:
                if line.strip() == "held":
                    break
            else:
                raise AssertionError("the database's client ended before it held the rows")
            yield
            holder.stdin.close()  # the client ends, which rolls its transaction back


class Composed(Target):
    """Containers. Processes are killed from outside, like a crash, so the engine restarts them."""

    stack: Project

    def __init__(self, stack: Project) -> None:
        lacks = {"proxy": NO_PROXY, "cluster": ONE_VALKEY, "clock": "containers have the clock of this machine"}
        if os.geteuid() != 0:
            lacks["kill"] = "only root can kill a container's process from outside"
        for need, service in (("valkey", "redis"), ("database", "database")):
            if service not in stack.services:
                lacks[need] = f"{service} is elsewhere"
        super().__init__(stack, lacks | without_disk(NO_DISK))

    async def restart(self, name: str) -> None:
        pid = await asyncio.to_thread(self.stack.pid, name)
        await asyncio.to_thread(docker, "restart", container_of(self.stack, name))
        await self.restarted(name, pid)

    @contextmanager
    def paused(self, name: str) -> Iterator[None]:
        docker("pause", container_of(self.stack, name))
        try:
            yield
        finally:
            docker("unpause", container_of(self.stack, name))

    def empty_valkey(self) -> None:
        self.stack.ask("redis", "redis-cli FLUSHALL")


def composed() -> Composed:
    project = Project()
    project.find()
    return Composed(project)
