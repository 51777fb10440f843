"""Run an operator's command of one service, in the environment that the service has in this instance."""

import json
import subprocess

from embedded import credentials
from embedded.failures import CannotRun
from embedded.folder import DataFolder
from embedded.programs import Stack, list_services
from embedded.settings import Settings


def operate(settings: Settings, service: str, words: list[str]) -> int:
    """Run `python -m <service> <words>` and return its exit status. The instance need not be running."""
    folder = DataFolder(settings.data)
    try:
        ports = json.loads((folder.run / "ports.json").read_text())
    except OSError as error:
        raise CannotRun(f"{folder.path} holds no instance: start one with `make run`") from error
    secrets = credentials.complete(settings.environment, folder.path / "secrets.json")
    programs = {program.name: program for program in list_services(Stack(settings, folder, ports, secrets))}
    if service not in programs:
        raise CannotRun(f"{service!r} is not one of the services {', '.join(programs)}")
    command = [*programs[service].command, *words]
    return subprocess.run(command, env=dict(programs[service].environment), check=False).returncode  # noqa: S603
