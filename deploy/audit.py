"""Look for known vulnerabilities in the locked packages: pip-audit and npm audit, one line for each lock file.

Their data comes from services that are not reachable everywhere, and both tools can succeed without any data. So a line
reports how many packages were compared. Exits with 1 if a vulnerability is known, and with 0 if none is or if the data
is out of reach, which the line says.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
PIP_AUDIT = "pip-audit==2.10.1"
"""uv installs it outside the virtual environment, so nothing else depends on its thirty packages."""
NPM_LOCKS = ("web/package-lock.json", "bench/socketio/package-lock.json")
PATIENCE_S = 180


class Result(NamedTuple):
    compared: int
    vulnerable: list[str]
    """Packages with the identifiers of their vulnerabilities."""
    failure: str = ""
    """Why the data could not be read."""


def run(command: list[str], folder: Path) -> tuple[str, str]:
    """Return what a tool writes to standard output, and the last line of its errors."""
    binaries = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
    try:
        done = subprocess.run(  # noqa: S603 - commands of this file
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
    except FileNotFoundError:
        return "", f"{command[0]} is not installed"
    except subprocess.TimeoutExpired:
        return "", f"no answer within {PATIENCE_S} s"
    return done.stdout, next(reversed(done.stderr.strip().splitlines()), "")


def pip_result(output: str, error: str) -> Result:
    report = _parsed(output)
    if "dependencies" not in report:
        return Result(0, [], error or "no report")
    compared = [one for one in report["dependencies"] if "skip_reason" not in one]
    bad = [f"{one['name']} {one['version']} ({_ids(one['vulns'])})" for one in compared if one["vulns"]]
    skipped = len(report["dependencies"]) - len(compared)
    return Result(len(compared), bad, f"{skipped} packages are unknown to the service" if skipped else "")


def npm_result(output: str, error: str) -> Result:
    report = _parsed(output)
    if "metadata" not in report:
        return Result(0, [], str(report.get("message") or error or "no report"))
    bad = [f"{name} ({one['severity']})" for name, one in report["vulnerabilities"].items()]
    return Result(report["metadata"]["dependencies"]["total"], bad)


def _parsed(output: str) -> dict[str, Any]:
    try:
        report = json.loads(output)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def _ids(vulnerabilities: list[dict[str, Any]]) -> str:
    return ", ".join(sorted(one["id"] for one in vulnerabilities))


def audit_python() -> Result:
    tool = ["uv", "tool", "run", "--quiet", "--from", PIP_AUDIT, "pip-audit"]
    options = ["--requirement", "requirements.lock", "--require-hashes", "--disable-pip", "--format", "json",
               "--progress-spinner", "off"]  # fmt: skip
    return pip_result(*run([*tool, *options], ROOT))


def audit_npm(lock: str) -> Result:
    return npm_result(*run(["npm", "audit", "--package-lock-only", "--json"], (ROOT / lock).parent))


def date_of(lock: str) -> str:
    """Return the day of the last commit that changed the lock file."""
    return run(["git", "log", "-1", "--format=%cs", "--", lock], ROOT)[0].strip() or "an unknown day"


def line(lock: str, day: str, result: Result) -> str:
    pinned = f"{lock}, pinned on {day}"
    if result.vulnerable:
        return f"{pinned}: VULNERABLE: {'; '.join(result.vulnerable)}"
    if result.failure:
        return f"{pinned}: NOT AUDITED, {result.compared} packages compared: {result.failure}"
    return f"{pinned}: nothing known about {result.compared} packages"


def report(results: dict[str, Result]) -> int:
    """Print a line for each lock file, and return the exit status."""
    for lock, result in results.items():
        print(line(lock, date_of(lock), result))
    return 1 if any(result.vulnerable for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(report({"requirements.lock": audit_python()} | {lock: audit_npm(lock) for lock in NPM_LOCKS}))
