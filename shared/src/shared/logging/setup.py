"""The log of a service: JSON lines with ECS names on standard output, as docs/logs/ has it; for people on a terminal.

What a line may not hold is kept out here, whoever writes it. Of an error it has the kind, and the words without what
they quote, for databases and parsers quote what people wrote; of a person, a hash under the installation's key.
"""

import hashlib
import hmac
import logging
import re
import sys
import traceback
from types import TracebackType
from typing import Any

from pydantic import SecretStr

from shared.logging.audit import audit, open_trail
from shared.logging.context import log_fields
from shared.logging.formatters import LONGEST_MESSAGE, JsonLines, PlainLines
from shared.logging.repeats import SummingHandler
from shared.settings import ProcessSettings

log = logging.getLogger(__name__)

USER_HEADER = "X-WebChat-Log-User"
"""auth tells nginx under which name a person is in the logs."""
LONGEST_TRACE = 8_000
PEOPLE = {"user.id", "user.target.id"}
OUR_WORDS = (AttributeError, ImportError, NameError, NotImplementedError, TypeError)
"""Errors that quote names of the program, not of people."""
QUOTED = re.compile(r"""(['"`]).*\1""", re.DOTALL)


def words_of(error: BaseException) -> str:
    """What an error says, less everything between its quotation marks."""
    orig = getattr(error, "orig", None)  # SQLAlchemy adds the statement and its values to what the driver says
    said = str(orig or error)
    return (said if isinstance(error, OUR_WORDS) else QUOTED.sub("'…'", said))[:LONGEST_MESSAGE]


class _Told(str):
    """An error as an argument of a message, for `%r` and `%s` alike."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def hash_user(key: SecretStr, user_id: str) -> str:
    return hmac.new(key.get_secret_value().encode(), user_id.encode(), hashlib.sha256).hexdigest()[:16]


class Describer(logging.Filter):
    """Adds to a line what is known where it is written, and takes out what an error may quote."""

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
            record.args = tuple(_tell(arg) if isinstance(arg, BaseException) else arg for arg in record.args)
        if record.name == "asyncio":  # goes on with tasks and their errors, as they are
            record.msg, record.args = QUOTED.sub("'…'", record.getMessage().partition("\n")[0]), ()
        if str(record.msg).startswith("Traceback "):  # uvicorn, where a service cannot start
            fields["error.stack_trace"] = record.msg[-LONGEST_TRACE:]
            record.msg, record.args = "the service cannot start", ()
        if error is not None:
            fields |= {"error.type": type(error).__name__, "error.message": words_of(error)}
            if record.exc_info and error.__traceback__ is not None:
                fields["error.stack_trace"] = "".join(traceback.format_tb(error.__traceback__))[-LONGEST_TRACE:]
        record.fields, record.exc_info = fields, None
        return True


def _tell(error: BaseException) -> _Told:
    words = words_of(error)
    return _Told(f"{type(error).__name__}: {words}" if words else type(error).__name__)


def configure_logging(settings: ProcessSettings) -> None:
    target, describer = logging.StreamHandler(sys.stdout), Describer(settings.log_key)
    target.setFormatter(PlainLines() if sys.stdout.isatty() else JsonLines(settings.service))
    handler = SummingHandler(target)
    handler.addFilter(describer)
    _summing[:] = handler, open_trail(describer, settings.service, settings.audit_log, sys.stdout)
    logging.basicConfig(level=logging.DEBUG if settings.debug else logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    sys.excepthook = _on_death
    for noisy in ("botocore", "asyncio", "alembic.runtime.plugins", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def audit_operation(settings: ProcessSettings, name: str) -> None:
    """An operator's command was carried out; what it answers is on standard output."""
    open_trail(Describer(settings.log_key), settings.service, settings.audit_log, sys.stderr)
    audit("operate", reason=name)


def finish_logs() -> None:
    """Write what is held back. A process that is told to end does not come by `logging.shutdown`."""
    for handler in _summing:
        handler.sum_up()


_summing: list[SummingHandler] = []


def _on_death(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        log.critical("the process ends", exc_info=(kind, error, trace))
