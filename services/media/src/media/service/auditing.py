"""Writes the audit trail of media: uploads that were refused."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import DomainError, ErrorCode
from shared.logging.audit import audit


@contextmanager
def auditing_refusals(user_id: str) -> Iterator[None]:
    """Audit the refusal of an upload: its size, type, rate or room, but no outage. Names of files are not audited."""
    try:
        yield
    except DomainError as error:
        if error.code is not ErrorCode.UNAVAILABLE:
            audit("upload-refuse", outcome="failure", user_id=user_id, reason=error.detail)
            error.audited = True
        raise
