"""An operator's command of one service, run with the environment that the service has in this instance."""

import json
import subprocess

from embedded import credentials
from embedded.failures import CannotRun
from embedded.folder import DataFolder
from embedded.parts import Stack, list_services
from embedded.settings import Settings


def operate(settings: Settings, service: str, words: list[str]) -> int:
    """Run `python -m <service> <words>`; returns its exit status. The instance may be running or not."""
    folder = DataFolder(settings.data)
    try:
        ports = json.loads((folder.run / "ports.json").read_text())
    except OSError as error:
        raise CannotRun(f"{folder.path} was never used by `make run`") from error
    secrets = credentials.complete(settings.environment, folder.path / "secrets.json")
    parts = {part.name: part for part in list_services(Stack(settings, folder, ports, secrets))}
    if service not in parts:
        raise CannotRun(f"{service!r} is no service: {', '.join(parts)}")
    command = [*parts[service].command, *words]
    return subprocess.run(command, env=dict(parts[service].environment), check=False).returncode  # noqa: S603
