"""URLs of CloudFront. Without a signing key they are unsigned, and anyone who has one can use it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr

from media.storage.bucket import ObjectHeaders


class Cdn:
    def __init__(self, base_url: str, sign: Callable[[str, datetime], str] | None) -> None:
        self._base_url, self._sign = base_url.rstrip("/"), sign

    @property
    def can_sign(self) -> bool:
        return self._sign is not None

    def link(self, key: str, headers: ObjectHeaders, seconds: int) -> str:
        """Return a URL for an object, signed if there is a key."""
        url = f"{self._base_url}/{key}"
        if self._sign is None:
            return url
        forced = {
            "response-content-type": headers.content_type,
            "response-content-disposition": headers.disposition,
        }
        return self._sign(f"{url}?{urlencode(forced)}", datetime.now(UTC) + timedelta(seconds=seconds))


def open_cdn(url: str | None, key_id: str | None, private_key: SecretStr | None) -> Cdn | None:
    """Return None without a URL. Raises ValueError for a malformed key."""
    if url is None:
        return None
    if key_id is None or private_key is None:
        return Cdn(url, None)
    pem = private_key.get_secret_value().replace("\\n", "\n").encode()
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("CDN_PRIVATE_KEY: must be an RSA key")  # noqa: TRY004 - a wrong value of a setting
    return Cdn(url, _signer(key_id, key))


def _signer(key_id: str, key: RSAPrivateKey) -> Callable[[str, datetime], str]:
    def rsa(message: bytes) -> bytes:
        return key.sign(message, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303 - the only hash that CloudFront accepts

    signer = CloudFrontSigner(key_id, rsa)

    def sign(url: str, until: datetime) -> str:
        signed: str = signer.generate_presigned_url(url, date_less_than=until)
        return signed

    return sign
