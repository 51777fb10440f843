"""Generated secrets: created once and kept in the data folder, readable by its owner only."""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

GENERATED = (
    "SESSION_SECRET_KEY",
    "LOG_KEY",
    "MESSAGE_DIGEST_KEYS",
    "AUTH_SERVICE_SECRET",
    "SOCIAL_SERVICE_SECRET",
    "ROOMS_SERVICE_SECRET",
    "MEDIA_SERVICE_SECRET",
    "CHAT_GATEWAY_SERVICE_SECRET",
    "CANARY_PASSWORD",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "S3_SIGNING_KEY",
)
OF_VALKEY = "REDIS_PASSWORD"
"""Generated only for the Valkey of this instance: another one has the password of the environment, or none."""


def complete(environment: Mapping[str, str], file: Path) -> dict[str, str]:
    """Return every secret of this instance: from the environment, else from the file, else a new one added to it."""
    kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    needed = GENERATED if "REDIS_ENDPOINT" in environment else (*GENERATED, OF_VALKEY)
    missing = [name for name in needed if name not in kept and name not in environment]
    if missing:
        kept |= {name: secrets.token_hex(32) for name in missing}
        write_private(file, json.dumps(kept, indent=2))
    return {name: environment.get(name, kept.get(name, "")) for name in needed}


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read, atomically: half a file of secrets would invalidate every session."""
    draft = file.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
        output.write(text)
        output.flush()
        os.fsync(output.fileno())
    draft.replace(file)
