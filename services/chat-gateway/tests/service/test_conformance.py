"""RFC 6455: what a gateway answers to correct and incorrect input."""

import pytest
from redis.asyncio import Redis

from shared.rpc.tokens import TOKEN_HEADER
from shared.testing.websocket_cases import CASES, Case, outcome
from shared.testing.websocket_client import raw_client

from .test_socket import served


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_case_of_autobahn(redis: Redis, case: Case):
    async with served(redis) as gateway, raw_client(gateway.url, {TOKEN_HEADER: "good"}) as client:
        assert await outcome(case, client) == (case.answers, case.code)
