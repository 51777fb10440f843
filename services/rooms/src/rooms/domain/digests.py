"""The digests with which a retry of a message is compared with the first attempt.

The plain digest of a message stays as long as its first text stays. When the message is edited or deleted, the digest
is sealed: whoever reads the table without the key cannot confirm a guess of the text.
"""

import hashlib
import hmac
from collections.abc import Sequence

import msgspec

FORGOTTEN = bytes(32)
"""The digest of a message whose first content is not known any more. It matches every retry."""


class DigestKeys(msgspec.Struct, frozen=True):
    """The first key seals, all keys verify. Without a key, digests are forgotten instead of sealed."""

    keys: Sequence[str] = ()

    def seal(self, digest: bytes) -> bytes:
        return _mac(self.keys[0], digest) if self.keys else FORGOTTEN

    def matches(self, stored: bytes, digest: bytes) -> bool:
        """Return whether `stored`, sealed or not, belongs to this plain digest."""
        return stored in (digest, FORGOTTEN) or any(stored == _mac(key, digest) for key in self.keys)


NO_KEYS = DigestKeys()


def _mac(key: str, digest: bytes) -> bytes:
    return hmac.digest(key.encode(), digest, hashlib.sha256)
