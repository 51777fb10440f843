"""Authentication of upgrade requests."""

import pytest

from chat_gateway.transport.handshake import Handshake
from shared.errors import Unauthenticated, Unavailable
from shared.rpc.tokens import TOKEN_HEADER, Principal

MINJI = Principal("user", "minji", "session")


async def verify(token: str) -> Principal:
    match token:
        case "minji":
            return MINJI
        case "rooms":
            return Principal("service", "rooms")
        case "away":
            raise Unavailable("A part of WebChat does not answer.")
    raise Unauthenticated("This request carries no valid token.")


async def test_the_upgrade_of_a_user_is_accepted():
    assert await Handshake(verify).check({TOKEN_HEADER: "minji"}) is MINJI


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({TOKEN_HEADER: "rooms"}, 401),
        ({TOKEN_HEADER: "forged"}, 401),
        ({TOKEN_HEADER: "away"}, 503),
        ({"Authorization": "minji"}, 401),
    ],
    ids=["service", "forged", "auth is away", "no token"],
)
async def test_other_upgrades_are_rejected_with_a_status(headers: dict[str, str], status: int):
    error = await Handshake(verify).check(headers)
    assert not isinstance(error, Principal)
    assert error.code.status == status
