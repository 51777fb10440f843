"""A wrong clock for one process, with Debian's libfaketime."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIBRARIES = "usr/lib/*/faketime/libfaketimeMT.so.1"


def find_library() -> Path | None:
    return next(Path("/").glob(LIBRARIES), None)


class Clock:
    """The clock of a program of the embedded stack while `preloaded`. Restart the program at both ends."""

    def __init__(self, data: Path, part: str) -> None:
        self._offset = data / "run" / f"clock-of-{part}"
        self._part = data / "run" / "parts" / f"{part}.json"

    def set(self, seconds: int) -> None:
        """Set the clock to this offset in seconds from the true time. The monotonic clock does not change."""
        self._offset.write_text(f"{seconds:+d}\n")

    @contextmanager
    def preloaded(self, library: Path) -> Iterator[None]:
        """Add the library to the environment with which the launcher starts the program."""
        before = self._part.read_text()
        part = json.loads(before)
        part["environment"] |= {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.set(0)
        self._write(json.dumps(part))
        try:
            yield
        finally:
            self._write(before)
            self._offset.unlink()

    def _write(self, text: str) -> None:
        """Write atomically, because the launcher may read it at any time."""
        written = self._part.with_suffix(".new")
        written.touch(mode=0o600)
        written.write_text(text)
        written.replace(self._part)
