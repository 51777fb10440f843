"""The canary: it reports no violation while processes are killed, and every violation that the tests cause."""

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from canary_figures import Figures, reading
from jsonschema import Draft202012Validator
from proxy import Proxy, running
from redis import Redis
from stack import Stack
from target import start
from test_logs import SCHEMA
from waiting import eventually

from canary.account import Account, http_client
from canary.gateways import Gateways
from canary.metrics import CanaryMetrics
from canary.settings import CanarySettings
from canary.watch import Watch
from shared.roomlog.stream import APPEND_EVENTS
from shared.tasks import background
from shared.testing.servers import free_port, valkey

pytestmark = pytest.mark.embedded_only("on containers it runs along with test_faults")


PATIENCE_S = 1
VIOLATIONS = ("unacked", "late", "lost", "repeated", "gaps", "reconnects")


class Watched:
    """A stack with a canary, a proxy between the canary and nginx, and one in front of Valkey."""

    def __init__(self, stack: Stack, entrance: Proxy, redis: Proxy) -> None:
        self.stack, self.entrance, self.redis = stack, entrance, redis
        self.read = reading(stack)

    async def more(self, count: float = 8) -> None:
        """Wait until `count` more messages were acknowledged and received."""
        before = self.read()
        await self.until(lambda now: min(now["acked"] - before["acked"], now["received"] - before["received"]) >= count)

    async def until(self, check: Callable[[Figures], bool]) -> Figures:
        await eventually(lambda: check(self.read()), 60)
        return self.read()

    async def logged(self, words: str) -> None:
        """Wait until the canary has logged an error with these words."""
        await eventually(lambda: any(words in line["message"] for line in self.lines() if line["log.level"] == "error"))

    def lines(self) -> list[dict[str, Any]]:
        """Return the canary's log lines."""
        return [json.loads(line) for line in self.stack.logs()["canary"].splitlines()]

    async def settled(self) -> Figures:
        """Wait until both gateways are up and new messages arrive."""
        await self.until(lambda now: now.all_up and now.waiting == 0)
        await self.more()
        return self.read()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    public = free_port()
    with valkey(tmp_path_factory.mktemp("valkey")) as port:
        entrance, redis = Proxy(lambda: public), Proxy(lambda: port)
        settings = {
            "WEBCHAT_PORT": str(public),
            "REDIS_ENDPOINT": f"127.0.0.1:{redis.port}",
            "CANARY": "on",
            "CANARY_TARGET": f"http://127.0.0.1:{entrance.port}",
            "CANARY_SECONDS": "0.2",
            "CANARY_PATIENCE_S": str(PATIENCE_S),
        }
        with running(entrance, redis), start(tmp_path_factory.mktemp("canary"), **settings) as stack:
            yield Watched(stack, entrance, redis)


@pytest.fixture
async def calm(watched: Watched) -> AsyncIterator[Figures]:
    """The figures before the test. Afterwards, faults are undone and the log is checked against its schema."""
    before = await watched.settled()
    yield before
    watched.entrance.alter = None
    watched.redis.release()
    if watched.read()["lost"] > before["lost"]:
        await watched.more(30)  # until history was verified again, which finds the last lost message
    contract, lines = Draft202012Validator(SCHEMA), watched.lines()
    assert lines
    assert [error.message for line in lines for error in contract.iter_errors(line)] == []


async def test_a_killed_gateway_is_no_loss(watched: Watched, calm: Figures):
    for name in ("chat-gateway-1", "chat-gateway-2"):
        await asyncio.to_thread(watched.stack.kill, name)
        await watched.more()
    after = await watched.settled()
    assert after["reconnects"] > calm["reconnects"]
    assert after.broken_since(calm) == {}


async def test_a_flushed_redis_is_no_loss(watched: Watched, calm: Figures):
    with Redis(host="127.0.0.1", port=watched.redis.target()) as redis:
        for _ in range(3):
            await watched.more(3)
            redis.flushall()
    after = await watched.settled()
    assert after["acked"] > calm["acked"]
    assert after.broken_since(calm) == {}


async def test_while_the_database_is_locked_messages_are_unacknowledged_not_lost(watched: Watched, calm: Figures):
    with watched.stack.holding_rooms():
        during = await watched.until(lambda now: now["unacked"] > calm["unacked"])
        assert during.waiting > PATIENCE_S
    after = await watched.settled()
    assert after["acked"] > calm["acked"]
    assert after.broken_since(calm) == {}


async def test_a_stuck_publisher_shows_in_late_messages(watched: Watched, calm: Figures):
    """Rooms commits and acknowledges, but its events do not reach Valkey until later, which is no loss."""
    watched.redis.hold_next(APPEND_EVENTS.sha.encode(), "request")
    await watched.until(lambda now: now["late"] > calm["late"])
    watched.redis.release()
    after = await watched.settled()
    assert after.broken_since(calm) == {}


FRAME = re.compile(rb"\x81(?:[\x00-\x7d]|\x7e..)(\{.*?\})(?=\x81|$)", re.DOTALL)


def events_altered(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Return a function that changes `message.created` frames. They are small, so each arrives in one piece."""

    def alter(data: bytes) -> bytes:
        return FRAME.sub(lambda frame: change(frame[0]) if b'"message.created"' in frame[1] else frame[0], data)

    return alter


async def test_a_repeated_event_is_counted(watched: Watched, calm: Figures):
    watched.entrance.alter = events_altered(lambda frame: frame + frame)
    await watched.until(lambda now: now["repeated"] > calm["repeated"])
    await watched.logged("received again")
    watched.entrance.alter = None
    assert (await watched.settled())["lost"] == calm["lost"]


async def test_a_dropped_event_is_a_gap_that_a_resume_repairs(watched: Watched, calm: Figures):
    left = [b""] * 3
    watched.entrance.alter = events_altered(lambda frame: left.pop() if left else frame)
    await watched.until(lambda now: now["gaps"] > calm["gaps"])
    await watched.logged("gap: version")
    assert not left
    after = await watched.settled()
    assert after["lost"] == calm["lost"]
    assert after["reconnects"] > calm["reconnects"]


async def test_an_event_that_never_arrives_is_a_loss(watched: Watched, calm: Figures):
    """Readers get the same gap again when they resume."""
    last = re.compile(rb'"seq":\d*[05],')
    watched.entrance.alter = events_altered(lambda frame: b"" if last.search(frame) else frame)
    await watched.until(lambda now: now["lost"] > calm["lost"])
    await watched.logged("skipped by a reader")


async def test_a_message_deleted_from_the_database_is_a_loss(watched: Watched, calm: Figures):
    path = Path(watched.stack.data) / "db" / "rooms.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as database:

        def is_lost() -> bool:
            database.execute("DELETE FROM message WHERE seq = (SELECT max(head_seq) FROM room)")
            return watched.read()["lost"] > calm["lost"]

        await eventually(is_lost, 60)
    await watched.logged("missing in history")


async def test_a_lost_room_is_reported_and_another_is_opened(watched: Watched, calm: Figures):
    path = Path(watched.stack.data) / "db" / "rooms.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as database:
        database.execute("DELETE FROM member")
    await watched.until(lambda now: now["unacked"] > calm["unacked"])
    assert (await watched.settled())["acked"] > calm["acked"]


async def test_a_new_day_has_a_new_room_and_the_old_one_is_left(watched: Watched, calm: Figures):
    """Run another canary in this process, with days as long as the test needs."""
    url, password, days = watched.stack.url, "for two more accounts", ["canary one"]
    gateways = [f"127.0.0.1:{watched.stack.port(name)}" for name in ("chat-gateway-1", "chat-gateway-2")]
    settings = CanarySettings(_env_file=None, canary_password=password, canary_target=url, canary_seconds=0.2)
    metrics = CanaryMetrics()
    read = metrics.registry.get_sample_value

    def received() -> float:
        name = "webchat_canary_received_total"
        return min(read(name, {"gateway": gateway}) or 0 for gateway in gateways)

    async with http_client() as a, http_client() as b:
        accounts = [Account(http, url, name, password) for http, name in ((a, "day_a"), (b, "day_b"))]
        known = Gateways(a, [f"http://{gateway}" for gateway in gateways], 8)
        watch = Watch(settings, metrics, known, accounts, lambda: days[-1])

        async def are_in(title: str) -> bool:
            homes = [await account.call("GET", "/rooms") for account in accounts]
            return [room["title"] for home in homes for room in home["items"]] == [title] * 2

        async with background("canary watch", watch.run):
            await eventually(lambda: received() > 4, 60)
            assert await are_in("canary one")
            days.append("canary two")
            await eventually(lambda: are_in("canary two"), 60)
            before = received()
            await eventually(lambda: received() > before + 4, 60)
            # Before the watch ends, because a message that it abandons on its way counts as unacknowledged.
            found = {name: read(f"webchat_canary_{name}_total") for name in VIOLATIONS}
    assert found == dict.fromkeys(VIOLATIONS, 0)
