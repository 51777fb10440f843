"""`python -m bench`: run the scenes and write the report. The exit status is 0 even if aims are not met."""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from bench import speed
from bench.aims import OURS, PEERS, Outcome, outcomes_of
from bench.cores import LOADING, allow_sockets, leave_unpinned, pin
from bench.machine import machine
from bench.plots import draw
from bench.run import LONG, OTHERS, SCENES, Plan, run_all
from bench.size import FULL, QUICK
from bench.tables import markdown

REPORT = Path(__file__).parent / "report"
PARTIAL = REPORT / "partial"


def main() -> None:
    chosen = _options().parse_args()
    scenes = chosen.only or [scene for scene in SCENES if chosen.all or scene not in LONG]
    is_whole = not (chosen.only or chosen.without)
    folder = chosen.report or (REPORT if is_whole else PARTIAL)
    allow_sockets()
    if chosen.quick:
        leave_unpinned()
    began = time.monotonic()
    described = machine(quick=chosen.quick)
    pin(LOADING)
    rounds = 1 if chosen.quick else speed.ROUNDS
    before = speed.loop_cpu_s(rounds)
    with tempfile.TemporaryDirectory(prefix="webchat-bench-", ignore_cleanup_errors=True) as data:
        others = [server for server in OTHERS if server not in chosen.without]
        found = uvloop.run(run_all(Plan(QUICK if chosen.quick else FULL, scenes, others, Path(data))))
    machine_speed = {"before_cpu_s": before, "after_cpu_s": speed.loop_cpu_s(rounds)}
    _write(folder, {"machine": described, "machine_speed": machine_speed} | found)
    print(f"{time.monotonic() - began:.0f} s in total; {os.path.relpath(folder)}/report.md")


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    scenes = options.add_mutually_exclusive_group()
    long = " and ".join(LONG)
    scenes.add_argument(
        "--only", nargs="+", choices=SCENES, metavar="SCENE", help=f"only these of: {', '.join(SCENES)}"
    )
    scenes.add_argument(
        "--all", action="store_true", help=f"also the long scenes, {long}, which take some minutes more"
    )
    options.add_argument(
        "--without", nargs="+", choices=OTHERS, metavar="SERVER", default=(),
        help=f"leave these out of: {', '.join(OTHERS)}",
    )  # fmt: skip
    options.add_argument("--quick", action="store_true", help="take a few seconds; the figures mean nothing")
    options.add_argument(
        "--report",
        type=Path,
        help="folder for the report; bench/report, or its folder partial if something is left out",
    )
    return options


def _write(folder: Path, found: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    aims = [_as_json(outcome) for outcome in outcomes_of(found)]
    (folder / "report.json").write_text(json.dumps(found | {"aims": aims}, indent=1) + "\n")
    (folder / "report.md").write_text(markdown(found))
    draw(found, folder)


def _as_json(outcome: Outcome) -> dict[str, Any]:
    aim = outcome.aim
    return {
        "figure": aim.what,
        "unit": aim.unit,
        "limit": aim.limit,
        "at_most": aim.at_most,
        "found": outcome.figures,
        "met": {server: outcome.is_met(server) for server in OURS if server in outcome.figures},
        "ratio": {peer: outcome.ratio(peer) for peer in PEERS},
    }


if __name__ == "__main__":
    main()
