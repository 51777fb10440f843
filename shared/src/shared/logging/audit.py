"""The audit trail: sign-ins, changes of rights, removals, refusals, one line each, written after the commit.

Audit lines have the dataset `webchat.audit` and go to the file `AUDIT_LOG` if it is set. Failures, which anyone can
cause, are limited: a few per account and network are written at once, then one line per period summarizes the rest.
"""

import ipaddress
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final, Literal, TextIO

from shared.logging.formatters import JsonLines, PlainLines
from shared.logging.repeats import AggregatingHandler, Kind

log = logging.getLogger(__name__)
_trail = logging.getLogger("audit")

Action = Literal[
    "sign-up", "sign-in", "sign-out", "session-revoke", "password-change", "account-close", "service-token",
    "member-invite", "member-remove", "role-change", "access-deny", "origin-refuse", "upload-refuse", "operate",
]  # fmt: skip
Outcome = Literal["success", "failure"]

KINDS: Final[Mapping[Action, tuple[Sequence[str], Sequence[str]]]] = {
    "sign-up": (("authentication", "iam"), ("user", "creation")),
    "sign-in": (("authentication",), ("start",)),
    "sign-out": (("authentication",), ("end",)),
    "session-revoke": (("authentication",), ("end",)),
    "password-change": (("authentication", "iam"), ("user", "change")),
    "account-close": (("iam",), ("user", "deletion")),
    "service-token": (("authentication",), ("start",)),
    "member-invite": (("iam",), ("group", "change")),
    "member-remove": (("iam",), ("group", "change")),
    "role-change": (("iam",), ("group", "change")),
    "access-deny": (("iam",), ("access", "denied")),
    "origin-refuse": (("web",), ("access", "denied")),
    "upload-refuse": (("file",), ("creation", "denied")),
    "operate": (("iam",), ("admin", "info")),
}
"""`event.category` and `event.type` of each action."""

DATASET = "webchat.audit"
FILE_BYTES = 10_000_000
FILES = 20
FAILURES_AT_ONCE = 5
KINDS_A_PERIOD = 200
"""Failures are distinguished for this many accounts and networks per period; all others are one kind."""


def audit(
    action: Action,
    *,
    outcome: Outcome = "success",
    user_id: str = "",
    target_id: str = "",
    address: str = "",
    room_id: str = "",
    roles: Sequence[str] = (),
    reason: str = "",
    count: int = 1,
) -> None:
    """Write a line about a committed or failed action. `roles` are the target's new roles.

    `count` is the number of identical actions that the line represents.
    """
    category, types = KINDS[action]
    fields: dict[str, Any] = {
        "event.category": list(category),
        "event.type": list(types),
        "event.reason": reason,
        "user.id": user_id,
        "user.target.id": target_id,
        "user.target.roles": list(roles),
        "source.ip": network_of(address),
        "webchat.room": room_id,
    }
    ecs = {name: value for name, value in fields.items() if value}
    ecs |= {"event.kind": "event", "event.action": action, "event.outcome": outcome}
    counted = {"count": count} if count > 1 else {}
    _trail.info("%s: %s", action, outcome, extra={"ecs": ecs, "dataset": DATASET, **counted})


def network_of(address: str) -> str:
    """Return the network of an address: /24 for IPv4, /48 for IPv6, so that it does not identify a household.

    The audit trail is kept for a long time. The whole address is in nginx's log line of the same trace.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    prefix = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network((str(parsed), prefix), strict=False).network_address)


class _Trail(AggregatingHandler):
    """Writes every success at once and limits failures."""

    def kind_of(self, record: logging.LogRecord) -> Kind | None:
        fields: dict[str, Any] = getattr(record, "fields", {})
        if fields.get("event.outcome") != "failure":
            return None
        action = str(fields["event.action"])
        kind = (action, record.levelno, fields.get("user.id", ""), fields.get("source.ip", ""))
        return (action, record.levelno, "", "") if self.is_crowded(kind, KINDS_A_PERIOD) else kind

    def at_once(self, kind: Kind) -> int:
        del kind
        return FAILURES_AT_ONCE


class _TrailFile(RotatingFileHandler):
    """A file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(path, maxBytes=FILE_BYTES, backupCount=FILES, encoding="utf-8", delay=True)

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        os.fchmod(stream.fileno(), 0o600)
        return stream

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Write a line that cannot be written here to the service's log."""
        extra = {"ecs": record.__dict__["ecs"]}
        log.error(
            "not written to the audit trail: %s",
            record.getMessage(),
            exc_info=sys.exc_info(),
            extra=extra,
        )


def open_trail(record_filter: logging.Filter, service: str, path: Path | None, stream: TextIO) -> AggregatingHandler:
    """Send audit lines to the file, or without a file to the stream."""
    target = logging.StreamHandler(stream) if path is None else _TrailFile(path)
    target.setFormatter(PlainLines() if path is None and stream.isatty() else JsonLines(service))
    handler = _Trail(target)
    handler.addFilter(record_filter)
    for old in _trail.handlers[:]:
        _trail.removeHandler(old)
    _trail.addHandler(handler)
    _trail.setLevel(logging.INFO)
    _trail.propagate = False
    return handler
