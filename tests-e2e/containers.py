"""The stack in containers: compose.yaml as operators have it, and what `compose.e2e.yaml` opens for the tests."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

import pymysql
from dotenv import dotenv_values
from engine import docker, open_files
from leftovers import owned_name
from pytest_docker.plugin import get_docker_services
from redis import Redis
from stack import Stack

from shared.testing.plugin import note_start
from shared.testing.servers import free_port

CHECKOUT = Path(__file__).parents[1]
NAMES = {"valkey": "redis", "s3": "storage"}
"""Parts that the embedded stack calls otherwise."""
HOST = "host.docker.internal"


class Containers(Stack):
    """One compose project. Processes are signalled from outside, as a crash would be: the engine brings them back."""

    def __init__(self, url: str, data: Path, project: str) -> None:
        super().__init__(url, data)
        self.project = project
        self.command = ["docker", "compose", *_options(data), "--project-name", project]

    def compose(self, *words: str, seconds: float = 120) -> str:
        done = subprocess.run(
            [*self.command, *words], capture_output=True, text=True, check=False, timeout=seconds, cwd=CHECKOUT
        )
        assert done.returncode == 0, f"docker compose {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def describe(self) -> str:
        """How the containers are, and what they said last."""
        return self.compose("ps", "--all") + self.compose("logs", "--tail", "10")

    def as_variables(self) -> dict[str, str]:
        """What makes `docker compose` speak of this project."""
        files = ":".join(word.removeprefix("--file=") for word in self.command if word.startswith("--file="))
        return {
            "COMPOSE_ENV_FILES": str(self.data / ".env"),
            "COMPOSE_FILE": files,
            "COMPOSE_PROJECT_NAME": self.project,
        }

    def logs(self) -> dict[str, str]:
        """What each service has written so far; asked of the engine, for compose adds signs of its own."""
        texts: dict[str, str] = {}
        for line in self.compose("ps", "--all", "--format", "{{.ID}} {{.Service}}").splitlines():
            container, name = line.split()
            command = ["docker", "logs", container]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
            texts[name] = texts.get(name, "") + done.stdout
        return texts

    def replicas(self, service: str) -> list[str]:
        """Ids of the running containers of a service."""
        return self.compose("ps", "--quiet", service).split()

    def pid(self, name: str) -> int:
        """`rooms` is the first of its replicas; `rooms-2` the second."""
        name = NAMES.get(name, name)
        return pid_of(f"{self.project}-{name if name[-1].isdigit() else f'{name}-1'}")

    def port(self, name: str) -> int:
        inside = {"valkey": "6379", "database": "3306"}.get(name, "8000")
        return int(self.compose("port", NAMES.get(name, name), inside).rpartition(":")[2])

    def redis(self) -> Redis:
        return Redis(host="127.0.0.1", port=self.port("valkey"))

    def operate(self, service: str, *words: str) -> str:
        return self.compose("exec", "--no-TTY", service, "webchat", *words)

    @contextmanager
    def holding_rooms(self) -> Iterator[None]:
        """Another session holds every room's row while the block runs."""
        password = dotenv_values(self.data / ".env")["DB_ROOT_PASSWORD"]
        address = {"host": "127.0.0.1", "port": self.port("database")}
        with closing(pymysql.connect(**address, user="root", password=password, database="webchat_rooms")) as holder:
            cursor = holder.cursor()
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")  # with gaps: no new one either
            cursor.execute("SELECT id FROM room FOR UPDATE")
            yield
            holder.rollback()


def pid_of(container: str) -> int:
    return int(docker("inspect", "--format", "{{.State.Pid}}", container))


def listen_address() -> str:
    """Where a server of the tests is reached from containers as `HOST`."""
    return docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")


def _options(data: Path) -> list[str]:
    files = (CHECKOUT / "compose.yaml", CHECKOUT / "tests-e2e" / "compose.e2e.yaml")
    return [f"--env-file={data / '.env'}", *(f"--file={file}" for file in files)]


def _settings(data: Path, port: int, settings: dict[str, str]) -> None:
    data.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, CHECKOUT / "deploy" / "make_env.py", data / ".env"], check=True, stdout=subprocess.DEVNULL
    )
    chosen = {
        "WEBCHAT_BIND": "127.0.0.1",
        "HTTP_PORT": str(port),
        "HTTPS_PORT": str(free_port()),
        "OPEN_FILES": str(open_files()),
        "RATE_LIMITS": "off",
        "DRAIN_SECONDS": "2",
        "CANARY_REPLICAS": "0",
    } | settings
    with (data / ".env").open("a") as file:
        file.writelines(f"{name}={value}\n" for name, value in chosen.items())


_built: list[str] = []


def _build_images(stack: Containers) -> None:
    """Build the images for the first project of this process; the others find them by their tags."""
    if not _built:
        stack.compose("build", "--quiet", seconds=900)
        _built.append(stack.project)


@contextmanager
def containers(data: Path, **settings: str) -> Iterator[Containers]:
    """A project of its own, with images of this checkout; its volumes go with it."""
    note_start("compose project")
    port = free_port()
    _settings(data, port, settings)
    stack = Containers(f"http://127.0.0.1:{port}", data, f"{owned_name('e2e')}-{port}")
    env_file, *files = _options(data)
    with ExitStack() as undo:
        undo.callback(stack.compose, "down", "--volumes", "--timeout", "20")
        undo.push(partial(_tell_logs, stack))
        _build_images(stack)
        services = get_docker_services(
            f"docker compose {env_file}",
            [file.removeprefix("--file=") for file in files],
            stack.project,
            "up --detach --wait",
            "",
        )
        undo.enter_context(services)
        yield stack


def _tell_logs(stack: Containers, error: type[BaseException] | None, *_: object) -> None:
    """What the containers said last, where the tests could not begin."""
    if error is not None:
        print(stack.describe())


def running_image(stack: Containers, service: str) -> str:
    [container, *_] = stack.replicas(service)
    return docker("inspect", "--format", "{{.Image}}", container)


def is_healthy(container: str) -> bool:
    return docker("inspect", "--format", "{{.State.Health.Status}}", container) == "healthy"
