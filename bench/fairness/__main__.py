"""`python -m bench.fairness`: attack the embedded stack in one way after the other, beside ordinary people.

The exit status is 0 if every attack left them their share, 1 if one did not, 2 if nothing could be measured.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvloop

from bench.cores import LOADING, allow_sockets, leave_unpinned, pin
from bench.fairness.attacks import ATTACKS
from bench.fairness.judge import Outcome
from bench.fairness.report import WIDTH, line, markdown, quiet_line, summary
from bench.fairness.trial import FULL, QUICK, try_all
from bench.machine import machine
from bench.server import stack


def main(words: Sequence[str]) -> int:
    chosen = _options(words)
    if chosen.list:
        print("\n".join(f"{name:<{WIDTH}}  {what}" for name, (what, _) in ATTACKS.items()))
        return 0
    allow_sockets()
    if chosen.quick or chosen.unpinned:
        leave_unpinned()
    described = machine(quick=chosen.quick)
    pin(LOADING)
    size = QUICK if chosen.quick else FULL

    def show(outcome: Outcome) -> None:
        print(line(outcome), flush=True)

    print(f"starting the stack; then {len(chosen.attacks)} attacks of {size.attack_s:g} s", flush=True)
    with tempfile.TemporaryDirectory(prefix="webchat-fairness-", ignore_cleanup_errors=True) as data:
        try:
            with stack.webchat_as_shipped(Path(data) / "webchat") as server:
                trial = try_all(server, chosen.attacks, size, lambda quiet: print(quiet_line(quiet), flush=True), show)
                quiet, outcomes = uvloop.run(trial)
        except RuntimeError as error:
            print(f"fairness: {error}", file=sys.stderr)
            return 2
    if chosen.markdown is not None:
        command = " ".join(["make fairness", *([f'FAIRNESS="{" ".join(words)}"'] if words else [])])
        chosen.markdown.write_text(markdown(outcomes, quiet, size.people, described, command))
    print(summary(outcomes))
    return int(not all(one.is_fair for one in outcomes))


def _options(words: Sequence[str]) -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m bench.fairness", description=__doc__)
    options.add_argument("--list", action="store_true", help="list the attacks and exit")
    options.add_argument("--attacks", type=_chosen, default=list(ATTACKS), metavar="A,B", help="these only")
    options.add_argument("--markdown", type=Path, metavar="FILE", help="also write the tables to this file")
    options.add_argument(
        "--unpinned", action="store_true", help="let servers, people and attacker use every core, on a busy machine"
    )
    options.add_argument("--quick", action="store_true", help="take a few seconds; the figures mean nothing")
    return options.parse_args(words)


def _chosen(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in ATTACKS]:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; --list names all")
    return names


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the stack is stopped
    sys.exit(main(sys.argv[1:]))
