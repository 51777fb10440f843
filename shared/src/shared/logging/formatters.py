"""Formatters of log lines: JSON with ECS names (docs/logs/), or plain text for a terminal."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared import VERSION

LONGEST_MESSAGE = 1_000


def _writable(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot encode."""
    return text.encode(errors="replace").decode()


def _writable_value(value: Any) -> Any:
    return _writable(value) if isinstance(value, str) else value


class JsonLines(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = {
            "service.name": service,
            "service.version": VERSION,
            "event.dataset": f"webchat.{service}",
        }

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "@timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "log.level": record.levelname.lower(),
            "message": _writable(record.getMessage()[:LONGEST_MESSAGE]),
            **self._service,
            "event.dataset": getattr(record, "dataset", self._service["event.dataset"]),
            "log.logger": record.name,
            **{name: _writable_value(value) for name, value in getattr(record, "fields", {}).items()},
        }
        if (count := getattr(record, "count", 0)) > 0:
            line["webchat.count"] = count
        return msgspec.json.encode(line).decode()


class PlainLines(logging.Formatter):
    """Text for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        fields: Mapping[str, Any] = getattr(record, "fields", {})
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        count = f" (×{record.count})" if hasattr(record, "count") else ""
        trace = f" [{fields['trace.id'][:8]}]" if "trace.id" in fields else ""
        stack = f"\n{fields['error.stack_trace']}" if "error.stack_trace" in fields else ""
        error = f": {fields['error.type']}: {fields['error.message']}" if stack else ""
        took = f" {fields['event.duration'] / 1e6:.1f} ms" if "event.duration" in fields else ""
        return f"{time} {record.levelname:<7} {record.name}: {record.getMessage()}{error}{count}{took}{trace}{stack}"
