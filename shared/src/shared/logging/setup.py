"""The log of a process: JSON lines with ECS names on standard output (see docs/logs/), or plain text on a terminal.

This module keeps private data out of all lines. An error's message is logged without its quotations, because databases
and parsers quote what people wrote. A user id is replaced by a keyed hash.
"""

import hashlib
import hmac
import logging
import re
import sys
import traceback
from functools import lru_cache
from types import TracebackType
from typing import Any

from pydantic import SecretStr

from shared.logging.audit import audit, open_trail
from shared.logging.context import log_fields
from shared.logging.formatters import LONGEST_MESSAGE, JsonLines, PlainLines
from shared.logging.repeats import AggregatingHandler
from shared.settings import ProcessSettings

log = logging.getLogger(__name__)

USER_HEADER = "X-WebChat-Log-User"
"""Response header in which auth gives nginx the hash of the user for its log."""
LONGEST_TRACE = 8_000
PEOPLE = {"user.id", "user.target.id"}
PROGRAM_ERRORS = (AttributeError, ImportError, NameError, NotImplementedError, TypeError)
"""Errors that quote only names of the program."""
QUOTED = re.compile(r"""(['"`]).*\1""", re.DOTALL)


def error_text(error: BaseException) -> str:
    """Return an error's message without the text between its quotation marks."""
    orig = getattr(error, "orig", None)  # SQLAlchemy adds the statement and its values to the driver's message
    message = str(orig or error)
    return (message if isinstance(error, PROGRAM_ERRORS) else QUOTED.sub("'…'", message))[:LONGEST_MESSAGE]


class _RedactedError(str):
    """An error as an argument of a log message, the same for `%r` and `%s`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@lru_cache(maxsize=4096)
def hash_user(key: SecretStr, user_id: str) -> str:
    return hmac.new(key.get_secret_value().encode(), user_id.encode(), hashlib.sha256).hexdigest()[:16]


class RecordFilter(logging.Filter):
    """Adds the context's fields to a record, hashes user ids, and removes quotations from errors."""

    def __init__(self, key: SecretStr) -> None:
        super().__init__()
        self._key = key

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "uvicorn.error" and str(record.msg).startswith("Exception in ASGI"):
            return False  # shared.web.errors has logged it with its request
        fields: dict[str, Any] = {**log_fields(), **getattr(record, "ecs", {})}
        for name in PEOPLE & fields.keys():
            fields[name] = hash_user(self._key, fields[name])
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(record.args, tuple):
            error = error or next((arg for arg in record.args if isinstance(arg, BaseException)), None)
            record.args = tuple(_redacted(arg) if isinstance(arg, BaseException) else arg for arg in record.args)
        if record.name == "asyncio":  # its messages continue with unredacted tasks and errors
            record.msg, record.args = QUOTED.sub("'…'", record.getMessage().partition("\n")[0]), ()
        if str(record.msg).startswith("Traceback "):  # from uvicorn, if a service cannot start
            fields["error.stack_trace"] = record.msg[-LONGEST_TRACE:]
            record.msg, record.args = "the service cannot start", ()
        if error is not None:
            fields |= {"error.type": type(error).__name__, "error.message": error_text(error)}
            if record.exc_info and error.__traceback__ is not None:
                fields["error.stack_trace"] = "".join(traceback.format_tb(error.__traceback__))[-LONGEST_TRACE:]
        record.fields, record.exc_info = fields, None
        return True


def _redacted(error: BaseException) -> _RedactedError:
    text = error_text(error)
    return _RedactedError(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def configure_logging(settings: ProcessSettings) -> None:
    target, record_filter = logging.StreamHandler(sys.stdout), RecordFilter(settings.log_key)
    target.setFormatter(PlainLines() if sys.stdout.isatty() else JsonLines(settings.service))
    handler = AggregatingHandler(target)
    handler.addFilter(record_filter)
    _handlers[:] = handler, open_trail(record_filter, settings.service, settings.audit_log, sys.stdout)
    logging.basicConfig(level=logging.DEBUG if settings.debug else logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_crash
    for noisy in ("botocore", "asyncio", "alembic.runtime.plugins", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def audit_operation(settings: ProcessSettings, name: str) -> None:
    """Audit an operator's command, on standard error if there is no file: standard output has the command's result."""
    open_trail(RecordFilter(settings.log_key), settings.service, settings.audit_log, sys.stderr)
    audit("operate", reason=name)


def finish_logs() -> None:
    """Write the held-back lines. A process that ends by a signal does not call `logging.shutdown`."""
    for handler in _handlers:
        handler.write_summaries()


_handlers: list[AggregatingHandler] = []


def _log_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        log.critical("the process ends", exc_info=(kind, error, trace))
