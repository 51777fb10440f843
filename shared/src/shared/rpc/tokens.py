"""Short-lived signed tokens: who asks (a user's session or a service), and for whom the token is meant.

ES256 only. python-jose does not by itself require `aud`, `exp` and `sub`, nor a key type; both are checked here.
"""

import time
from typing import Any, Literal, TypeAlias

import msgspec
from jose import JWTError, jwt
from jose.constants import ALGORITHMS

from shared.errors import Unauthenticated

TOKEN_HEADER = "X-WebChat-Token"  # noqa: S105 - a header's name
Use: TypeAlias = Literal["user", "service"]
Jwk: TypeAlias = dict[str, Any]


class Principal(msgspec.Struct, frozen=True):
    """Who a verified token speaks for: a user id with its session, or a service's name."""

    use: Use
    subject: str
    session_id: str = ""


def sign_token(key: Jwk, principal: Principal, audience: str, *, lifetime: int = 60) -> str:
    """A token for `audience`, signed with a private JWK that carries its `kid`; valid for `lifetime` seconds."""
    now = int(time.time())
    claims = {
        "sub": principal.subject,
        "sid": principal.session_id,
        "use": principal.use,
        "aud": audience,
        "iat": now,
        "exp": now + lifetime,
    }
    token: str = jwt.encode(claims, key, algorithm=ALGORITHMS.ES256, headers={"kid": key["kid"]})
    return token


def token_key_id(token: str) -> str:
    try:
        return str(jwt.get_unverified_header(token).get("kid", ""))
    except JWTError as error:
        raise Unauthenticated("This request carries no valid token.") from error


def verify_token(token: str, key: Jwk, audience: str) -> Principal:
    """The token's principal; raises Unauthenticated for a wrong key type, signature, audience, time or claim."""
    if (key.get("kty"), key.get("crv")) != ("EC", "P-256"):
        raise Unauthenticated("This request carries no valid token.")
    options = {"require_aud": True, "require_exp": True, "require_sub": True, "leeway": 5}
    try:
        claims = jwt.decode(token, key, algorithms=[ALGORITHMS.ES256], audience=audience, options=options)
        return msgspec.convert(
            {"use": claims["use"], "subject": claims["sub"], "session_id": claims.get("sid", "")}, Principal
        )
    except (JWTError, KeyError, msgspec.ValidationError) as error:
        raise Unauthenticated("This request carries no valid token.") from error
