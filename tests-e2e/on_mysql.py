"""Run a command with a new MySQL container, whose address is in `TEST_MYSQL_URL`."""

import os
import secrets
import subprocess
import sys
import time

from leftovers import owned_name

IMAGE = os.environ.get("TEST_MYSQL_IMAGE", "mysql:9.7")
DOCKER = ["docker", "container"]
PATIENCE_S = 120


def main(command: list[str]) -> int:
    password, name = secrets.token_hex(16), owned_name("mysql")
    quick = ["--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0", "--max-connections=500"]
    options = ["--rm", "--detach", "--name", name, "--tmpfs", "/var/lib/mysql", "--publish", "127.0.0.1::3306"]
    subprocess.run(
        [*DOCKER, "run", *options, "--env", "MYSQL_ROOT_PASSWORD", IMAGE, *quick],
        env=os.environ | {"MYSQL_ROOT_PASSWORD": password}, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait(name)
        published = subprocess.run([*DOCKER, "port", name, "3306"], capture_output=True, text=True, check=True).stdout
        url = f"mysql://root:{password}@127.0.0.1:{published.strip().rpartition(':')[2]}"
        return subprocess.run(command, env=os.environ | {"TEST_MYSQL_URL": url}, check=False).returncode
    finally:
        subprocess.run([*DOCKER, "stop", "--time", "2", name], check=True, stdout=subprocess.DEVNULL)


def _wait(name: str) -> None:
    """Wait until it answers over TCP, because the temporary server of the first start does not listen there."""
    ping = [*DOCKER, "exec", name, "mysqladmin", "ping", "--silent", "--host=127.0.0.1"]
    deadline = time.monotonic() + PATIENCE_S
    while subprocess.run(ping, capture_output=True, check=False).returncode != 0:
        if time.monotonic() > deadline:
            sys.exit(f"{IMAGE} does not answer after {PATIENCE_S} s")
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
