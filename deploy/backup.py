"""Back up or restore the data of the containers: `backup.py save FOLDER`, `backup.py restore FOLDER`.

A backup is a folder with the four schemas at one point in time, the files in S3, and `backup.json`, written last.
docs/operations.md describes its content. Compose's variables choose the project.
"""

import gzip
import json
import os
import shutil
import subprocess
import sys
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

CHECKOUT = Path(__file__).resolve().parents[1]
STORES = {"database", "redis", "storage"}
SERVICES = ("nginx", "chat-gateway", "media", "rooms", "social", "auth")
LAST_LINE = b"-- Dump completed"
CHUNK = 1024 * 1024


class FailedError(Exception):
    """A failure of the backup or restore, with a text for the user."""


def say(text: str) -> None:
    print(text, flush=True)


def command(*words: str) -> list[str]:
    return ["docker", "compose", "--progress", "quiet", *words]


def one_off(service: str, *words: str, options: tuple[str, ...] = ()) -> list[str]:
    """Return the command for a one-off container, which is removed afterwards."""
    return command("run", "--rm", "--no-deps", "--no-TTY", *options, service, *words)


def run(what: str, words: list[str]) -> str:
    """Run a command and return its standard output; standard error passes through. Raises FailedError."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, check=False, cwd=CHECKOUT)
    if done.returncode:
        raise FailedError(f"{what} failed")
    return done.stdout.strip()


def files(job: str, folder: Path, mode: str) -> None:
    """Run a command of media as the current user, with the folder mounted at /backup."""
    options = ("--user", f"{os.getuid()}:{os.getgid()}", "--volume", f"{folder}:/backup:{mode}")
    say(run("copying the files", one_off("media", job, options=options)))


def database(script: str) -> list[str]:
    return one_off("database-setup", f"/database/{script}.sh", options=("--entrypoint", "sh"))


def dump(target: Path) -> None:
    """Dump all schemas into the target. Raises FailedError unless the dump ends with its final line."""
    tail = b""
    with (
        gzip.open(target, "wb", compresslevel=6) as file,
        subprocess.Popen(database("dump"), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=CHECKOUT) as dumping,
    ):
        for piece in iter(lambda: _stdout(dumping).read(CHUNK), b""):
            file.write(piece)
            tail = (tail + piece)[-200:]
    if dumping.returncode or LAST_LINE not in tail:
        raise FailedError("dumping the database failed")
    say(f"database: {target.stat().st_size:,} bytes, compressed")


def _stdout(process: "subprocess.Popen[bytes]") -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout


def load(source: Path) -> None:
    with (
        gzip.open(source) as file,
        subprocess.Popen(database("load"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=CHECKOUT) as loading,
    ):
        assert loading.stdin is not None
        try:
            shutil.copyfileobj(file, loading.stdin, CHUNK)
            loading.stdin.close()
        except BrokenPipeError:  # the client has printed why, and its return code is checked below
            pass
    if loading.returncode:
        raise FailedError("loading the database failed")


def save(folder: Path) -> None:
    """Save the files, then the database, then files added since. The folder gets its name when it is complete."""
    if folder.exists():
        raise FailedError(f"{folder} already exists")
    part = folder.with_name(f"{folder.name}.partial")
    part.mkdir(mode=0o700, parents=True)
    try:
        say("files, first pass")
        files("save-objects", part, "rw")
        began = datetime.now(UTC)
        say("database")
        dump(part / "database.sql.gz")
        say("files, second pass")
        files("save-objects", part, "rw")
        about = {"made_at": began.isoformat(timespec="seconds"), "images": images()}
        (part / "backup.json").write_text(json.dumps(about, indent=2) + "\n")
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    say(f"{folder}")


def images() -> list[str]:
    return sorted(set(run("reading compose.yaml", command("config", "--images")).splitlines()))


def check(folder: Path) -> None:
    """Check before any change that this is a complete backup. Raises FailedError otherwise."""
    try:
        about = json.loads((folder / "backup.json").read_text())
        with gzip.open(folder / "database.sql.gz") as file:
            while file.read(CHUNK):
                pass
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise FailedError(f"{folder} is not a complete backup: {error}") from error
    say(f"backup of {about['made_at']}")


def restore(folder: Path) -> None:
    """Replace the data of all databases. If it was interrupted, it can be repeated."""
    check(folder)
    stores = sorted(STORES & set(run("reading compose.yaml", command("config", "--services")).split()))
    say("stopping the services")
    run("stopping the services", command("stop", *SERVICES))
    if stores:
        say(f"starting {', '.join(stores)}")
        run("starting the stores", command("up", "--detach", "--wait", *stores))
    say("database")
    run("preparing the database", one_off("database-setup"))
    load(folder / "database.sql.gz")
    say("files")
    files("bring-objects-back", folder, "ro")
    say("new epoch for the room logs")
    run("renewing the epoch", one_off("rooms", "new-epoch"))
    run("emptying Redis", one_off("rooms", "forget-redis"))
    say("starting the services")
    run("starting the services", command("up", "--detach", "--wait"))
    say("restored")


def main(job: str, folder: str) -> None:
    try:
        {"save": save, "restore": restore}[job](Path(folder).resolve())
    except FailedError as error:
        sys.exit(f"{job}: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
