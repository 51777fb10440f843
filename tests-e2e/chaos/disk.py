"""A small file system for the databases of a stack that can be filled and slowed down."""

import errno
import fcntl
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEGABYTES = 64
FIFREEZE, FITHAW = 0xC0045877, 0xC0045878
"""linux/fs.h: suspend all writes to a file system, and resume them."""
STALL_S, BREATH_S = 0.4, 0.05


class Disk:
    def __init__(self, folder: Path, *, can_stall: bool) -> None:
        self.folder, self.can_stall = folder, can_stall

    @contextmanager
    def full(self) -> Iterator[None]:
        """Fill the disk while the block runs."""
        filler = self.folder / "filler"
        try:
            with filler.open("wb", buffering=0) as file:
                _fill(file.fileno(), 1 << 20)
                _fill(file.fileno(), 512)
                yield
        finally:
            filler.unlink()

    @contextmanager
    def slow(self) -> Iterator[None]:
        """Delay every write for most of a second while the block runs."""
        ended = threading.Event()
        stalling = threading.Thread(target=self._stall, args=[ended])
        stalling.start()
        try:
            yield
        finally:
            ended.set()
            stalling.join()

    def _stall(self, ended: threading.Event) -> None:
        root = os.open(self.folder, os.O_RDONLY)
        try:
            while not ended.is_set():
                fcntl.ioctl(root, FIFREEZE, 0)
                try:
                    ended.wait(STALL_S)
                finally:
                    fcntl.ioctl(root, FITHAW, 0)
                ended.wait(BREATH_S)
        finally:
            os.close(root)


def _fill(file: int, block: int) -> None:
    try:
        while True:
            os.write(file, bytes(block))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Disk]:
    """Mount an ext4 in a file, or a tmpfs without loop devices. Raises CannotMount if neither works."""
    if os.geteuid() != 0:
        raise CannotMount("only root can mount a file system")
    folder.mkdir(mode=0o700, parents=True)
    image.touch(mode=0o600)
    os.truncate(image, MEGABYTES << 20)
    try:
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(image))
        _run("mount", "-o", "loop", str(image), str(folder))
        disk = Disk(folder, can_stall=True)
    except CannotMount:
        _run("mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m,mode=700", "webchat-chaos", str(folder))
        disk = Disk(folder, can_stall=False)
    try:
        yield disk
    finally:
        _run("umount", str(folder))


class CannotMount(Exception):
    """A file system could not be mounted; the text is the reason."""


def _run(*words: str) -> None:
    try:
        subprocess.run(words, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise CannotMount(f"there is no {words[0]}") from error
    except subprocess.CalledProcessError as error:
        raise CannotMount(f"{words[0]}: {error.stderr.strip()}") from error
