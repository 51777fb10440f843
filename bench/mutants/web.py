"""Bugs in the web client's core, planted by Stryker in a copy of the checkout."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.mutants.outcome import Mutant

_MISSED = {"Survived", "NoCoverage"}
_COUNTED = {"Killed", "Timeout", *_MISSED}


def plant(root: Path, mutate: list[str]) -> list[Mutant]:
    """Return all planted bugs of files in `web`, with their outcomes."""
    web = root / "web"
    report = web / "node_modules" / ".cache" / "mutants.json"
    settings = {
        "testRunner": "vitest", "coverageAnalysis": "perTest", "inPlace": True, "concurrency": 1,
        "disableTypeChecks": False, "mutate": mutate, "vitest": {"related": False},
        "reporters": ["progress-append-only", "json"], "jsonReporter": {"fileName": str(report)},
    }  # fmt: skip
    (web / "stryker.config.json").write_text(json.dumps(settings))
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(["npm", "run", "--silent", "types"], cwd=web, env=environment, check=True)
    subprocess.run(["npx", "stryker", "run"], cwd=web, env=environment, check=True)
    return list(_outcomes(json.loads(report.read_text())["files"]))


def _outcomes(files: dict[str, dict[str, object]]) -> Iterator[Mutant]:
    for name, file in files.items():
        lines = str(file["source"]).splitlines()
        for mutant in file["mutants"]:  # type: ignore[attr-defined]
            if mutant["status"] in _COUNTED:
                number = mutant["location"]["start"]["line"]
                noticed = mutant["status"] not in _MISSED
                yield Mutant(f"web/{name}", number, lines[number - 1].strip(), mutant["mutatorName"], noticed)
