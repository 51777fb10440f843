"""Fixtures: media in this process, with a real database, Valkey, S3 server, auth and rooms, and a proxy before S3.

They are started once per module (see `shared.testing.once`), S3 once per session. Each test has its own people and
rooms. Tables and bucket are emptied before each test.
"""

import asyncio
import io
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any, TypedDict

import httpx
import pytest
from fastapi import FastAPI
from PIL import Image
from sqlalchemy import delete, text

import media.storage
from auth.main import create_app as create_auth
from auth.settings import AuthSettings
from media.main import create_app
from media.service.dependencies import Dependencies
from media.settings import MediaSettings
from media.storage.tables import TABLES
from rooms.main import create_app as create_rooms
from rooms.settings import RoomsSettings
from shared.ids import new_id
from shared.redis.client import AnyRedis
from shared.testing.fixtures import eventually, prepare_database
from shared.testing.http import serving
from shared.testing.once import (
    database_env,
    function_fixture,
    module_fixture,
    plain_client,
    readiness,
    redis,
    redis_endpoint,
    share_loop,
    tag,
)
from shared.testing.servers import free_port, wait_for_port
from shared.testing.statements import led_by_keys
from shared.web.state import state_of

__all__ = ["database_env", "redis", "redis_endpoint", "tag"]

SECRET = "s" * 40
PASSWORD = "correct horse battery"
LISTENERS = ("s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc",
             "filer.port", "filer.port.grpc", "admin.port", "admin.port.grpc")  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    share_loop(items, Path(__file__).parent)


@pytest.fixture(scope="session")
def database_services() -> tuple[str, ...]:
    return ("rooms",)


@pytest.fixture(scope="session")
def s3_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """SeaweedFS with the options of the embedded stack."""
    folder = tmp_path_factory.mktemp("s3")
    (folder / "master").mkdir()
    ports = {name: free_port() for name in LISTENERS}
    options = {
        "dir": folder, "master.dir": folder / "master", "ip": "127.0.0.1", "ip.bind": "127.0.0.1", **ports,
        "s3.port.iceberg": 0, "s3.port.lance": 0, "s3.localSocket": f"/tmp/webchat-test-s3-{ports['s3.port']}.sock",
        "filer.localSocket": f"/tmp/webchat-test-filer-{ports['s3.port']}.sock", "admin.ui": "false", "webdav": "false",
        "master.telemetry": "false", "volume.max": 10_000,  # each bucket has its own volumes
    }  # fmt: skip
    command = [str(Path(sys.executable).with_name("weed")), "mini", *(f"-{k}={v}" for k, v in options.items())]
    environment = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": SECRET, "PATH": "/usr/bin:/bin",
                   "HOME": str(folder), "GOMEMLIMIT": "512MiB"}  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = Popen(command, env=environment, cwd=folder, stdout=log, stderr=log, stdin=DEVNULL)
        try:
            wait_for_port(ports["s3.port"], process, 40)
            yield ports["s3.port"]
        finally:
            process.kill()
            process.wait()
            owners = ("s3", "master", "volume", "filer", "admin")
            sockets = [f"/tmp/seaweedfs-{name}-grpc-{ports[f'{name}.port.grpc']}.sock" for name in owners]
            for path in [*sockets, options["s3.localSocket"], options["filer.localSocket"]]:
                Path(str(path)).unlink(missing_ok=True)


@dataclass
class TcpProxy:
    """A TCP proxy before S3 that forwards bytes, holds them, or cuts the connection."""

    target: int
    port: int = 0
    is_up: bool = True
    cut_after: int | None = None
    """After this number of bytes to S3, the connection is cut."""
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is cleared, nothing reaches S3."""
    silent_after: int | None = None
    """After this number of bytes to S3, no answer comes back."""
    passed: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.is_up:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers |= {writer, back}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, back, forth=True))
                group.create_task(self._pass(there, writer, forth=False))
        except* (OSError, ConnectionError):
            pass
        finally:
            for one in (writer, back):
                one.transport.abort()
            self._writers -= {writer, back}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, forth: bool) -> None:
        while data := await reader.read(64 * 1024):
            if forth:
                await self.open.wait()
            elif self.silent_after is not None and self.passed > self.silent_after:
                return
            if forth:
                self.passed += len(data)
                if self.cut_after is not None and self.passed > self.cut_after:
                    raise ConnectionError
            writer.write(data)
            await writer.drain()
        raise ConnectionError

    def restore(self) -> None:
        self.is_up, self.cut_after, self.silent_after = True, None, None
        self.open.set()

    @property
    def is_used(self) -> bool:
        return bool(self._writers)

    def cut(self) -> None:
        self.is_up = False
        for writer in list(self._writers):
            writer.transport.abort()


@module_fixture()
async def module_proxy(s3_port: int) -> AsyncIterator[TcpProxy]:
    proxy = TcpProxy(s3_port)
    proxy.open.set()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    yield proxy
    proxy.open.set()
    server.close()
    proxy.cut()
    await eventually(lambda: not proxy.is_used)


@pytest.fixture
def proxy(module_proxy: TcpProxy) -> Iterator[TcpProxy]:
    yield module_proxy
    module_proxy.restore()


def client_of(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://media/api/media", timeout=30)


@dataclass(frozen=True)
class Person:
    """A signed-up person with clients of media, rooms and auth (`account`)."""

    user_id: str
    media: httpx.AsyncClient
    rooms: httpx.AsyncClient
    account: httpx.AsyncClient

    async def group(self, *others: "Person") -> str:
        body = {"kind": "group", "title": "Room", "user_ids": [one.user_id for one in others]}
        answer = await self.rooms.post("/api/rooms", json=body)
        assert answer.status_code == 201, answer.text
        room_id: str = answer.json()["room_id"]
        return room_id

    async def upload(self, data: bytes, name: str = "a.bin", **fields: str) -> httpx.Response:
        return await self.media.post("/attachments", files={"file": (name, data)}, data=fields)

    async def stored(self, data: bytes, name: str = "a.bin", **fields: str) -> dict[str, Any]:
        answer = await self.upload(data, name, **fields)
        assert answer.status_code == 201, answer.text
        attachment: dict[str, Any] = answer.json()
        return attachment

    async def content(self, attachment_id: str, **headers: str) -> httpx.Response:
        return await self.media.get(f"/attachments/{attachment_id}/content", headers=headers)

    async def close(self) -> None:
        answer = await self.account.request("DELETE", "/api/auth/me", json={"password": PASSWORD})
        assert answer.status_code == 204


Serve = Callable[..., AbstractAsyncContextManager[str]]
Rows = Callable[[str], Awaitable[list[tuple[Any, ...]]]]


class Urls(TypedDict):
    """The URLs of the other services, and the port on which they expect media."""

    auth_url: str
    rooms_url: str
    listen_port: int


@module_fixture()
async def urls(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, database_env: dict[str, Any],
    redis_endpoint: list[str], redis: AnyRedis,
) -> AsyncIterator[Urls]:  # fmt: skip
    """URLs of a real auth and rooms, and the port where rooms expects media."""
    secrets = dict.fromkeys((f"{name}_service_secret" for name in ("social", "rooms", "media", "chat_gateway")), SECRET)
    common: dict[str, Any] = {"redis_endpoint": redis_endpoint, "service_secret": SECRET, "_env_file": None}
    database = prepare_database(request, "sqlite", ["auth"], tmp_path_factory.mktemp("auth"))
    auth: dict[str, Any] = {
        "rate_limits": False, "session_secret_key": SECRET, "argon2_time_cost": 1, "argon2_memory_kib": 8,
        **database, **common, **secrets,
    }  # fmt: skip
    async with AsyncExitStack() as stack:
        auth_url = await stack.enter_async_context(serving(create_auth(AuthSettings(**auth))))
        media_port = free_port()
        rooms = RoomsSettings(auth_url=auth_url, media_url=f"http://127.0.0.1:{media_port}", **common, **database_env)
        rooms_url = await stack.enter_async_context(serving(create_rooms(rooms)))
        yield {"auth_url": auth_url, "rooms_url": rooms_url, "listen_port": media_port}


@pytest.fixture(scope="module")
def settings(
    request: pytest.FixtureRequest, database_env: dict[str, Any], redis_endpoint: list[str], urls: Urls,
    module_proxy: TcpProxy,
) -> MediaSettings:  # fmt: skip
    """Settings of the application; `with_settings` changes some. A value may be a function of S3's port."""
    changes = {
        name: value(module_proxy.target) if callable(value) else value
        for name, value in getattr(request, "param", {}).items()
    }
    common = {
        "_env_file": None, "redis_endpoint": redis_endpoint, "service_secret": SECRET, "aws_access_key": "key",
        "aws_secret_access_key": SECRET, "s3_endpoint_url": f"http://127.0.0.1:{module_proxy.port}",
        "aws_storage_bucket_name": f"t{new_id()}", "media_sweep_s": 3600, "upload_deadline_s": 30,
        "s3_read_timeout_s": 10, "wait_for_twin_s": 20,  # long, for busy machines
        "s3_part_bytes": 5 * 1024 * 1024, "rate_limits": False,
    }  # fmt: skip
    return MediaSettings(**{**database_env, **common, **urls, **changes})


def with_settings(**settings: Any) -> pytest.MarkDecorator:
    """Return a mark for a test, or a module, that needs an application with these settings."""
    return pytest.mark.parametrize("settings", [settings], indirect=True, ids=[""])


@asynccontextmanager
async def started(settings: MediaSettings) -> AsyncIterator[FastAPI]:
    """Run an application and wait until it is ready."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        await eventually(lambda: _is_ready(app), 30)
        yield app


async def _is_ready(app: FastAPI) -> bool:
    return not (await readiness(app))["missing"]


@module_fixture()
async def app(settings: MediaSettings) -> AsyncIterator[FastAPI]:
    async with started(settings) as app:
        with led_by_keys(media.storage, state_of(app).dependencies.database.engine.sync_engine):
            yield app


@function_fixture(autouse=True)
async def clean(app: FastAPI) -> None:
    """Empty media's tables and bucket before each test."""
    deps: Dependencies = state_of(app).dependencies
    async with deps.database.write() as db:
        for table in TABLES:
            await db.execute(delete(table))
    await deps.bucket.check()
    while found := await deps.bucket.list_after("", 1000):
        for one in found:
            await deps.bucket.delete(one.key)


@pytest.fixture
def served() -> Serve:
    """Serve an application on a port."""
    return serving


@module_fixture()
async def listening(app: FastAPI, settings: MediaSettings) -> AsyncIterator[None]:
    """Media on the port where the other services expect it. Its lifespan is running already."""
    async with serving(app, settings.listen_port, "off"):
        yield


@pytest.fixture
def deps(app: FastAPI) -> Dependencies:
    dependencies: Dependencies = state_of(app).dependencies
    return dependencies


@function_fixture()
async def sign_up(app: FastAPI, urls: Urls, tag: str) -> AsyncIterator[Callable[[str], Awaitable[Person]]]:
    async with AsyncExitStack() as stack:

        async def sign_up(name: str) -> Person:
            account, rooms = plain_client(urls["auth_url"]), plain_client(urls["rooms_url"])
            media = client_of(app)
            for client in (account, media, rooms):
                await stack.enter_async_context(client)
            webchat_id = f"{tag}{name}"
            names = {"email": f"{webchat_id}@example.com", "webchat_id": webchat_id, "display_name": name}
            body = {"password": PASSWORD, **names}
            answer = await account.post("/api/auth/signup", json=body)
            assert answer.status_code == 201, answer.text
            for client, audience in ((media, "media"), (rooms, "rooms")):
                checked = await account.get(f"/check?audience={audience}")
                client.headers["X-WebChat-Token"] = checked.headers["X-WebChat-Token"]
            return Person(answer.json()["user_id"], media, rooms, account)

        yield sign_up


@function_fixture()
async def anna(sign_up: Callable[[str], Awaitable[Person]]) -> Person:
    return await sign_up("anna")


@function_fixture()
async def berta(sign_up: Callable[[str], Awaitable[Person]]) -> Person:
    return await sign_up("berta")


@function_fixture()
async def internal(app: FastAPI, urls: Urls) -> AsyncIterator[Callable[..., Awaitable[httpx.Response]]]:
    """Post to media's internal routes with a token of the gateway."""
    async with plain_client(urls["auth_url"]) as client:
        body = {"service": "chat-gateway", "secret": SECRET, "audience": "media"}
        token = (await client.post("/internal/token", json=body)).json()["token"]
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://media/internal", headers={"X-WebChat-Token": token}, timeout=30
    ) as client:

        async def ask(path: str, **body: object) -> httpx.Response:
            return await client.post(f"/{path}", json=body)

        yield ask


@pytest.fixture
def objects(deps: Dependencies) -> Callable[[], Awaitable[list[str]]]:
    """Return the keys of all objects in the bucket."""

    async def objects() -> list[str]:
        return [one.key for one in await deps.bucket.list_after("", 1000)]

    return objects


@pytest.fixture
def rows(deps: Dependencies) -> Rows:
    """Return the rows of a statement."""

    async def rows(statement: str) -> list[tuple[Any, ...]]:
        async with deps.database.read() as db:
            return [tuple(row) for row in (await db.execute(text(statement))).all()]

    return rows


def _picture(form: str = "PNG", size: tuple[int, int] = (60, 40), mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, "red").save(out, form)
    return out.getvalue()


@pytest.fixture
def picture() -> Callable[..., bytes]:
    return _picture
