"""Fixtures for rooms on a real database and a real Valkey, with fakes of auth and media behind their HTTP contracts."""

import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import httpx
import msgspec
import pymysql
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from jose import jwk
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import Connection, Row, event, text
from sqlalchemy.dialects.mysql.base import MySQLDialect

from rooms.main import create_app
from rooms.service import creation
from rooms.service.dependencies import Dependencies, create_dependencies
from rooms.service.pipeline import commands
from rooms.service.queries import events, reading
from rooms.settings import RoomsSettings
from shared.contracts.auth import Account, Accounts, ServiceToken, SigningKeys, UsersRequest
from shared.contracts.media import Attachment, Attachments, AttachmentsRequest
from shared.contracts.rooms import (
    Accepted,
    AnyCommand,
    BatchResult,
    Command,
    CommandBatch,
    DeleteMessage,
    EditMessage,
    InviteMembers,
    LeaveRoom,
    MessagesPage,
    MuteRoom,
    PageChoice,
    ReactToMessage,
    ReadRoom,
    Rejected,
    RemoveMember,
    Result,
    SendMessage,
    SetRole,
    UpdateRoom,
)
from shared.database.engine import Database, MysqlEngine
from shared.errors import NotFound
from shared.events.rooms import RoomEvent
from shared.ids import new_id
from shared.redis.client import close_redis, connect_redis
from shared.roomlog.fold import Snapshot, SnapshotMember
from shared.rpc.client import Peer, ServiceTokens, http_client
from shared.rpc.tokens import TOKEN_HEADER, Principal, sign_token
from shared.tasks import background
from shared.testing.http import serve
from shared.web.errors import error_response
from shared.web.state import state_of

SECRET = "s" * 32
C = TypeVar("C", bound=Command)


class FakeMedia:
    """media with the attachments in `files`."""

    def __init__(self) -> None:
        self.files: dict[str, Attachment] = {}
        self.app = web.Application()
        self.app.add_routes([web.post("/internal/attachments", self._attachments)])

    async def _attachments(self, request: web.Request) -> web.Response:
        body = msgspec.json.decode(await request.read(), type=AttachmentsRequest)
        found = [self.files[one] for one in body.attachment_ids if one in self.files]
        if len(found) < len(body.attachment_ids):
            return web.Response(status=404, body=bytes(error_response(NotFound("There is no such file.")).body))
        return web.Response(body=msgspec.json.encode(Attachments(found)))


class FakeAuth:
    """auth with keys, service tokens and accounts. All users have an account, except those in `unknown`.

    While `unavailable` is set, it answers no request for accounts.
    """

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self._private = {**jwk.construct(key, "ES256").to_dict(), "kid": "k1"}
        self._public = {**jwk.construct(key.public_key(), "ES256").to_dict(), "kid": "k1"}
        self.unknown: set[str] = set()
        self.unavailable = False
        routes = {"keys": self._keys, "token": self._token, "accounts": self._accounts}
        self.app = web.Application()
        self.app.add_routes([web.post(f"/internal/{name}", handler) for name, handler in routes.items()])

    def user_token(self, user_id: str) -> str:
        return sign_token(self._private, Principal("user", user_id, "session"), "rooms")

    def service_token(self) -> str:
        return sign_token(self._private, Principal("service", "chat-gateway"), "rooms")

    async def _keys(self, _: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(SigningKeys([self._public])))

    async def _token(self, _: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(ServiceToken("t", time.time() + 60)))

    async def _accounts(self, request: web.Request) -> web.Response:
        if self.unavailable:
            return web.Response(status=503)
        body = msgspec.json.decode(await request.read(), type=UsersRequest)
        known = [user for user in body.user_ids if user not in self.unknown]
        accounts = [Account(user_id=user, webchat_id="w", display_name="d", version=1) for user in known]
        return web.Response(body=msgspec.json.encode(Accounts(accounts)))


class RoomsDriver:
    """Builds and executes commands in one rooms process, inspects the result, and injects faults of the database."""

    def __init__(self, deps: Dependencies, auth: FakeAuth) -> None:
        self.deps, self.auth = deps, auth

    # Build commands.

    def send(self, room: str, user: str, body: str = "hello", **fields: Any) -> SendMessage:
        fields.setdefault("client_id", new_id())
        return SendMessage(command_id=new_id(), room_id=room, user_id=user, body=body, **fields)

    def edit(self, room: str, user: str, seq: int, body: str, **fields: Any) -> EditMessage:
        return self._command(EditMessage, room, user, seq=seq, body=body, **fields)

    def delete(self, room: str, user: str, seq: int, **fields: Any) -> DeleteMessage:
        return self._command(DeleteMessage, room, user, seq=seq, **fields)

    def react(self, room: str, user: str, seq: int, emoji: str = "👍", **fields: Any) -> ReactToMessage:
        return self._command(ReactToMessage, room, user, seq=seq, emoji=emoji, **fields)

    def read(self, room: str, user: str, seq: int) -> ReadRoom:
        return self._command(ReadRoom, room, user, seq=seq)

    def invite(self, room: str, user: str, *others: str, **fields: Any) -> InviteMembers:
        return self._command(InviteMembers, room, user, user_ids=list(others), **fields)

    def leave(self, room: str, user: str, **fields: Any) -> LeaveRoom:
        return self._command(LeaveRoom, room, user, **fields)

    def remove(self, room: str, user: str, other: str) -> RemoveMember:
        return self._command(RemoveMember, room, user, target_id=other)

    def role(self, room: str, user: str, other: str, role: str) -> SetRole:
        return self._command(SetRole, room, user, target_id=other, role=role)

    def update(self, room: str, user: str, **fields: Any) -> UpdateRoom:
        return self._command(UpdateRoom, room, user, **fields)

    def mute(self, room: str, user: str, muted: bool = True) -> MuteRoom:
        return self._command(MuteRoom, room, user, muted=muted)

    def _command(self, kind: type[C], room: str, user: str, **fields: Any) -> C:
        fields.setdefault("command_id", new_id())
        return kind(room_id=room, user_id=user, **fields)

    # Create rooms and execute commands.

    async def group(self, owner: str, *others: str, title: str = "Room") -> str:
        return await creation.open_group(self.deps, owner, title, list(others))

    async def direct(self, user: str, other: str) -> str:
        return (await creation.open_direct(self.deps, user, other))[0]

    async def batch(self, *batch: AnyCommand, seconds: float = 10) -> list[Result]:
        """Execute a batch with a time budget. Return one result for each command."""
        return (await commands.execute(self.deps, list(batch), time.monotonic() + seconds)).results

    async def execute(self, *batch: AnyCommand) -> list[Accepted]:
        """Execute a batch in which no command is rejected."""
        results = await self.batch(*batch)
        assert not [result for result in results if isinstance(result, Rejected)]
        return results  # type: ignore[return-value]

    async def rejected(self, command: AnyCommand) -> str:
        """Execute a command that is rejected and changes nothing. Return the error code."""
        before = await self.state()
        (result,) = await self.batch(command)
        assert isinstance(result, Rejected), result
        assert await self.state() == before
        return result.code

    # Inspect the result.

    async def rows(self, statement: str) -> Sequence[Row[*tuple[Any, ...]]]:
        async with self.deps.database.read() as db:
            return (await db.execute(text(statement))).all()

    async def state(self) -> list[Sequence[Row[*tuple[Any, ...]]]]:
        """Return all rooms and memberships, and the number of events."""
        rooms = await self.rows("SELECT id, head_version, head_seq, member_count, updated_at FROM room ORDER BY id")
        return [rooms, await self.rows("SELECT COUNT(*) FROM room_event"), await self.rows("SELECT * FROM member")]

    async def events(self, room: str, after: int = 0) -> list[RoomEvent]:
        """Return all events after a version, from the database."""
        found: list[RoomEvent] = []
        while True:
            page = (await events.list_events(self.deps, {room: after + len(found)})).rooms[room]
            assert not page.gone
            found += [msgspec.json.decode(one, type=RoomEvent) for one in page.events]
            if after + len(found) == page.head:
                return found

    async def page(self, room: str, user: str, **choice: int) -> MessagesPage:
        page = await reading.get_page(self.deps, room, user, PageChoice(**choice))
        return msgspec.json.decode(msgspec.json.encode(page), type=MessagesPage)

    async def snapshot(self, room: str, user: str) -> Snapshot:
        """Return the room with all messages, as seen by a user who has been a member from its creation."""
        snapshot = await reading.get_snapshot(self.deps, room, user)
        messages = list(snapshot.messages)
        while messages and messages[0].seq > 1:
            messages = (await self.page(room, user, before=messages[0].seq, limit=200)).messages + messages
        members = {one.user_id: SnapshotMember(one.role, one.read_seq) for one in snapshot.room.members}
        by_seq = {one.seq: one for one in messages}
        return Snapshot(snapshot.version, 1, by_seq, snapshot.room.title, snapshot.room.pinned_seq, members)

    # Control the database.

    async def use_one_connection(self) -> None:
        """Reconnect with a single connection, so that the session counters of the server count all statements."""
        await self.deps.database.close()
        self.deps.database.engine = MysqlEngine(self.deps.database.engine.sync_engine.url, 1)

    @asynccontextmanager
    async def failing_commits(self, *, after: int = 0) -> AsyncIterator[None]:
        """Let all commits except the first `after` fail, after all statements have succeeded.

        On SQLite a deferred constraint is violated. On a server the connection is killed before the commit.
        """
        database = self.deps.database
        if database.is_sqlite:
            async with database.write() as db:
                await db.execute(text("CREATE TABLE IF NOT EXISTS violated (id INTEGER PRIMARY KEY)"))
                await db.execute(
                    text(
                        "CREATE TABLE IF NOT EXISTS violation "
                        "(id INTEGER REFERENCES violated (id) DEFERRABLE INITIALLY DEFERRED)"
                    )
                )
        commits = itertools.count()

        def fail(connection: Connection) -> None:
            if next(commits) < after:
                return
            if database.is_sqlite:
                connection.exec_driver_sql("INSERT INTO violation VALUES (1)")
            else:
                self._kill_connections()

        engine = database.engine.sync_engine
        event.listen(engine, "commit", fail)
        try:
            yield
        finally:
            event.remove(engine, "commit", fail)

    @property
    def process_list(self) -> str:
        """The table of a server's connections. In MySQL's information_schema it fails on statements with binary ids."""
        dialect = self.deps.database.engine.sync_engine.dialect
        is_mariadb = isinstance(dialect, MySQLDialect) and dialect.is_mariadb
        return f"{'information_schema' if is_mariadb else 'performance_schema'}.processlist"

    def _kill_connections(self) -> None:
        url = self.deps.database.engine.sync_engine.url
        assert url.port is not None
        with pymysql.connect(host=url.host, port=url.port, user=url.username, password=url.password or "") as server:
            cursor = server.cursor()
            cursor.execute(f"SELECT id FROM {self.process_list} WHERE db = %s", [url.database])
            for [number] in cursor.fetchall():
                cursor.execute(f"KILL CONNECTION {number}")

    @asynccontextmanager
    async def rejecting(self, body: str) -> AsyncIterator[None]:
        """Let the database reject messages with this text."""
        if self.deps.database.is_sqlite:
            add = f"CREATE TRIGGER rejection BEFORE INSERT ON message WHEN NEW.body = '{body}' "
            add, remove = add + "BEGIN SELECT RAISE(ABORT, 'no'); END", "DROP TRIGGER rejection"
        else:
            add = f"ALTER TABLE message ADD CONSTRAINT rejection CHECK (body <> '{body}')"
            remove = "ALTER TABLE message DROP CONSTRAINT rejection"
        async with self.deps.database.write() as db:
            await db.execute(text(add))
        try:
            yield
        finally:
            async with self.deps.database.write() as db:
                await db.execute(text(remove))

    @asynccontextmanager
    async def record_statements(self) -> AsyncIterator[list[str]]:
        """Yield a list to which all executed statements are added."""
        statements: list[str] = []

        def add(_: object, __: object, statement: str, *___: object) -> None:
            statements.append(statement)

        engine = self.deps.database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", add)
        try:
            yield statements
        finally:
            event.remove(engine, "before_cursor_execute", add)


class Client:
    """Calls the HTTP API of an application in this process."""

    def __init__(self, app: FastAPI, http: httpx.AsyncClient, auth: FakeAuth) -> None:
        deps: Dependencies = state_of(app).dependencies
        self.app, self.http, self._auth, self.deps = app, http, auth, deps
        self.driver = RoomsDriver(deps, auth)

    async def __call__(
        self, user: str, method: str, path: str = "", body: object = None, **query: str | int
    ) -> httpx.Response:
        headers = {TOKEN_HEADER: self._auth.user_token(user), "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body)
        return await self.http.request(method, f"/api/rooms{path}", content=content, params=query, headers=headers)

    async def internal(self, path: str, body: object, **headers: str) -> httpx.Response:
        headers = headers or {TOKEN_HEADER: self._auth.service_token()}
        return await self.http.post(f"/internal/{path}", content=msgspec.json.encode(body), headers=headers)

    async def batch(self, *commands: AnyCommand, budget_ms: int = 5_000) -> list[Result]:
        response = await self.internal("commands", CommandBatch(budget_ms, list(commands)))
        assert response.status_code == 200
        return msgspec.json.decode(response.content, type=BatchResult).results

    async def group(self, owner: str, *others: str) -> str:
        response = await self(owner, "POST", body={"kind": "group", "title": "Room", "user_ids": list(others)})
        assert response.status_code == 201
        room_id: str = response.json()["room_id"]
        return room_id


OpenProcess = Callable[[], AbstractAsyncContextManager[RoomsDriver]]
Start = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def settings(database_env: dict[str, Any], redis_endpoint: list[str]) -> RoomsSettings:
    keys = [SecretStr("k" * 32)]
    return RoomsSettings(
        service_secret=SecretStr(SECRET), message_digest_keys=keys, redis_endpoint=redis_endpoint, rate_limits=False,
        **database_env,
    )  # fmt: skip


@asynccontextmanager
async def open_dependencies(settings: RoomsSettings, auth: FakeAuth) -> AsyncIterator[Dependencies]:
    """Open the dependencies of a rooms process without its background tasks, on the tables of `database_env`."""
    async with AsyncExitStack() as stack:
        database = Database(settings.database_url)
        stack.push_async_callback(database.close)
        redis = connect_redis(settings)
        stack.push_async_callback(close_redis, redis)
        url = await stack.enter_async_context(serve(auth.app))
        client = await stack.enter_async_context(http_client())
        tokens = ServiceTokens(client, settings.model_copy(update={"auth_url": url}))
        peer, media = (Peer(client, tokens, name, url) for name in ("auth", "media"))
        deps = create_dependencies(settings, database, redis, auth=peer, media=media)
        await deps.publisher.open()
        yield deps


@pytest.fixture
def auth() -> FakeAuth:
    return FakeAuth()


@pytest.fixture
async def manual_driver(settings: RoomsSettings, auth: FakeAuth, redis: Redis) -> AsyncIterator[RoomsDriver]:
    """A driver without a running publisher. Tests publish with `publisher.drain` or `sweep`."""
    async with open_dependencies(settings, auth) as deps:
        yield RoomsDriver(deps, auth)


@pytest.fixture
async def driver(manual_driver: RoomsDriver) -> AsyncIterator[RoomsDriver]:
    async with background("publisher", manual_driver.deps.publisher.run, pause=0):
        yield manual_driver


@pytest.fixture
def second_process(settings: RoomsSettings, auth: FakeAuth) -> OpenProcess:
    """Open another rooms process on the same database and Valkey."""

    @asynccontextmanager
    async def open_process() -> AsyncIterator[RoomsDriver]:
        async with open_dependencies(settings, auth) as deps, background("publisher", deps.publisher.run, pause=0):
            yield RoomsDriver(deps, auth)

    return open_process


@pytest.fixture
def media() -> FakeMedia:
    return FakeMedia()


@pytest.fixture
def start(settings: RoomsSettings, auth: FakeAuth, media: FakeMedia, redis: Redis) -> Start:
    """Start the complete application in this process, and yield a client.

    Its arguments are settings. Sweep and trim run once at the start, and again only after an hour.
    """

    @asynccontextmanager
    async def run(**changes: Any) -> AsyncIterator[Client]:
        async with AsyncExitStack() as stack:
            urls = {
                f"{name}_url": await stack.enter_async_context(serve(other.app))
                for name, other in (("auth", auth), ("media", media))
            }
            app = create_app(settings.model_copy(update={**urls, "sweep_s": 3600, "trim_s": 3600, **changes}))
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx.ASGITransport(app=app)
            http = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://rooms"))
            yield Client(app, http, auth)

    return run
