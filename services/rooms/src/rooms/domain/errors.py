"""The errors by which rooms rejects a command or a request."""

from shared.errors import DomainError, ErrorCode, Invalid, NotFound, Unavailable, error_for_code


def no_room() -> NotFound:
    """Return the error for a missing room, which is the same for a room that the caller is not a member of."""
    return NotFound("There is no such room.")


def no_message() -> NotFound:
    return NotFound("There is no such message.")


def no_attachment() -> NotFound:
    return NotFound("There is no such attachment.")


def no_user() -> NotFound:
    return NotFound("There is no such user.")


def invalid(detail: str) -> Invalid:
    """Return an Invalid whose detail may start with the name of a field and a colon."""
    return Invalid(detail, errors=_field_of(detail))


def unavailable() -> Unavailable:
    return Unavailable("This did not go through. Send it again.")


def error_of(code: str, detail: str) -> DomainError:
    """Return the error of a rejected command."""
    return error_for_code(code, detail, _field_of(detail) if code == ErrorCode.INVALID else {})


def _field_of(detail: str) -> dict[str, str]:
    field, colon, message = detail.partition(": ")
    return {field: message} if colon else {}
