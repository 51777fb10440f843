"""`python -m bench`: run the scenes and write the report. The exit status is 0 even if aims are not met."""

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from bench.aims import aims_of
from bench.cores import LOADING, allow_sockets, is_pinning, leave_unpinned, pin
from bench.plots import draw
from bench.run import SCENES, run_all
from bench.size import FULL, QUICK
from bench.tables import markdown

REPORT = Path(__file__).parent / "report"


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    options.add_argument("--only", choices=SCENES, help="one scene")
    options.add_argument("--quick", action="store_true", help="take a few seconds; the figures mean nothing")
    options.add_argument("--report", type=Path, default=REPORT, help="folder for the report")
    chosen = options.parse_args()
    allow_sockets()
    if chosen.quick:
        leave_unpinned()
    began = time.monotonic()
    machine = _machine(quick=chosen.quick)
    pin(LOADING)
    with tempfile.TemporaryDirectory(prefix="webchat-bench-", ignore_cleanup_errors=True) as folder:
        found = uvloop.run(run_all(QUICK if chosen.quick else FULL, chosen.only, Path(folder)))
    _write(chosen.report, {"machine": machine} | found)
    print(f"{time.monotonic() - began:.0f} s in total; {os.path.relpath(chosen.report)}/report.md")


def _machine(*, quick: bool) -> str:
    """Describe the machine in one line, with its load, so that a reader can judge the figures."""
    model = next((line.partition(": ")[2] for line in _cpuinfo() if line.startswith("model name")), platform.machine())
    pinned = "servers on one core, load on another" if is_pinning() else "nothing pinned"
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    what = "A quick run: its figures mean nothing. " if quick else ""
    return (
        f"{what}{model}, {os.cpu_count()} cores ({pinned}), {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}; load average at the start {load}."
    )


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []


def _write(folder: Path, found: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    aims = [{"aim": aim.what, "limit": aim.limit, "found": aim.found, "met": aim.is_met} for aim in aims_of(found)]
    (folder / "report.json").write_text(json.dumps(found | {"aims": aims}, indent=1) + "\n")
    (folder / "report.md").write_text(markdown(found))
    draw(found, folder)


if __name__ == "__main__":
    main()
