"""Signing keys as JWKs, encrypted for the table with AES-GCM and a key derived from SESSION_SECRET_KEY."""

import base64
import secrets

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.rpc.tokens import Jwk

_NONCE = 12


def _coordinate(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()


def new_private_jwk(kid: str) -> Jwk:
    """Generate an ES256 key (RFC 7518, section 6.2)."""
    private = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    point = private.public_numbers
    return {
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid,
        "x": _coordinate(point.x), "y": _coordinate(point.y), "d": _coordinate(private.private_value),
    }  # fmt: skip


def public_part(jwk: Jwk) -> Jwk:
    return {name: value for name, value in jwk.items() if name != "d"}


class KeyCipher:
    def __init__(self, secret: str) -> None:
        derived = HKDF(SHA256(), 32, salt=None, info=b"webchat auth signing keys").derive(secret.encode())
        self._cipher = AESGCM(derived)

    def encrypt(self, jwk: Jwk) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, msgspec.json.encode(jwk), str(jwk["kid"]).encode())

    def decrypt(self, sealed: bytes, kid: str) -> Jwk | None:
        """Return the private JWK, or None if it was encrypted with another secret."""
        try:
            raw = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], kid.encode())
        except InvalidTag:
            return None
        return msgspec.json.decode(raw, type=Jwk)
