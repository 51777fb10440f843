"""In-memory implementations of the services around a gateway, reachable in process or over HTTP.

Requests and responses are encoded as JSON and decoded with the types of `shared.contracts`, as between processes.
"""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk
from redis.exceptions import ConnectionError as RedisIsAway

from chat_gateway.clients.auth import Auth
from chat_gateway.clients.media import Media
from chat_gateway.clients.rooms import Rooms
from chat_gateway.clients.social import Social
from chat_gateway.composition import Services, build_gateway
from chat_gateway.driver.gateway import Gateway
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.effects import Effect
from chat_gateway.protocol.limits import Limits
from chat_gateway.protocol.transport import Transport
from chat_gateway.socket_limit import presence_entry
from chat_gateway.timings import Timings
from shared.contracts.auth import (
    ActiveSessions,
    Revocations,
    RevocationsRequest,
    RevokedSession,
    ServiceToken,
    ServiceTokenRequest,
    SessionCheck,
    SigningKeys,
    User,
)
from shared.contracts.media import Attachment, Attachments, AttachmentsRequest, UploadRequest
from shared.contracts.rooms import (
    Accepted,
    AnyCommand,
    BatchResult,
    CommandBatch,
    DeleteMessage,
    EditMessage,
    Events,
    EventsRequest,
    InviteMembers,
    LeaveRoom,
    Member,
    Membership,
    Memberships,
    Message,
    MessagesPage,
    MessagesRequest,
    ReactToMessage,
    ReadRoom,
    Rejected,
    Result,
    Revisions,
    Room,
    RoomDetail,
    RoomEntry,
    RoomEvents,
    RoomList,
    RoomListPage,
    RoomListPageRequest,
    RoomLists,
    RoomListsRequest,
    RoomSnapshot,
    RoomSnapshotRequest,
    SendMessage,
    SharedRoomsRequest,
    SharedWith,
    UserIdsRequest,
    UserMemberships,
)
from shared.contracts.social import (
    FriendLists,
    FriendRevisions,
    Friends,
    FriendsRequest,
    Profile,
    Relationships,
    RelationshipsRequest,
)
from shared.errors import DomainError, NotFound, Unauthenticated, Unavailable
from shared.events.rooms import (
    MemberJoined,
    MemberLeft,
    MessageCreated,
    MessageDeleted,
    MessageEdited,
    MessageReacted,
    RoomEvent,
)
from shared.ids import new_id, now_ms, rfc3339
from shared.redis.client import AnyRedis
from shared.roomlog.frames import batch_events, payload_of, split_frames
from shared.roomlog.stream import append_events
from shared.rpc.tokens import TOKEN_HEADER, Principal, sign_token
from shared.tasks import background
from shared.testing.fixtures import eventually
from shared.testing.http import serve
from shared.web.errors import error_response
from shared.web.overload import Overload

T = TypeVar("T")

QUICK = Timings(
    presence_refresh=0.02,
    presence_poll=0.02,
    housekeeping=0.02,
    revocations=0.02,
    user_check=0.02,
    cursor_flush=0.02,
    close=0.1,
    gateway_lease=0.2,
)
"""Short intervals, for tests that wait for background work."""


class Service:
    """A service that records and answers calls.

    `requests` lists all calls in order. Calls wait while the service, or their path, is paused.
    `error` fails every call, each entry of `errors` fails one call, `errors_at` fails all calls of a path.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.requests: list[tuple[str, Any]] = []
        self._paused: dict[str, asyncio.Event] = {}
        self.error: Exception | None = None
        self.errors: list[Exception] = []
        self.errors_at: dict[str, Exception] = {}
        self.handlers: dict[str, Callable[[Any], Any]] = {}
        self.request_types: dict[str, type] = {}

    def serve(self, path: str, request_type: type, handler: Callable[[Any], Any]) -> None:
        self.request_types[path], self.handlers[path] = request_type, handler

    def pause(self, path: str = "") -> None:
        """Let calls of a path, or all calls, wait until `resume`."""
        self._paused.setdefault(path, asyncio.Event())

    def resume(self, path: str = "") -> None:
        if (resumed := self._paused.pop(path, None)) is not None:
            resumed.set()

    def requests_to(self, path: str) -> list[Any]:
        """Return the request bodies of one path."""
        return [body for requested, body in self.requests if requested == path]

    async def answer(self, path: str, body: bytes) -> bytes:
        request: Any = msgspec.json.decode(body, type=self.request_types[path])
        self.requests.append((path, request))
        await asyncio.sleep(0)
        for paused in ("", path):
            if paused in self._paused:
                await self._paused[paused].wait()
        if self.errors:
            raise self.errors.pop(0)
        if (error := self.errors_at.get(path, self.error)) is not None:
            raise error
        return msgspec.json.encode(self.handlers[path](request))

    async def call(self, path: str, body: object, answer: type[T], *, timeout: float = 5) -> T:
        """Behave like `Peer.call`, without a network. Raises Unavailable after `timeout`."""
        try:
            async with asyncio.timeout(timeout):
                return msgspec.json.decode(await self.answer(path, msgspec.json.encode(body)), type=answer)
        except TimeoutError as error:
            raise Unavailable("A part of WebChat does not answer.") from error

    @asynccontextmanager
    async def on_a_port(self) -> AsyncIterator[str]:
        """Serve the service over HTTP and yield its URL. Callers need a token for this service, except to get one."""

        async def handle(request: web.Request) -> web.Response:
            path = request.match_info["path"]
            try:
                if path not in {"token", "keys"} and request.headers[TOKEN_HEADER] != f"for {self.name}":
                    raise Unauthenticated("This request carries no valid token.")
                return web.Response(body=await self.answer(path, await request.read()))
            except DomainError as error:
                response = error_response(error)
                return web.Response(status=response.status_code, body=response.body)

        app = web.Application()
        app.add_routes([web.post("/internal/{path}", handle)])
        async with serve(app) as url:
            yield url


@dataclass
class RoomState:
    """A room: its log, its messages, its memberships, and the read cursor of each member."""

    events: list[RoomEvent] = field(default_factory=list)
    kept_after: int = 0
    """Events up to this version have been deleted."""
    messages: list[Message] = field(default_factory=list)
    memberships: dict[str, Membership] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)

    @property
    def version(self) -> int:
        return len(self.events)


class RoomsService(Service):
    """The rooms service. A response holds at most `events_at_once` events of a room."""

    def __init__(self) -> None:
        super().__init__("rooms")
        self.epoch, self.events_at_once = "epoch-1", 10_000
        self.rooms: dict[str, RoomState] = {}
        self.revision: dict[str, int] = defaultdict(int)
        self.rejections: dict[type, Rejected] = {}
        self.commands: list[AnyCommand] = []
        self.on_events: Callable[[EventsRequest], None] = lambda _: None
        self.on_room_lists: Callable[[RoomListsRequest], None] = lambda _: None
        paths: list[tuple[str, type, Callable[[Any], Any]]] = [
            ("commands", CommandBatch, self._commands),
            ("homes", RoomListsRequest, self._room_lists),
            ("home-page", RoomListPageRequest, self._room_list_page),
            ("messages", MessagesRequest, self._messages),
            ("enter", RoomSnapshotRequest, self._enter),
            ("places", UserIdsRequest, self._memberships),
            ("revisions", UserIdsRequest, self._revisions),
            ("events", EventsRequest, self._events),
            ("shared", SharedRoomsRequest, self._shared),
        ]
        for path, request_type, handler in paths:
            self.serve(path, request_type, handler)

    # Changes of rooms

    def create(self, *user_ids: str) -> str:
        room_id = new_id()
        self.rooms[room_id] = RoomState()
        for user_id in user_ids:
            self.add(room_id, user_id)
        return room_id

    def add(self, room_id: str, user_id: str) -> None:
        room, version, seq = self.rooms[room_id], self.rooms[room_id].version + 1, len(self.rooms[room_id].messages)
        room.events.append(
            MemberJoined(
                room_id=room_id, version=version, at=_now(), user_id=user_id, by=user_id, role="member", read_seq=seq
            )
        )
        room.memberships[user_id] = Membership(since=version, joined_version=version, joined_seq=seq, muted=False)
        room.read[user_id] = seq
        self.revision[user_id] += 1

    def remove(self, room_id: str, user_id: str) -> None:
        room = self.rooms[room_id]
        room.events.append(
            MemberLeft(room_id=room_id, version=room.version + 1, at=_now(), user_id=user_id, by=user_id)
        )
        del room.memberships[user_id]
        self.revision[user_id] += 1

    def mute(self, room_id: str, user_id: str, *, muted: bool = True) -> None:
        membership = self.rooms[room_id].memberships[user_id]
        self.rooms[room_id].memberships[user_id] = msgspec.structs.replace(membership, muted=muted)
        self.revision[user_id] += 1

    def silence(self, room_id: str, user_id: str, *, silenced: bool = True) -> None:
        """Behave as after a block by the other member of a direct room."""
        membership = self.rooms[room_id].memberships[user_id]
        self.rooms[room_id].memberships[user_id] = msgspec.structs.replace(membership, silenced=silenced)
        self.revision[user_id] += 1

    def add_message(self, room_id: str, user_id: str, body: str = "hello", **fields: Any) -> Message:
        room = self.rooms[room_id]
        fields.setdefault("client_id", new_id())
        message = Message(
            room_id=room_id, seq=len(room.messages) + 1, version=room.version + 1, sender_id=user_id,
            kind="text", body=body, at=_now(), **fields,
        )  # fmt: skip
        room.messages.append(message)
        room.events.append(msgspec.convert(message, MessageCreated, from_attributes=True))
        room.read[user_id] = message.seq
        return message

    def forget_events(self, room_id: str) -> None:
        """Delete all events so far."""
        self.rooms[room_id].kept_after = self.rooms[room_id].version

    def bodies(self, room_id: str) -> list[str]:
        return [message.body for message in self.rooms[room_id].messages]

    async def publish(self, redis: AnyRedis, room_id: str, after: int = 0) -> None:
        """Publish the events after a version, as the publisher of rooms does."""
        batches = batch_events(self.rooms[room_id].events[after:])
        await append_events(redis, self.epoch, [(room_id, batch) for batch in batches])

    # Request handlers

    def _room(self, room_id: str, user_id: str) -> RoomState:
        room = self.rooms.get(room_id)
        if room is None or user_id not in room.memberships:
            raise NotFound("There is no such room.")
        return room

    def _commands(self, batch: CommandBatch) -> BatchResult:
        return BatchResult(self.epoch, [self._command(command) for command in batch.commands])

    def _command(self, command: AnyCommand) -> Result:
        self.commands.append(command)
        if (rejection := self.rejections.get(type(command))) is not None:
            return rejection
        room = self.rooms.get(command.room_id)
        if room is None or command.user_id not in room.memberships:
            return Rejected(code="not_found", detail="There is no such room.")
        room_id, user_id, version = command.room_id, command.user_id, room.version + 1
        head: dict[str, Any] = {"room_id": room_id, "version": version, "at": _now()}
        match command:
            case SendMessage():
                return self._send(room, command)
            case ReadRoom():
                room.read[user_id] = max(room.read[user_id], min(command.seq, len(room.messages)))
                return Accepted(version=room.version, read_seq=room.read[user_id])
            case EditMessage():
                room.events.append(
                    MessageEdited(seq=command.seq, body=command.body, edited_at=_now(), by=user_id, **head)
                )
            case DeleteMessage():
                room.events.append(MessageDeleted(seq=command.seq, by=user_id, **head))
            case ReactToMessage():
                room.events.append(
                    MessageReacted(
                        seq=command.seq, user_id=user_id, emoji=command.emoji, removed=command.remove, **head
                    )
                )
            case InviteMembers():
                for invited in command.user_ids:
                    self.add(room_id, invited)
            case LeaveRoom():
                self.remove(room_id, user_id)
            case _:
                raise AssertionError(f"a gateway does not send {command!r}")
        return Accepted(version=room.version)

    def _send(self, room: RoomState, command: SendMessage) -> Accepted:
        """Idempotent by `client_id`."""
        for message in room.messages:
            if (message.sender_id, message.client_id) == (command.user_id, command.client_id):
                return Accepted(version=message.version, seq=message.seq, at=message.at, duplicate=True)
        message = self.add_message(
            command.room_id, command.user_id, command.body, client_id=command.client_id, reply_to=command.reply_to,
            attachments=command.attachments, mentions=command.mentions,
        )  # fmt: skip
        return Accepted(version=message.version, seq=message.seq, at=message.at)

    def room_of(self, room_id: str, user_id: str) -> Room:
        """Return the room as a member sees it in the room list."""
        room = self.rooms[room_id]
        membership, read = room.memberships[user_id], room.read[user_id]
        return Room(
            room_id=room_id, kind="group", title="Room", member_count=len(room.memberships), version=room.version,
            last_seq=len(room.messages), read_seq=read, unread=len(room.messages) - read, muted=membership.muted,
            role="member",
        )  # fmt: skip

    def _room_list(self, user_id: str, wanted: Sequence[str] | None) -> RoomList:
        mine = [room_id for room_id, room in self.rooms.items() if user_id in room.memberships]
        chosen = [room_id for room_id in mine if wanted is None or room_id in wanted]
        entries = [
            RoomEntry(self.room_of(room_id, user_id), self.rooms[room_id].memberships[user_id]) for room_id in chosen
        ]
        return RoomList(self.revision[user_id], entries)

    def _room_lists(self, request: RoomListsRequest) -> RoomLists:
        room_lists = {user_id: self._room_list(user_id, wanted) for user_id, wanted in request.users.items()}
        self.on_room_lists(request)
        return RoomLists(self.epoch, room_lists)

    def _room_list_page(self, request: RoomListPageRequest) -> RoomListPage:
        rooms = [entry.room for entry in self._room_list(request.user_id, None).rooms][: request.limit]
        return RoomListPage(self.epoch, rooms, "more" if request.before is None else None)

    def _messages(self, request: MessagesRequest) -> MessagesPage:
        room, choice = self._room(request.room_id, request.user_id), request.choice
        seen = [message for message in room.messages if message.seq > room.memberships[request.user_id].joined_seq]
        if choice.before is not None:
            seen = [message for message in seen if message.seq < choice.before]
        page = seen[-choice.limit :]
        return MessagesPage(epoch=self.epoch, messages=page, has_more=len(page) < len(seen), version=room.version)

    def _enter(self, request: RoomSnapshotRequest) -> RoomSnapshot:
        room = self._room(request.room_id, request.user_id)
        shown = msgspec.to_builtins(self.room_of(request.room_id, request.user_id))
        members = [
            Member(user_id=user_id, role="member", read_seq=room.read[user_id], joined_at=_now())
            for user_id in room.memberships
        ]
        detail = msgspec.convert(shown | {"members": msgspec.to_builtins(members)}, RoomDetail)
        return RoomSnapshot(epoch=self.epoch, room=detail, messages=room.messages[-50:], version=room.version)

    def _memberships(self, request: UserIdsRequest) -> Memberships:
        memberships = {
            user_id: UserMemberships(
                self.revision[user_id],
                {
                    room_id: room.memberships[user_id]
                    for room_id, room in self.rooms.items()
                    if user_id in room.memberships
                },
            )
            for user_id in request.user_ids
        }
        return Memberships(self.epoch, memberships)

    def _revisions(self, request: UserIdsRequest) -> Revisions:
        return Revisions(self.epoch, {user_id: self.revision[user_id] for user_id in request.user_ids})

    def _events(self, request: EventsRequest) -> Events:
        self.on_events(request)
        found = {}
        for room_id, version in request.cursors.items():
            if (room := self.rooms.get(room_id)) is not None:
                gone = version > room.version or version < room.kept_after
                events = (
                    [] if gone else list(map(msgspec.json.encode, room.events[version : version + self.events_at_once]))
                )
                found[room_id] = RoomEvents(room.version, list(map(msgspec.Raw, events)), gone)
        return Events(self.epoch, found)

    def _shared(self, request: SharedRoomsRequest) -> SharedWith:
        together = [room.memberships.keys() for room in self.rooms.values() if request.user_id in room.memberships]
        return SharedWith([other for other in request.other_ids if any(other in users for users in together)])


class SocialService(Service):
    """The social service. Unlike the real one, a block does not end follows."""

    def __init__(self) -> None:
        super().__init__("social")
        self.follows: set[tuple[str, str]] = set()
        self.blocks: set[tuple[str, str]] = set()
        self.names: dict[str, str] = {}
        self.revision: dict[str, int] = defaultdict(int)
        self.serve("friends", FriendsRequest, self._friends)
        self.serve("revisions", FriendsRequest, self._revisions)
        self.serve("pairs", RelationshipsRequest, self._pairs)

    def follow(self, user_id: str, other: str) -> None:
        self.follows.add((user_id, other))
        self.revision[user_id] += 1

    def unfollow(self, user_id: str, other: str) -> None:
        self.follows.remove((user_id, other))
        self.revision[user_id] += 1

    def rename(self, user_id: str, name: str) -> None:
        self.names[user_id] = name
        for follower, followed in self.follows:
            self.revision[follower] += followed == user_id

    def block(self, user_id: str, other: str) -> None:
        self.blocks.add((user_id, other))
        self.revision[user_id] += 1
        self.revision[other] += 1

    def profile(self, user_id: str) -> Profile:
        name = self.names.get(user_id, user_id)
        return Profile(
            user_id=user_id, webchat_id=user_id, display_name=name, status_message="", avatar_url=None, followed=True
        )

    def _friends(self, request: FriendsRequest) -> FriendLists:
        followed = {user: sorted(b for a, b in self.follows if a == user) for user in request.user_ids}
        return FriendLists(
            {user: Friends(self.revision[user], list(map(self.profile, followed[user]))) for user in followed}
        )

    def _revisions(self, request: FriendsRequest) -> FriendRevisions:
        return FriendRevisions({user_id: self.revision[user_id] for user_id in request.user_ids})

    def _pairs(self, request: RelationshipsRequest) -> Relationships:
        me, others = request.user_id, request.other_ids
        related = [other for other in others if (me, other) in self.follows or (other, me) in self.follows]
        return Relationships(related, [other for other in others if (other, me) in self.blocks])


class AuthService(Service):
    """The auth service: active sessions, signing keys, and tokens for services and users."""

    def __init__(self) -> None:
        super().__init__("auth")
        key = ec.generate_private_key(ec.SECP256R1())
        self._private = {**jwk.construct(key, "ES256").to_dict(), "kid": "k1"}
        self._public = {**jwk.construct(key.public_key(), "ES256").to_dict(), "kid": "k1"}
        self.sessions: dict[str, User] = {}
        self.revoked: list[RevokedSession] = []
        self.complete = True
        self.serve("sessions", SessionCheck, self._sessions)
        self.serve("revocations", RevocationsRequest, self._revocations)
        self.serve(
            "token", ServiceTokenRequest, lambda request: ServiceToken(f"for {request.audience}", time.time() + 60)
        )
        self.serve("keys", dict, lambda _: SigningKeys([self._public]))

    def sign_in(self, user_id: str, session_id: str) -> None:
        self.sessions[session_id] = User(
            user_id=user_id, email=f"{user_id}@example.com", webchat_id=f"w-{user_id}", display_name=user_id
        )

    def revoke(self, session_id: str, *, replaced: bool = False) -> None:
        """Revoke a session without a notification."""
        self.revoked.append(RevokedSession(session_id, self.sessions.pop(session_id).user_id, replaced))

    def token(self, principal: Principal, audience: str = "chat-gateway") -> str:
        return sign_token(self._private, principal, audience)

    def _sessions(self, request: SessionCheck) -> ActiveSessions:
        return ActiveSessions({one: self.sessions[one] for one in request.session_ids if one in self.sessions})

    def _revocations(self, request: RevocationsRequest) -> Revocations:
        return Revocations(self.revoked, until=request.since + 1, complete=self.complete)


class MediaService(Service):
    """The media service: uploads, and attachments by id."""

    def __init__(self) -> None:
        super().__init__("media")
        self.stored: dict[str, Attachment] = {}
        self.serve("uploads", UploadRequest, self._upload)
        self.serve("attachments", AttachmentsRequest, self._attachments)

    def store(self, filename: str = "a.png") -> Attachment:
        attachment_id = new_id()
        self.stored[attachment_id] = Attachment(
            attachment_id=attachment_id, filename=filename, content_type="image/png", size=1, url=f"/{attachment_id}"
        )
        return self.stored[attachment_id]

    def _upload(self, request: UploadRequest) -> Attachment:
        return self.store(request.filename)

    def _attachments(self, request: AttachmentsRequest) -> Attachments:
        if not all(one in self.stored for one in request.attachment_ids):
            raise NotFound("there is no such attachment.")
        return Attachments([self.stored[one] for one in request.attachment_ids])


def _now() -> str:
    return rfc3339(now_ms())


class MemoryRedis:
    """A Redis client in memory, with sorted sets and channels. Scripts and hashes raise ConnectionError.

    `published` lists all published messages. Pipelines wait while `answers` is not set. While `away` is set, every
    command raises ConnectionError.
    """

    def __init__(self) -> None:
        self.sets: dict[str, dict[str, float]] = defaultdict(dict)
        self.expiries: dict[str, float] = {}
        """Key → lifetime in seconds, as last set."""
        self.published: list[tuple[str, bytes]] = []
        self.on_publish: Callable[[str, bytes], None] = lambda *_: None
        self.away = False
        self.answers = asyncio.Event()
        self.answers.set()

    def pipeline(self, *, transaction: bool) -> "MemoryPipeline":
        assert not transaction
        return MemoryPipeline(self)

    async def hgetall(self, key: str) -> dict[bytes, bytes]:
        raise RedisIsAway(f"{key} cannot be read")

    async def ping(self) -> None:
        if self.away:
            raise RedisIsAway("Redis does not answer")


class MemoryPipeline:
    """A pipeline of `MemoryRedis`."""

    def __init__(self, redis: MemoryRedis) -> None:
        self._redis = redis
        self._commands: list[Callable[[], Any]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **options: self._commands.append(lambda: getattr(self, f"_{name}")(*args, **options))

    async def execute(self, *, raise_on_error: bool = True) -> list[Any]:
        del raise_on_error  # nothing here is answered with an error
        await asyncio.sleep(0)
        await self._redis.answers.wait()
        if self._redis.away:
            raise RedisIsAway("Redis does not answer")
        return [command() for command in self._commands]

    def _execute_command(self, name: str, *args: Any) -> None:
        if name != "SPUBLISH":
            raise RedisIsAway(f"{name} is not known here")
        channel, message = args
        self._redis.published.append((channel, message))
        self._redis.on_publish(channel, message)

    def _zadd(self, key: str, scores: dict[str, float]) -> None:
        self._redis.sets[key] |= scores

    def _zrem(self, key: str, member: str) -> None:
        self._redis.sets[key].pop(member, None)

    def _zremrangebyscore(self, key: str, low: str, high: float) -> None:
        assert low == "-inf"
        self._redis.sets[key] = {name: score for name, score in self._redis.sets[key].items() if score > high}

    def _zcard(self, key: str) -> int:
        return len(self._redis.sets[key])

    def _zcount(self, key: str, low: float, high: str) -> int:
        assert high == "+inf"
        return sum(score >= low for score in self._redis.sets[key].values())

    def _pexpire(self, key: str, ms: int) -> None:
        self._redis.expiries[key] = ms / 1000


class FakeTransport:
    """A transport that records frames.

    `sent` counts calls of `send`, which wait until `writable` is set. `woken` counts calls of `wake`, after which
    `on_wake` is called in the next turn of the loop.
    """

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.closed: int | None = None
        self.writable = asyncio.Event()
        self.writable.set()
        self.sent = self.woken = 0
        self.on_wake: Callable[[], None] = lambda: None

    def push(self, data: bytes) -> None:
        if self.closed is None:
            self.frames += [json.loads(payload_of(frame)) for frame in split_frames(data)]

    push_droppable = enqueue = push

    async def send(self, data: bytes) -> None:
        if self.closed is not None:
            raise ConnectionResetError("the socket is closing")
        self.sent += 1
        await asyncio.sleep(0)
        await self.writable.wait()
        self.push(data)

    def wake(self) -> None:
        self.woken += 1
        asyncio.get_running_loop().call_soon(self.on_wake)

    def close(self, code: int, _: str) -> None:
        self.closed = self.closed or code


def new_connection(transport: Transport, user_id: str = "minji", **limits: Any) -> Connection:
    """Create a connection that is known to no gateway."""
    return Connection(new_id(), user_id, "session", transport, Limits(**limits), 0.0, copy_context())


def effects_of(connection: Connection, data: bytes, now: float, *, binary: bool = False) -> list[Effect]:
    """Return the effects of one frame."""
    connection.receive(data, binary=binary)
    return connection.next_effects(now)


class FakeClient:
    """A client of a gateway, with one connection of a user."""

    def __init__(self, gateway: Gateway, user_id: str, session_id: str) -> None:
        self.gateway, self.transport = gateway, FakeTransport()
        principal = Principal(subject=user_id, session_id=session_id, use="user")
        self.connection: Connection = gateway.new_connection(principal, self.transport, 0.0)
        self.transport.on_wake = self.process
        self.user_id, self.session_id = user_id, session_id
        self._ids = 0

    @property
    def frames(self) -> list[dict[str, Any]]:
        return self.transport.frames

    @property
    def presence_entry(self) -> str:
        """The member that represents the connection in the set of its user."""
        return presence_entry(self.connection.id, self.gateway.presence._gateway_id)

    def received(self, op: str) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame["op"] == op]

    def versions(self, room_id: str) -> list[int]:
        """Return the versions of the received events of a room, in order of arrival."""
        return [frame["version"] for frame in self.frames if frame.get("room_id") == room_id and "version" in frame]

    def send(self, op: str, **fields: Any) -> str:
        """Send a frame and return its id."""
        self._ids += 1
        frame_id = f"{self._ids}"
        data = json.dumps({"op": op, "id": frame_id} | fields).encode()
        self.connection.receive(data)
        self.process()
        return frame_id

    def process(self) -> None:
        """Process received frames, as a socket does."""
        while effects := self.connection.next_effects(0.0):
            self.gateway.effects.run(self.connection, effects)

    def reply(self, frame_id: str) -> dict[str, Any] | None:
        """Return the reply to a frame, or None before it arrives. Fails on a second reply."""
        replies = [frame for frame in self.frames if frame.get("id") == frame_id and frame["op"] in {"ok", "error"}]
        assert len(replies) <= 1, replies
        return replies[0] if replies else None

    async def request(self, op: str, **fields: Any) -> dict[str, Any]:
        """Send a frame and wait for its answer."""
        frame_id = self.send(op, **fields)
        for _ in range(30):
            await asyncio.sleep(0)
        reply: dict[str, Any] = await eventually(lambda: self.reply(frame_id))
        return reply

    async def settle(self) -> None:
        """Wait until the connection has no running tasks."""
        while tasks := self.gateway.tasks.of(self.connection):
            await asyncio.wait(tasks)
            await asyncio.sleep(0)

    def disconnect(self) -> None:
        self.gateway.connections.unregister(self.connection)


class GatewayHarness:
    """A gateway with in-memory services, and an in-memory Redis unless `redis` is given.

    In-memory subscriptions are confirmed while `confirms` is set.
    """

    def __init__(self, redis: "AnyRedis | None" = None, **options: Any) -> None:
        self.rooms, self.social, self.auth, self.media = RoomsService(), SocialService(), AuthService(), MediaService()
        self.memory = MemoryRedis()
        self.redis: Any = self.memory if redis is None else redis
        self.limits = Limits(**{"rates": False, **options.pop("limits", {})})
        self.overload = Overload(ephemeral_at=1, history_at=1)
        self.gateway = self.new_gateway(**options)
        self.confirms = asyncio.Event()
        self.confirms.set()

    def new_gateway(self, **options: Any) -> Gateway:
        """Create another gateway with the same services."""
        services = Services(
            rooms=Rooms(self.rooms),  # type: ignore[arg-type]
            auth=Auth(self.auth),  # type: ignore[arg-type]
            social=Social(self.social),  # type: ignore[arg-type]
            media=Media(self.media),  # type: ignore[arg-type]
        )
        defaults: dict[str, Any] = {"limits": self.limits, "partitions": 2, "timings": QUICK}
        return build_gateway(services, self.redis, self.overload, **(defaults | options))

    def client(self, user_id: str, gateway: Gateway | None = None, session_id: str | None = None) -> FakeClient:
        """Create a client with an active session, before its `hello`."""
        session_id = session_id or f"session-{new_id()}"
        self.auth.sign_in(user_id, session_id)
        return FakeClient(gateway or self.gateway, user_id, session_id)

    async def connect(self, user_id: str, gateway: Gateway | None = None, **hello: Any) -> FakeClient:
        """Create a client and wait until its connection is live."""
        client = self.client(user_id, gateway)
        client.send("hello", **hello)
        await client.settle()
        assert client.connection.live, (client.transport.closed, client.frames)
        return client

    @asynccontextmanager
    async def background_work(self, gateway: Gateway) -> AsyncIterator[Gateway]:
        """Run the background work of a gateway, except presence. Needs a real Redis."""
        async with (
            gateway.command_queues.running(),
            gateway.live_rooms.running(),
            background("ephemeral", gateway.ephemeral.run, pause=0),
            gateway.socket_limit.running(),
            background("changes", gateway.user_sync.changed.run, pause=0, longest=0.02),
            background("starts", gateway.user_sync.started.run, pause=0, longest=0.02),
            background("check", gateway.user_sync.check, pause=0, longest=0.02),
            background("revocations", gateway.revocations.poll, pause=gateway.timings.revocations),
        ):
            yield gateway

    def deliver(self, channel: str, data: bytes) -> None:
        """Deliver a message on a channel to the gateway."""
        self.gateway.live_rooms.subscriber._handle(("memory", 0), b"smessage", channel, data)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the command queues and the subscriber. In-memory subscriptions are confirmed without a listener."""
        subscriber = self.gateway.live_rooms.subscriber
        if self.redis is not self.memory:
            async with self.background_work(self.gateway):
                yield
            return

        async def confirm() -> None:
            await subscriber._has_pending.wait()
            subscriber._has_pending.clear()
            pending, subscriber._pending = subscriber._pending, []
            await self.confirms.wait()
            for channel in pending:
                subscriber._handle(("memory", 0), b"ssubscribe", channel, 1)

        self.memory.on_publish = self.deliver
        async with (
            self.gateway.command_queues.running(),
            background("confirm", confirm, pause=0),
            background("repair", self.gateway.live_rooms.feed._repair_dirty, pause=0, longest=0.02),
        ):
            yield
