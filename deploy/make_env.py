"""Add random values for the secrets that the containers need and that `.env` lacks."""

import secrets
import sys
from pathlib import Path

NAMES = (
    "SESSION_SECRET_KEY",
    "LOG_KEY",
    "MESSAGE_DIGEST_KEYS",
    *(f"{service}_SERVICE_SECRET" for service in ("AUTH", "SOCIAL", "ROOMS", "MEDIA", "CHAT_GATEWAY")),
    *(f"{service}_DB_PASSWORD" for service in ("AUTH", "SOCIAL", "ROOMS", "MEDIA")),
    "CANARY_PASSWORD",
    "DB_ROOT_PASSWORD",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_ACCESS_KEY",
    # the log pipeline (profile logging)
    "ELASTIC_PASSWORD",
    "LOGS_WRITER_PASSWORD",
    "KIBANA_PASSWORD",
    "KIBANA_KEY",
    "NIFI_PASSWORD",
    "NIFI_KEY",
)


def main(file: Path) -> None:
    """Append lines for missing secrets; existing lines stay unchanged."""
    text = file.read_text() if file.exists() else "# Settings of this installation; .env.example lists all of them.\n"
    have = {line.partition("=")[0].strip() for line in text.splitlines() if line.partition("=")[2].strip()}
    missing = [name for name in NAMES if name not in have]
    file.touch(mode=0o600)
    file.write_text(text + "".join(f"{name}={secrets.token_hex(32)}\n" for name in missing))
    print(f"{file}: {len(missing)} secrets added, {len(NAMES) - len(missing)} already there")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
