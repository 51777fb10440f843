"""`python -m embedded status`: the processes of a data folder as JSON."""

import json
from contextlib import closing

from embedded.failures import CannotRun
from embedded.folder import DataFolder
from embedded.settings import Settings
from embedded.supervision import Supervisor


def status(settings: Settings) -> int:
    """Print a list of `name`, `pid`, `state`, `port`. Raises CannotRun if nothing runs."""
    folder = DataFolder(settings.data)
    try:
        with closing(Supervisor(folder)) as supervisor:
            processes = supervisor.processes()
    except OSError as error:
        raise CannotRun(f"no WebChat runs in {folder.path}") from error
    ports = json.loads((folder.run / "ports.json").read_text()) | {"nginx": settings.port}
    rows = [{"name": p.name, "pid": p.pid, "state": p.state, "port": ports[p.name]} for p in processes]
    print(json.dumps(rows, indent=2))
    return 0
