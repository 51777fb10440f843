"""The command line of a data service: `python -m <service>` serves, `python -m <service> <command>` runs a command."""

import gc
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from fastapi import FastAPI

from shared.database.migrations import run_migrations
from shared.logging.setup import audit_operation
from shared.settings import Settings
from shared.web.app import run_app

S = TypeVar("S", bound=Settings)


def run_command(
    settings: S,
    create_app: Callable[[S], FastAPI],
    migrations: Path,
    commands: Mapping[str, Callable[[S], str]] | None = None,
) -> None:
    """Serve, or run the command that the arguments name and print its result. `commands` are the service's own."""
    jobs = {"migrate": lambda settings: run_migrations(settings, migrations), **(commands or {})}
    match sys.argv[1:]:
        case []:
            run_app(create_app(settings), settings)
        case [name] if name in jobs:
            gc.enable()  # shared.startup disabled it
            sys.stdout.write(f"{jobs[name](settings)}\n")
            if name != "migrate":  # it runs before every start
                audit_operation(settings, name)
        case _:
            sys.exit(f"usage: python -m {settings.service} [{' | '.join(jobs)}]")
