"""The stack in containers: compose.yaml as operators use it, with `compose.e2e.yaml` for access by the tests."""

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
"""Service names that differ from the embedded stack's."""
HOST = "host.docker.internal"


class Containers(Stack):
    """One compose project. Processes are signalled from outside, like a crash, so the engine restarts them."""

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
        """Return the state of the containers and their last log lines."""
        return self.compose("ps", "--all") + self.compose("logs", "--tail", "10")

    def as_variables(self) -> dict[str, str]:
        """Return the variables that select this project for `docker compose`."""
        files = ":".join(word.removeprefix("--file=") for word in self.command if word.startswith("--file="))
        return {
            "COMPOSE_ENV_FILES": str(self.data / ".env"),
            "COMPOSE_FILE": files,
            "COMPOSE_PROJECT_NAME": self.project,
        }

    def logs(self) -> dict[str, str]:
        """Return each service's log so far, from the engine, because compose adds prefixes."""
        texts: dict[str, str] = {}
        for line in self.compose("ps", "--all", "--format", "{{.ID}} {{.Service}}").splitlines():
            container, name = line.split()
            command = ["docker", "logs", container]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
            texts[name] = texts.get(name, "") + done.stdout
        return texts

    def replicas(self, service: str) -> list[str]:
        """Return the IDs of the running containers of a service."""
        return self.compose("ps", "--quiet", service).split()

    def running_pid(self, name: str) -> int | None:
        """Return the process ID. `rooms` is the first of its replicas; `rooms-2` the second."""
        name = NAMES.get(name, name)
        container = f"{self.project}-{name if name[-1].isdigit() else f'{name}-1'}"
        return int(docker("inspect", "--format", "{{.State.Pid}}", container)) or None

    def port(self, name: str) -> int:
        inside = {"valkey": "6379", "database": "3306"}.get(name, "8000")
        return int(self.compose("port", NAMES.get(name, name), inside).rpartition(":")[2])

    def redis(self) -> Redis:
        return Redis(host="127.0.0.1", port=self.port("valkey"))

    def operate(self, service: str, *words: str) -> str:
        return self.compose("exec", "--no-TTY", service, "webchat", *words)

    @contextmanager
    def holding_rooms(self) -> Iterator[None]:
        """Lock every room's row in another session while the block runs."""
        password = dotenv_values(self.data / ".env")["DB_ROOT_PASSWORD"]
        assert password is not None
        server = pymysql.connect(
            host="127.0.0.1", port=self.port("database"), user="root", password=password, database="webchat_rooms"
        )
        with closing(server) as holder:
            cursor = holder.cursor()
            cursor.execute(
                "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"
            )  # with gap locks, so that no room is added
            cursor.execute("SELECT id FROM room FOR UPDATE")
            yield
            holder.rollback()


def listen_address() -> str:
    """Return the address on which a server of the tests must listen, so that containers reach it as `HOST`."""
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


def build_images(folder: Path) -> None:
    """Build the images of this checkout; projects find them by their tags."""
    _settings(folder, free_port(), {})
    command = ["docker", "compose", *_options(folder), "build", "--quiet"]
    subprocess.run(command, check=True, timeout=900, cwd=CHECKOUT)


@contextmanager
def containers(data: Path, **settings: str) -> Iterator[Containers]:
    """Run a separate project with the images of `build_images`. Its volumes are removed at the end."""
    note_start("compose project")
    port = free_port()
    _settings(data, port, settings)
    stack = Containers(f"http://127.0.0.1:{port}", data, f"{owned_name('e2e')}-{port}")
    env_file, *files = _options(data)
    with ExitStack() as undo:
        undo.callback(stack.compose, "down", "--volumes", "--timeout", "20")
        undo.push(partial(_print_logs, stack))
        services = get_docker_services(
            f"docker compose {env_file}",
            [file.removeprefix("--file=") for file in files],
            stack.project,
            "up --detach --wait",
            "",
        )
        undo.enter_context(services)
        yield stack


def _print_logs(stack: Containers, error: type[BaseException] | None, *_: object) -> None:
    """Print the containers' last log lines if the start failed."""
    if error is not None:
        print(stack.describe())


def running_image(stack: Containers, service: str) -> str:
    [container, *_] = stack.replicas(service)
    return docker("inspect", "--format", "{{.Image}}", container)


def is_healthy(container: str) -> bool:
    """Return whether a container runs and is healthy. One that was killed keeps its last health until it restarts."""
    state = docker("inspect", "--format", "{{.State.Running}} {{.State.Health.Status}}", container)
    return state == "true healthy"
