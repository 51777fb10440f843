"""Inject one fault after the other while clients write and read, and print one line for each.

The exit status is 0 if every guarantee was kept, 1 if one was broken, 2 if no fault could be tried.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import groupby
from pathlib import Path

from containers import CHECKOUT

from chaos.composed import composed
from chaos.faults import FAULTS, Fault
from chaos.report import line, markdown
from chaos.targets import CannotUse, Target, own, own_on_cluster, running
from chaos.trial import Outcome, close_accounts, outcome, sign_up_members

WIDTH = max(map(len, FAULTS))


def arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--list", action="store_true", help="list the faults and exit")
    parser.add_argument("--faults", type=_chosen, default=list(FAULTS.values()), metavar="A,B", help="these only")
    parser.add_argument(
        "--seconds", type=float, default=15, metavar="N", help="minimum seconds of traffic per fault (15)"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the table to this file")
    where = parser.add_mutually_exclusive_group()
    data = os.environ.get("WEBCHAT_DATA")
    where.add_argument(
        "--data", default=data, metavar="FOLDER", help="break the instance of `make run` in this folder (WEBCHAT_DATA)"
    )
    where.add_argument("--compose", action="store_true", help="break the containers of compose.yaml")
    return parser.parse_args(words)


def _chosen(text: str) -> list[Fault]:
    names = text.split(",")
    if unknown := [name for name in names if name not in FAULTS]:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; --list names all")
    return [FAULTS[name] for name in names]


@contextmanager
def own_target(faults: Sequence[Fault]) -> Iterator[Target]:
    """Run a stack for these faults in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="webchat-chaos-") as folder:
        path = Path(folder) / "own"
        with own_on_cluster(path) if _needs_cluster(faults[0]) else own(path, with_disk=True) as target:
            yield target


def _needs_cluster(fault: Fault) -> bool:
    return "cluster" in fault.needs


def targets(options: argparse.Namespace) -> Iterator[tuple[AbstractContextManager[Target], list[Fault]]]:
    """Yield each target with its faults. Separate stacks start one after the other."""
    if options.compose:
        yield nullcontext(composed()), options.faults
    elif options.data:
        yield nullcontext(running(CHECKOUT / options.data)), options.faults
    else:
        for _, faults in groupby(sorted(options.faults, key=_needs_cluster), key=_needs_cluster):
            chosen = list(faults)
            yield own_target(chosen), chosen


async def try_all(target: Target, faults: Sequence[Fault], seconds: float) -> list[Outcome]:
    members = await sign_up_members(target.stack.url)
    outcomes = []
    try:
        for fault in faults:
            outcomes.append(await outcome(target, fault, members, seconds))
            print(line(outcomes[-1], WIDTH), flush=True)
        await close_accounts(members)
    finally:
        for member in members:
            await member.close()
    return outcomes


def main(words: Sequence[str]) -> int:
    options = arguments(words)
    if options.list:
        print("\n".join(f"{fault.name:<{WIDTH}}  {fault.what}" for fault in FAULTS.values()))
        return 0
    outcomes: list[Outcome] = []
    try:
        for target, faults in targets(options):
            with target as stack:
                outcomes += asyncio.run(try_all(stack, faults, options.seconds))
    except CannotUse as error:
        print(f"chaos: {error}", file=sys.stderr)
        return 2
    if options.markdown is not None:
        outcomes.sort(key=lambda one: list(FAULTS).index(one.fault.name))
        options.markdown.write_text(markdown(outcomes, _target_name(options), options.seconds))
    return exit_status(outcomes)


def exit_status(outcomes: Sequence[Outcome]) -> int:
    if all(one.left_out for one in outcomes):
        return 2
    return int(any(one.is_broken for one in outcomes))


def _target_name(options: argparse.Namespace) -> str:
    if options.compose:
        return "on the containers of compose.yaml"
    return "on the stack of `make run`" if options.data else "on a stack of its own"


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that mounts and processes of this run are cleaned up
    sys.exit(main(sys.argv[1:]))
