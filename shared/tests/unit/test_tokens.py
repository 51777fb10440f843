"""Forged, borrowed and outdated tokens are rejected: algorithm, key, audience, time and claims."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwt

from shared.errors import Unauthenticated
from shared.rpc.tokens import Jwk, Principal, sign_token, token_key_id, verify_token

ANA = Principal("user", "ana", "session")


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def new_key(kid: str) -> Jwk:
    numbers = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    point = numbers.public_numbers
    x, y, d = (encoded(number.to_bytes(32, "big")) for number in (point.x, point.y, numbers.private_value))
    return {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid, "x": x, "y": y, "d": d}


KEY = new_key("one")
PUBLIC = {name: value for name, value in KEY.items() if name != "d"}


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    made = {"sub": "ana", "sid": "session", "use": "user", "aud": "rooms", "iat": now, "exp": now + 60} | changes
    return {name: value for name, value in made.items() if value is not None}


def signed(body: dict[str, Any], key: Jwk = KEY) -> str:
    return jwt.encode(body, key, algorithm="ES256", headers={"kid": "one"})


def by_hand(algorithm: str, secret: bytes) -> str:
    """Return a token of another algorithm, which python-jose would not make with such a key."""
    header = encoded(json.dumps({"alg": algorithm, "kid": "one"}).encode())
    text = f"{header}.{encoded(json.dumps(claims()).encode())}"
    signature = hmac.digest(secret, text.encode(), hashlib.sha256) if secret else b""
    return f"{text}.{encoded(signature)}"


def test_a_token_names_its_principal():
    token = sign_token(KEY, ANA, "rooms")
    assert token_key_id(token) == "one"
    assert verify_token(token, PUBLIC, "rooms") == ANA


@pytest.mark.parametrize(
    "forged",
    [
        by_hand("none", b""),
        by_hand("HS256", json.dumps(PUBLIC).encode()),
        by_hand("HS256", PUBLIC["x"].encode()),
        signed(claims(), new_key("one")),
        signed(claims()).rpartition(".")[0] + ".",
        signed(claims())[:-8] + "AAAAAAAA",
        "forged",
        "",
    ],
    ids=["none", "public key as secret", "coordinate as secret", "another key", "unsigned", "changed", "text", "empty"],
)
def test_a_forged_token_is_rejected(forged: str):
    with pytest.raises(Unauthenticated):
        verify_token(forged, PUBLIC, "rooms")


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "media"},
        {"aud": None},
        {"exp": -10},
        {"exp": None},
        {"nbf": 600},
        {"sub": None},
        {"use": None},
        {"use": "operator"},
        {"sub": 7},
    ],
    ids=["audience", "no audience", "expired", "no end", "early", "no subject", "no use", "unknown use", "number"],
)
def test_a_token_with_a_wrong_claim_is_rejected(changes: dict[str, Any]):
    """Times are in seconds from now."""
    now = int(time.time())
    for name in changes.keys() & {"exp", "nbf"}:
        changes |= {name: now + changes[name]} if changes[name] is not None else {}
    with pytest.raises(Unauthenticated):
        verify_token(signed(claims(**changes)), PUBLIC, "rooms")


@pytest.mark.parametrize("changes", [{"kty": "oct"}, {"kty": "RSA"}, {"crv": "P-384"}], ids=["oct", "rsa", "p-384"])
def test_a_key_of_another_type_verifies_nothing(changes: dict[str, str]):
    with pytest.raises(Unauthenticated):
        verify_token(sign_token(KEY, ANA, "rooms"), PUBLIC | changes, "rooms")
