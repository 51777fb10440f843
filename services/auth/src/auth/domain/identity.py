"""WebChat IDs and email addresses: validation, and the canonical form in which each is unique."""

import hashlib
import re
import unicodedata

WEBCHAT_ID_PATTERN = r"[A-Za-z0-9_.]{3,20}"
_WEBCHAT_ID = re.compile(WEBCHAT_ID_PATTERN)
_EMAIL = re.compile(r"[^\s@\"(),:;<>\[\\\]]{1,64}@[^\s@\"(),:;<>\[\\\]]{1,252}")
_LABEL = re.compile(r"(?!-)[a-zA-Z0-9\u0080-\U0010ffff-]{1,63}(?<!-)")
MAX_EMAIL = 254


def webchat_id_of(text: str) -> str:
    """Return the WebChat ID in lower case; raises ValueError if it is malformed."""
    if _WEBCHAT_ID.fullmatch(text) is None:
        raise ValueError("use 3 to 20 of the letters a to z, digits, _ and .")
    return text.lower()


def webchat_id_hash(webchat_id: str) -> bytes:
    """Return the hash by which a WebChat ID is unique. It stays when the account is closed, so the ID stays taken.

    The hash has no key because it must outlive every secret. A reader of the table can confirm a guess of an ID.
    """
    return hashlib.sha256(webchat_id.encode()).digest()


def check_email(text: str) -> str:
    """Return the address as it is displayed; raises ValueError if it is malformed."""
    email = unicodedata.normalize("NFC", text.strip())
    if _EMAIL.fullmatch(email) is None or any(unicodedata.category(char)[0] == "C" for char in email):
        raise ValueError("is not an email address")
    local, _, domain = email.rpartition("@")
    labels = domain.split(".")
    if len(labels) < 2 or any(_LABEL.fullmatch(label) is None for label in labels):
        raise ValueError("is not an email address")
    if local.startswith(".") or local.endswith(".") or ".." in local:
        raise ValueError("is not an email address")
    if max(len(email), len(email_key(email))) > MAX_EMAIL:
        raise ValueError("is too long")
    return email


def email_key(email: str) -> str:
    """Return the form in which addresses are compared: NFKC and case-folded, including the local part.

    Mail systems may treat `Anna@` and `anna@` as two mailboxes, but practically none does.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email).casefold())


def login_key(login: str) -> str:
    """Return the form in which a typed login is compared. An address contains an @, a WebChat ID never does."""
    login = login.strip()
    return email_key(login) if "@" in login else login.lower()
