"""The command line: `run`, `status`, `seed`, `trace`, `operate`."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python gets a clear message instead of a failing import
    sys.exit("WebChat needs Python 3.11 or later; this is %s" % sys.version.split()[0])  # noqa: UP031

import argparse

from embedded.console import log
from embedded.failures import CannotRun
from embedded.operate import operate
from embedded.runner import run
from embedded.seed.command import seed
from embedded.settings import Settings
from embedded.status import status
from embedded.trace.command import trace

COMMANDS = {"run": run, "status": status, "seed": seed, "trace": trace}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m embedded", description="WebChat on one machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="start everything and serve until SIGINT or SIGTERM")
    commands.add_parser("status", help="list the running processes of the data folder as JSON")
    commands.add_parser("seed", help="fill the running instance with users, rooms and messages")
    commands.add_parser("trace", help="send a message through the running instance and print its trace")
    operated = commands.add_parser("operate", help="run a command of one service, for example: operate rooms new-epoch")
    operated.add_argument("service")
    operated.add_argument("words", nargs="+")
    arguments = parser.parse_args()
    try:
        if arguments.command == "operate":
            return operate(Settings.load(), arguments.service, arguments.words)
        return COMMANDS[arguments.command](Settings.load())
    except CannotRun as error:
        log.error("%s", error)
        print(f"webchat: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
