"""The audit trail: who signed in, whose rights changed, who was removed: one line for each, after its commit.

They are lines of the log with a dataset of their own, `webchat.audit`, in a file of their own where `AUDIT_LOG` names
one. What a stranger can bring about at will, failures, is summed up: a few of an account and an address as they come,
then one line a period that stands for the rest.
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
from shared.logging.repeats import Kind, SummingHandler

log = logging.getLogger(__name__)
_trail = logging.getLogger("audit")

Action = Literal[
    "sign-up", "sign-in", "sign-out", "session-revoke", "password-change", "account-close", "service-token",
    "member-invite", "member-remove", "role-change", "operate",
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
    "operate": (("iam",), ("admin", "info")),
}
"""`event.category` and `event.type` of each."""

DATASET = "webchat.audit"
FILE_BYTES = 10_000_000
FILES = 20
FAILURES_AT_ONCE = 5
KINDS_A_PERIOD = 200
"""Of so many accounts and addresses failures are told apart; those of all others are of one kind."""


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
    """Tell what was committed, or was tried in vain. `roles` are those that the target has from now on.

    `count`: the line stands for so many alike, done at once.
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
    told = {name: value for name, value in fields.items() if value}
    told |= {"event.kind": "event", "event.action": action, "event.outcome": outcome}
    counted = {"count": count} if count > 1 else {}
    _trail.info("%s: %s", action, outcome, extra={"ecs": told, "dataset": DATASET, **counted})


def network_of(address: str) -> str:
    """The network of an address: enough to see where attempts come from, too little to tell a household.

    The trail is kept for long; the whole address is in nginx's line of the same trace, which is not.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    prefix = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network((str(parsed), prefix), strict=False).network_address)


class _Trail(SummingHandler):
    """What succeeds is written as it comes, each; what fails is bounded."""

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
    """Only its owner reads it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(path, maxBytes=FILE_BYTES, backupCount=FILES, encoding="utf-8", delay=True)

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        os.fchmod(stream.fileno(), 0o600)
        return stream

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """What cannot be written here is not lost silently: the service's own log has it."""
        told = {"ecs": record.__dict__["ecs"]}
        log.error("not in the audit trail: %s", record.getMessage(), exc_info=sys.exc_info(), extra=told)


def open_trail(describer: logging.Filter, service: str, path: Path | None, stream: TextIO) -> SummingHandler:
    """From now on lines go to the file; without one to the stream, where others may be too."""
    target = logging.StreamHandler(stream) if path is None else _TrailFile(path)
    target.setFormatter(PlainLines() if path is None and stream.isatty() else JsonLines(service))
    handler = _Trail(target)
    handler.addFilter(describer)
    for old in _trail.handlers[:]:
        _trail.removeHandler(old)
    _trail.addHandler(handler)
    _trail.setLevel(logging.INFO)
    _trail.propagate = False
    return handler
