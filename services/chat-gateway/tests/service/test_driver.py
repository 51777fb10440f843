"""What the driver does for connections when other services fail or change in between; those are cut at `Peer`."""

import asyncio
import json
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from chat_gateway.clients.auth import Auth
from chat_gateway.clients.media import Media
from chat_gateway.clients.rooms import Rooms
from chat_gateway.clients.social import Social
from chat_gateway.driver.client import Client
from chat_gateway.driver.gateway import Gateway, UserState
from chat_gateway.driver.perform import perform
from chat_gateway.driver.sync import _bring_in, check_users, sync_friends
from chat_gateway.lanes import GAVE_UP, Lane, Lanes
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.frames import MessageSend
from chat_gateway.protocol.limits import Limits
from shared.contracts.auth import SessionsStanding
from shared.contracts.rooms import BatchDone, Done, Home, HomeRoom, LeaveRoom, Place, Result, Room
from shared.contracts.social import Friends, Profile
from shared.roomlog.frames import payload_of
from shared.service.ids import new_id
from shared.service.overload import Overload
from shared.service.problems import Unavailable
from shared.service.tokens import Principal
from shared.streams.hints import SessionsRevoked
from shared.testing.fixtures import eventually


class Peer:
    """Another service that answers every call alike."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def call(self, *_: object, **__: object) -> Any:
        await asyncio.sleep(0)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class KeepingWire:
    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.closed: int | None = None

    def push(self, data: bytes) -> None:
        self.frames.append(json.loads(payload_of(data)))

    push_droppable = answer = push

    async def send(self, data: bytes) -> None:
        self.push(data)

    def read_on(self) -> None: ...

    def close(self, code: int, _: str) -> None:
        self.closed = self.closed or code


@pytest.fixture
def gateway(redis: Redis) -> Gateway:
    away: Any = Peer(Unavailable("away"))
    return Gateway(
        redis=redis,
        rooms=Rooms(away),
        auth=Auth(away),
        social=Social(away),
        media=Media(away),
        limits=Limits(),
        lanes=1,
        overload=Overload(hints_at=1, history_at=1),
    )


def connected(gateway: Gateway, session_id: str = "s") -> tuple[Client, KeepingWire]:
    wire = KeepingWire()
    principal = Principal(subject="minji", session_id=session_id, use="user")
    client = gateway.new_client(principal, Connection(Limits(), 0), wire)
    gateway.users.setdefault("minji", UserState(set(), {})).clients.add(client)
    client.greeted = client.live = True
    return client, wire


async def test_what_a_newcomer_learns_of_friends_the_others_are_told(gateway: Gateway):
    _, first = connected(gateway)
    starting, second = connected(gateway)
    starting.greeted = False
    junho = Profile(
        user_id="junho", webchat_id="junho", display_name="Junho", status_message="", avatar_url=None, followed=True
    )
    sync_friends(gateway, "minji", Friends(6, [junho]))
    assert [frame["op"] for frame in first.frames] == ["friend.added"]
    assert second.frames == []
    sync_friends(gateway, "minji", Friends(5, []))
    assert list(gateway.users["minji"].friends) == ["junho"]


async def test_only_sessions_that_were_asked_about_are_ended(gateway: Gateway):
    _, gone = connected(gateway, "gone")
    auth: Any = Peer(SessionsStanding({}))
    gateway.auth = Auth(auth)
    check = asyncio.create_task(check_users(gateway))
    await asyncio.sleep(0)
    _, new = connected(gateway, "new")
    await asyncio.wait([check], timeout=0.2)
    assert (gone.closed, new.closed) == (4401, None)
    assert gone.frames == []  # nobody said that it was revoked


async def test_a_revoked_session_is_told_so(gateway: Gateway):
    _, lost = connected(gateway, "lost")
    _, here = connected(gateway, "here")
    gateway._user_handler("minji")(msgspec.json.encode(SessionsRevoked(["lost"])))
    assert ([frame["op"] for frame in lost.frames], lost.closed) == (["session.revoked"], 4401)
    assert (here.frames, here.closed) == ([], None)


async def test_what_waits_behind_a_message_of_unknown_outcome_does_not_overtake_it(gateway: Gateway):
    client, wire = connected(gateway)
    room_id = new_id()
    first = MessageSend(id="1", room_id=room_id, client_id=new_id(), body="", attachment_ids=[new_id()])
    for frame in (first, MessageSend(id="2", room_id=room_id, client_id=new_id(), body="two")):
        client.connection.unanswered += 1
        perform(gateway, client, frame)
    await asyncio.wait(client.tasks)
    assert [(frame["id"], frame["code"]) for frame in wire.frames] == [("1", "unavailable"), ("2", "unavailable")]
    assert (gateway.lanes.depth, client.connection.unanswered, client.held) == (0, 0, {})


class Taking(Peer):
    """Rooms, which keeps the traceparents of the commands that it is asked to carry out."""

    def __init__(self) -> None:
        super().__init__(None)
        self.traceparents: list[str] = []

    async def call(self, path: str, body: Any, *_: object, **__: object) -> BatchDone:
        assert path == "commands"
        self.traceparents += [command.traceparent for command in body.commands]
        return BatchDone("", [Done(version=1, seq=1) for _ in body.commands])


@pytest.mark.parametrize(("share", "written"), [(1.0, True), (0.0, False)])
async def test_a_command_is_drawn_to_be_written_down(gateway: Gateway, spans: list[dict], share: float, written: bool):
    taking = Taking()
    rooms: Any = taking
    gateway.trace_sample, gateway.lanes = share, Lanes(Rooms(rooms), gateway.adopt_epoch, count=1)
    client, wire = connected(gateway)
    async with gateway.lanes.running():
        client.connection.unanswered += 1
        perform(gateway, client, MessageSend(id="1", room_id=new_id(), client_id=new_id(), body="one"))
        await eventually(lambda: wire.frames)
    assert [bool(traceparent) for traceparent in taking.traceparents] == [written]
    if written:
        call, send = spans
        assert (send["event.action"], send["user.id"], "parent.id" in send) == ("message.send", "minji", False)
        assert (call["event.action"], call["parent.id"]) == ("rooms.commands", send["span.id"])
        assert taking.traceparents == [f"00-{send['trace.id']}-{call['span.id']}-01"]
    else:
        assert spans == []


async def test_a_lane_answers_whatever_hits_it():
    results: list[Result] = []
    peer: Any = Peer(ValueError("an answer that nobody understands"))
    lane = Lane(Rooms(peer), lambda _: None)
    lane.submit(LeaveRoom(command_id="1", room_id="r", user_id="u"), "c", results.append)
    with pytest.raises(ValueError, match="nobody"):
        await lane.run()
    assert results == [GAVE_UP]


def home() -> Home:
    room = Room(
        room_id=new_id(), kind="group", title="Room", member_count=1, version=3, last_seq=0, read_seq=0, unread=0,
        muted=False, role="member",
    )  # fmt: skip
    return Home(1, [HomeRoom(room, Place(since=3, joined_version=3, joined_seq=0, muted=False))])


async def test_who_departs_before_its_new_room_is_known_is_not_brought_into_it(gateway: Gateway):
    client, _ = connected(gateway)
    gateway.subscriber._wanted["user:{minji}"] = 1
    gateway.depart(client)
    await _bring_in(gateway, client, home())
    assert (client.places, gateway.hub.rooms, gateway.subscriber._wanted) == ({}, {}, {})


async def test_who_cannot_be_brought_into_a_new_room_is_closed_to_come_back(gateway: Gateway):
    client, wire = connected(gateway)
    new = home()
    room_id = new.rooms[0].room.room_id
    for channel in gateway.subscriber.room_handlers([room_id]):
        gateway.subscriber._confirmed[channel] = asyncio.get_running_loop().create_future()
        gateway.subscriber._confirmed[channel].set_result(None)
    other, _ = connected(gateway)
    gateway.hub.join(other, room_id, 5, 3)
    await _bring_in(gateway, client, new)
    assert [frame["op"] for frame in wire.frames] == ["room.added"]
    await asyncio.wait(client.tasks)
    await asyncio.sleep(0)
    assert wire.closed == 1013
