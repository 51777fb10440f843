"""What the person sees: plain lines, on a terminal with a little colour."""

import os
import sys

GREEN, BOLD, PLAIN = "\033[32m", "\033[1m", "\033[0m"


def say(text: str, style: str = "") -> None:
    """Print one line at once. Where nobody reads any more, the run goes on without it."""
    styled = f"{style}{text}{PLAIN}" if style and sys.stdout.isatty() else text
    try:
        print(styled, flush=True)
    except OSError:
        _let_go(sys.stdout.fileno())


def _let_go(descriptor: int) -> None:
    """The reader or the terminal is gone: later lines go nowhere instead of failing one by one."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
