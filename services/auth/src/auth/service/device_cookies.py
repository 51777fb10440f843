"""The cookie by which auth recognises the devices of an account (OWASP: Slow Down Online Guessing With Device Cookies).

It consists of marks, one for each account that signed in with the browser. A mark is a random number and its HMAC for
the account, so nobody can make one, and it does not reveal the account. It grants nothing but a separate rate limit.
"""

import base64
import hashlib
import hmac
import re
import secrets

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAX_MARKS = 5
"""Accounts that a browser is remembered for. A further one replaces the oldest."""
NONCE, MAC = 12, 18
_MARK = re.compile(r"[A-Za-z0-9_-]{40}")


class DeviceCookies:
    def __init__(self, secret: str) -> None:
        self._key = HKDF(SHA256(), 32, salt=None, info=b"webchat auth device cookies").derive(secret.encode())

    def find(self, cookie: str, user_id: str) -> str | None:
        """Return the mark of this account in a cookie, or None if the account never signed in with the browser."""
        return next((mark for mark in _marks(cookie) if self._is_of(mark, user_id)), None)

    def add(self, cookie: str, user_id: str) -> str:
        """Return the cookie with a mark of this account."""
        if self.find(cookie, user_id) is not None:
            return cookie
        nonce = secrets.token_bytes(NONCE)
        mark = base64.urlsafe_b64encode(nonce + self._mac(nonce, user_id)).decode()
        return ".".join([*_marks(cookie), mark][-MAX_MARKS:])

    def _is_of(self, mark: str, user_id: str) -> bool:
        raw = base64.urlsafe_b64decode(mark)
        return hmac.compare_digest(raw[NONCE:], self._mac(raw[:NONCE], user_id))

    def _mac(self, nonce: bytes, user_id: str) -> bytes:
        return hmac.digest(self._key, nonce + user_id.encode(), hashlib.sha256)[:MAC]


def _marks(cookie: str) -> list[str]:
    """Return the well-formed marks of a cookie, the oldest first."""
    return [mark for mark in cookie.split(".")[:MAX_MARKS] if _MARK.fullmatch(mark)]
