"""`python -m bench.mutants [TARGET ...]`: plant bugs in copies of the checkout, two targets at a time."""

import argparse
import os
import shutil
import subprocess
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from bench.mutants import python, web
from bench.mutants.outcome import Score, load_equivalents, score

CHECKOUT = Path(__file__).parents[2]
TARGETS: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("targets.toml").read_text())


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench.mutants", description=__doc__)
    options.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    options.add_argument("--sample", type=int, help="maximum number of bugs per Python target, the same in each run")
    options.add_argument("--operator", default="", help="only this kind, such as core/ReplaceComparisonOperator")
    options.add_argument(
        "--seconds", type=float, default=0, help="limit of one test run (five times a run without a bug)"
    )
    options.add_argument("--workers", type=int, default=2, help="targets at a time (2)")
    options.add_argument("--at-least", type=float, default=0, help="exit with 1 below this share, in percent")
    chosen = options.parse_args()
    if unknown := set(chosen.targets) - TARGETS.keys():
        options.error(f"no such target: {', '.join(sorted(unknown))}")
    equivalents = load_equivalents(CHECKOUT)
    names = chosen.targets or list(TARGETS)
    with ThreadPoolExecutor(chosen.workers) as pool:
        work = partial(_plant, seconds=chosen.seconds, sample=chosen.sample, operator=chosen.operator)
        scores = [score(name, mutants, equivalents) for name, mutants in zip(names, pool.map(work, names), strict=True)]
    _report(scores)
    if any(one.share * 100 < chosen.at_least for one in scores):
        raise SystemExit(1)


def _plant(name: str, **options: Any) -> Any:
    target = TARGETS[name]
    with tempfile.TemporaryDirectory(prefix=f"webchat-{name}-") as folder:
        root = _copy(Path(folder) / "webchat")
        if "mutate" in target:
            return web.plant(root, target["mutate"])
        return python.plant(root, target["sources"], target["tests"], **options)


def _copy(root: Path) -> Path:
    """Copy the tracked files of the checkout with local changes. The web client's packages are hard-linked."""
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=CHECKOUT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, files):
        if (source := CHECKOUT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, root / name)
    modules = CHECKOUT / "web" / "node_modules"
    if modules.is_dir():
        ignore = shutil.ignore_patterns(".cache", ".vite*")
        shutil.copytree(modules, root / "web" / "node_modules", symlinks=True, copy_function=os.link, ignore=ignore)
    return root


def _report(scores: list[Score]) -> None:
    print("| target | noticed | missed | equivalent | score |\n|---|---|---|---|---|")
    for one in scores:
        print(f"| {one.target} | {one.noticed} | {len(one.missed)} | {one.equivalent} | {one.share:.1%} |")
    for one in scores:
        for mutant in one.missed:
            print(f"missed: {mutant}")


if __name__ == "__main__":
    main()
