"""What the person sees: plain lines, on a terminal with a little colour. The runner's log has them as JSON lines."""

import logging
import os
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from shared.logging.formatters import JsonLines

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())
LOG_BYTES = 10_000_000
LOG_FILES = 3

GREEN, BOLD, PLAIN = "\033[32m", "\033[1m", "\033[0m"


def say(text: str, style: str = "") -> None:
    """Print one line at once. Where nobody reads any more, the run goes on without it."""
    log.info("%s", text.strip())
    styled = f"{style}{text}{PLAIN}" if style and sys.stdout.isatty() else text
    try:
        print(styled, flush=True)
    except OSError:
        _let_go(sys.stdout.fileno())


def keep_log(file: Path) -> None:
    """From now on, what is said is also written there."""
    handler = RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=LOG_FILES)
    handler.setFormatter(JsonLines("runner"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


def _let_go(descriptor: int) -> None:
    """The reader or the terminal is gone: later lines go nowhere instead of failing one by one."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
