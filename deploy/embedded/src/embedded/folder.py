"""The data folder: its layout, and the lock that lets one runner at a time use it.

`run/` holds the files of the running instance; everything else is kept from run to run.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from embedded.failures import CannotRun

LONGEST_SOCKET_PATH = 90
"""A socket's path has at most 104 bytes on macOS, 108 on Linux; supervisor adds its pid while it makes the socket."""
LONGEST_SOCKET_NAME = 10
"""The length of `supervisor`, the longest of the names."""


@dataclass(frozen=True)
class DataFolder:
    path: Path

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def pids(self) -> Path:
        return self.run / "pids"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def third_party_logs(self) -> Path:
        return self.logs / "parts"

    def socket(self, name: str) -> Path:
        """Return the path of a unix socket: in `run/`, or in a short folder if one of the sockets' paths is too long.

        All sockets of a data folder lie in one folder.
        """
        longest = self.run / f"{'x' * LONGEST_SOCKET_NAME}.sock"
        if len(os.fsencode(longest)) <= LONGEST_SOCKET_PATH:
            return self.run / f"{name}.sock"
        key = hashlib.sha256(os.fsencode(self.path.resolve())).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"webchat-{os.geteuid()}-{key}" / f"{name}.sock"

    def create(self) -> bool:
        """Create the folders. Returns whether the data folder is new. Raises CannotRun if it is not writable."""
        new = not self.path.exists()
        try:
            for folder in (self.path, self.run, self.pids, self.third_party_logs):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path) as probe:
                probe.write(b"writable")
        except OSError as error:
            reason = f"{error.strerror}: {error.filename or self.path}"
            raise CannotRun(f"cannot write to the data folder ({reason}): set WEBCHAT_DATA to another one") from error
        return new

    def create_socket_folder(self) -> None:
        """Create the folder of the sockets. Raises CannotRun if another user has one in its place."""
        folder = self.socket("any").parent
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if status.st_uid != os.geteuid():
            raise CannotRun(f"{folder} belongs to another user: set TMPDIR to another folder, or shorten WEBCHAT_DATA")

    def remove_socket_folder(self) -> None:
        """Remove a short folder that was created for the sockets, unless something is in it."""
        folder = self.socket("any").parent
        if folder != self.run:
            with suppress(OSError):
                folder.rmdir()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder. Raises CannotRun while another runner holds the lock; it ends with the holder's process."""
        with (self.run / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise CannotRun(
                    f"another WebChat (pid {holder}) uses the data folder {self.path}: stop it, or set WEBCHAT_DATA"
                ) from error
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield
