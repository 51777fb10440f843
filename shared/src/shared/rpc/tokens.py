"""Short-lived signed tokens (JWT, ES256) that name the caller, a user's session or a service, and the audience.

python-jose does not require `aud`, `exp` and `sub`, nor a certain key type by default; this module does.
"""

import time
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import msgspec
from jose import JWTError, jwk, jwt
from jose.backends.base import Key
from jose.constants import ALGORITHMS

from shared.errors import Unauthenticated

TOKEN_HEADER = "X-WebChat-Token"  # noqa: S105 - a header's name
Use: TypeAlias = Literal["user", "service"]
Jwk: TypeAlias = dict[str, Any]


class Principal(msgspec.Struct, frozen=True):
    """The subject of a verified token: a user id with its session, or the name of a service."""

    use: Use
    subject: str
    session_id: str = ""


def sign_token(key: Jwk, principal: Principal, audience: str, *, lifetime: int = 60) -> str:
    """Return a token for `audience`, signed with a private JWK that has a `kid`; valid for `lifetime` seconds."""
    now = int(time.time())
    claims = {
        "sub": principal.subject,
        "sid": principal.session_id,
        "use": principal.use,
        "aud": audience,
        "iat": now,
        "exp": now + lifetime,
    }
    token: str = jwt.encode(claims, _constructed(key), algorithm=ALGORITHMS.ES256, headers={"kid": key["kid"]})
    return token


def token_key_id(token: str) -> str:
    try:
        return str(jwt.get_unverified_header(token).get("kid", ""))
    except JWTError as error:
        raise Unauthenticated("This request carries no valid token.") from error


def verify_token(token: str, key: Jwk, audience: str) -> Principal:
    """Return the token's principal; raises Unauthenticated for a wrong key type, signature, audience, time or claim."""
    if (key.get("kty"), key.get("crv")) != ("EC", "P-256"):
        raise Unauthenticated("This request carries no valid token.")
    options = {"require_aud": True, "require_exp": True, "require_sub": True, "leeway": 5}
    try:
        claims = jwt.decode(token, _constructed(key), algorithms=[ALGORITHMS.ES256], audience=audience, options=options)
        return msgspec.convert(
            {"use": claims["use"], "subject": claims["sub"], "session_id": claims.get("sid", "")}, Principal
        )
    except (JWTError, KeyError, msgspec.ValidationError) as error:
        raise Unauthenticated("This request carries no valid token.") from error


def _constructed(key: Jwk) -> Key:
    """Return the key in the form that signs and verifies. To construct it takes three times as long as to sign."""
    return _construct(msgspec.json.encode(key))


@lru_cache(maxsize=64)
def _construct(key: bytes) -> Key:
    constructed: Key = jwk.construct(msgspec.json.decode(key), ALGORITHMS.ES256)
    return constructed
