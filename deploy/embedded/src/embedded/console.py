"""Console output: plain lines, coloured on a terminal. The runner's log gets the same lines as JSON."""

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
    """Print one line and flush. If standard output is closed, discard this line and all later ones."""
    log.info("%s", text.strip())
    styled = f"{style}{text}{PLAIN}" if style and sys.stdout.isatty() else text
    try:
        print(styled, flush=True)
    except OSError:
        _discard_output(sys.stdout.fileno())


def log_to(file: Path) -> None:
    """Also write every later line of `say` to the file."""
    handler = RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=LOG_FILES)
    handler.setFormatter(JsonLines("runner"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


def _discard_output(descriptor: int) -> None:
    """Redirect the descriptor to /dev/null, so that later lines do not fail one by one."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
