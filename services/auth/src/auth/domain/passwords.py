"""The rules for passwords: NIST SP 800-63B, a minimum length and a list of common ones, no composition rules."""

import unicodedata
from functools import cache

MIN_CHARACTERS = 8
MAX_BYTES = 200


def normal_form(password: str) -> str:
    """Return the password in NFC, so that it is the same whatever system it is typed on."""
    return unicodedata.normalize("NFC", password)


@cache
def common_passwords() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # type: ignore[import-untyped]  # noqa: PLC0415 - 14 MB

    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= MIN_CHARACTERS)


def check_password(password: str, webchat_id: str, email: str) -> str:
    """Return the password's normal form; raises ValueError with the reason if it is not acceptable."""
    password = normal_form(password)
    folded = password.casefold()
    if len(password) < MIN_CHARACTERS:
        raise ValueError(f"use at least {MIN_CHARACTERS} characters")
    if len(password.encode()) > MAX_BYTES:
        raise ValueError(f"use at most {MAX_BYTES} bytes")
    if folded in {webchat_id.casefold(), email.casefold(), email.casefold().partition("@")[0]}:
        raise ValueError("must not be your WebChat ID or your email address")
    if folded in common_passwords() or len(set(folded)) == 1:
        raise ValueError("is one of the most common passwords")
    return password
