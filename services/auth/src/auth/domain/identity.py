"""What names an account: the WebChat ID and the email address, and the form in which each is unique."""

import hashlib
import re
import unicodedata

_WEBCHAT_ID = re.compile(r"[A-Za-z0-9_.]{3,20}")
_EMAIL = re.compile(r"[^\s@\"(),:;<>\[\\\]]{1,64}@[^\s@\"(),:;<>\[\\\]]{1,252}")
_LABEL = re.compile(r"(?!-)[a-zA-Z0-9\u0080-\U0010ffff-]{1,63}(?<!-)")
MAX_EMAIL = 254


def webchat_id_of(text: str) -> str:
    """The WebChat ID in its one form, lower case; raises ValueError where it is none."""
    if _WEBCHAT_ID.fullmatch(text) is None:
        raise ValueError("use 3 to 20 of the letters a to z, digits, _ and .")
    return text.lower()


def webchat_id_hash(webchat_id: str) -> bytes:
    """What stays of a WebChat ID when its account is closed, so that nobody can take it up.

    Without a key: it must outlive every secret. It hides the id from a reader of the table, not from one who guesses.
    """
    return hashlib.sha256(webchat_id.encode()).digest()


def check_email(text: str) -> str:
    """The address as it will be shown; raises ValueError where no mail could go there."""
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
    """The form in which addresses are compared: compatibility forms and case folded, local part included.

    Mail systems may tell `Anna@` from `anna@`; none in use does, and two accounts so close would only confuse.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email).casefold())


def login_key(login: str) -> str:
    """What a typed login is compared by: an address holds an @, a WebChat ID never does."""
    login = login.strip()
    return email_key(login) if "@" in login else login.lower()
