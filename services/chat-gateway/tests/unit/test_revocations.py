"""Sessions that auth reports as revoked, without a notification."""

from collections.abc import AsyncIterator

import pytest

from chat_gateway.timings import DEFAULT_TIMINGS
from shared.contracts.auth import RevocationsRequest, RevokedSession
from shared.errors import Unavailable
from shared.ids import new_id
from shared.testing.fixtures import eventually

from ..harness import GatewayHarness  # noqa: TID252 - the tests of one service


@pytest.fixture
async def harness() -> AsyncIterator[GatewayHarness]:
    harness = GatewayHarness()
    async with harness.running():
        yield harness


def test_the_pause_leaves_time_for_the_answer():
    """A revocation must take effect within a second."""
    assert DEFAULT_TIMINGS.revocations <= 0.5


async def test_only_connections_of_revoked_sessions_are_closed(harness: GatewayHarness):
    first, second, junho = [await harness.connect(user) for user in ("minji", "minji", "junho")]
    harness.auth.revoke(first.session_id)
    await harness.gateway.revocations.poll()
    assert [frame["op"] for frame in first.frames] == ["ready", "session.revoked"]
    assert [one.transport.closed for one in (first, second, junho)] == [4401, None, None]
    await harness.gateway.revocations.poll()  # auth reports it again
    assert [frame["op"] for frame in first.frames] == ["ready", "session.revoked"]


async def test_clients_of_a_replaced_session_keep_their_data(harness: GatewayHarness):
    """They reconnect with the new session of the same user."""
    minji = await harness.connect("minji")
    harness.auth.revoke(minji.session_id, replaced=True)
    await harness.gateway.revocations.poll()
    assert ([frame["op"] for frame in minji.frames], minji.transport.closed) == (["ready"], 4401)


async def test_queued_commands_of_a_revoked_session_are_not_sent(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    minji, junho = await harness.connect("minji"), await harness.connect("junho")
    harness.rooms.pause()
    junho.send("message.send", room_id=room_id, client_id=new_id(), body="in flight")
    await eventually(lambda: harness.rooms.requests_to("commands"))
    queued = minji.send("message.send", room_id=room_id, client_id=new_id(), body="queued")
    harness.auth.revoke(minji.session_id)
    await harness.gateway.revocations.poll()
    harness.rooms.resume()
    await junho.request("message.send", room_id=room_id, client_id=new_id(), body="last")
    assert harness.rooms.bodies(room_id) == ["in flight", "last"]
    assert (minji.reply(queued) or {})["code"] == "unauthenticated"


async def test_each_question_continues_at_the_last_answer(harness: GatewayHarness):
    await harness.gateway.revocations.poll()
    harness.auth.error = Unavailable("away")
    with pytest.raises(Unavailable):
        await harness.gateway.revocations.poll()
    harness.auth.error = None
    await harness.gateway.revocations.poll()
    assert harness.auth.requests_to("revocations") == [RevocationsRequest(since) for since in (0, 1, 1)]


async def test_an_incomplete_answer_starts_a_check_of_all_sessions(harness: GatewayHarness):
    minji = await harness.connect("minji")
    assert not harness.gateway.user_sync.check_now.is_set()
    harness.auth.complete = False
    await harness.gateway.revocations.poll()
    assert harness.gateway.user_sync.check_now.is_set()
    assert minji.transport.closed is None


async def test_sessions_of_other_gateways_are_ignored(harness: GatewayHarness):
    minji = await harness.connect("minji")
    harness.auth.revoked += [RevokedSession(new_id(), "minji"), RevokedSession(new_id(), "sora")]
    await harness.gateway.revocations.poll()
    assert minji.transport.closed is None
