"""The errors of WebChat: one code each for the HTTP API, the WebSocket protocol and calls between services.

A domain error means that nothing was changed, except `Unavailable`, after which the outcome may be unknown. The detail
is a sentence for a person and never repeats the input.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

import msgspec


class ErrorCode(StrEnum):
    """Error codes, each with its HTTP status and the title of its responses."""

    status: int
    summary: str

    def __new__(cls, code: str, status: int, summary: str) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        member.status, member.summary = status, summary
        return member

    INVALID = "invalid", 422, "Invalid input"
    UNAUTHENTICATED = "unauthenticated", 401, "Sign in first"
    SESSION_ENDED = "session_ended", 401, "This session was ended"
    FORBIDDEN = "forbidden", 403, "Not allowed"
    MEMBER_REMOVED = "member_removed", 403, "Removed from this room"
    NOT_FOUND = "not_found", 404, "Not found"
    CONFLICT = "conflict", 409, "Conflict"
    TOO_LARGE = "too_large", 413, "Too large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", 415, "Unsupported media type"
    NO_SUCH_RANGE = "no_such_range", 416, "No such range"
    RATE_LIMITED = "rate_limited", 429, "Too many requests"
    UNAVAILABLE = "unavailable", 503, "Temporarily unavailable"
    BAD_FRAME = "bad_frame", 400, "Unreadable frame"
    UNKNOWN_OP = "unknown_op", 400, "Unknown operation"


class FieldError(msgspec.Struct):
    field: str
    message: str


class ProblemDetails(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The body of every HTTP error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []


class DomainError(Exception):
    """A request that was rejected. Subclasses name the code.

    `errors` maps field names to messages; `retry_after` is in seconds.
    """

    code: ErrorCode
    audited = False
    """The audit trail has a line about it already."""

    def __init__(self, detail: str, *, errors: Mapping[str, str] | None = None, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = dict(errors or {})
        self.retry_after = retry_after


class Invalid(DomainError):
    code = ErrorCode.INVALID


class Unauthenticated(DomainError):
    code = ErrorCode.UNAUTHENTICATED


class SessionEnded(Unauthenticated):
    """The session was revoked before it expired. Browsers delete what they keep of it."""

    code = ErrorCode.SESSION_ENDED


class Forbidden(DomainError):
    code = ErrorCode.FORBIDDEN


class MemberRemoved(Forbidden):
    """The invited user was removed from the room, and the inviter may not remove members."""

    code = ErrorCode.MEMBER_REMOVED


class NotFound(DomainError):
    code = ErrorCode.NOT_FOUND


class Conflict(DomainError):
    code = ErrorCode.CONFLICT


class TooLarge(DomainError):
    code = ErrorCode.TOO_LARGE


class RateLimited(DomainError):
    code = ErrorCode.RATE_LIMITED


class Unavailable(DomainError):
    """Nothing was done or the outcome is unknown. The caller may try again."""

    code = ErrorCode.UNAVAILABLE


_CLASSES = (Invalid, Unauthenticated, Forbidden, NotFound, Conflict, TooLarge, RateLimited, Unavailable)
_BY_CODE: Mapping[str, type[DomainError]] = {cls.code: cls for cls in (*_CLASSES, MemberRemoved)}
_BY_STATUS: Mapping[int, type[DomainError]] = {cls.code.status: cls for cls in _CLASSES}


def error_for_code(code: str, detail: str, errors: Mapping[str, str] | None = None) -> DomainError:
    """Return the error that another process reported. An unknown code becomes Unavailable."""
    return _BY_CODE.get(code, Unavailable)(detail, errors=errors)


def error_for_status(status: int, detail: str) -> DomainError | None:
    """Return the error with this HTTP status, or None if there is none."""
    cls = _BY_STATUS.get(status)
    return None if cls is None else cls(detail)


def field_and_problem(error: Exception) -> tuple[str, str]:
    """Split an error of msgspec, such as ``Expected `int` - at `$.seq` ``, into the field, or "", and the problem."""
    problem, _, path = str(error).partition(" - at `$.")
    return path.rstrip("`"), problem
