"""The process on a port, with replicas of services and auth's public keys on other ports."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk

from ops.main import create_app
from ops.settings import OpsSettings
from shared.contracts.auth import SigningKeys
from shared.rpc.tokens import TOKEN_HEADER, Principal, sign_token
from shared.testing.fixtures import eventually
from shared.testing.http import serve
from shared.testing.servers import free_port

OPERATOR = Principal("user", "minji", "session")
READY = '{"status":"ready","missing":[]}'


class Replica:
    """A replica that answers on these paths, and counts requests by path."""

    def __init__(self, pages: dict[str, str]) -> None:
        self.pages = pages
        self.requests: Counter[str] = Counter()

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests[request.path] += 1
        if request.path not in self.pages:
            raise web.HTTPBadGateway
        return web.Response(text=self.pages[request.path])

    @asynccontextmanager
    async def on_a_port(self) -> AsyncIterator[str]:
        app = web.Application()
        app.add_routes([web.route("*", "/{path:.*}", self._answer)])
        async with serve(app) as url:
            yield url


class Auth(Replica):
    """auth, with its public keys. It signs tokens."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self._private = {**jwk.construct(key, "ES256").to_dict(), "kid": "k1"}
        public = {**jwk.construct(key.public_key(), "ES256").to_dict(), "kid": "k1"}
        keys = msgspec.json.encode(SigningKeys([public])).decode()
        super().__init__({"/internal/keys": keys, "/metrics": "", "/readyz": READY})

    def token(self, principal: Principal, audience: str) -> str:
        return sign_token(self._private, principal, audience)


class Ops:
    """The process, as nginx reaches it."""

    def __init__(self, port: int, auth: Auth) -> None:
        self._url, self._auth = f"http://127.0.0.1:{port}", auth

    async def get(self, path: str, principal: Principal | None = None, audience: str = "ops") -> httpx.Response:
        headers = {} if principal is None else {TOKEN_HEADER: self._auth.token(principal, audience)}
        async with httpx.AsyncClient(base_url=self._url, headers=headers) as client:
            return await client.get(path)

    async def services(self) -> dict[str, Any]:
        """Return the figures by service."""
        answer = await self.get("/api/ops/figures", OPERATOR)
        assert answer.status_code == 200
        return {service["name"]: service for service in answer.json()["services"]}


@pytest.fixture
def auth() -> Auth:
    return Auth()


@asynccontextmanager
async def serving(auth: Auth, **settings: Any) -> AsyncIterator[Ops]:
    """Run the process. Services whose address is not in `settings` do not answer."""
    async with AsyncExitStack() as stack:
        nowhere = f"http://127.0.0.1:{free_port()}"
        urls = {f"{name}_url": nowhere for name in ("social", "rooms", "media")} | {"chat_gateway_url": nowhere}
        urls["auth_url"] = await stack.enter_async_context(auth.on_a_port())
        port = free_port()
        app = create_app(OpsSettings(_env_file=None, **(urls | settings)))
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="on"))
        task = asyncio.create_task(server.serve())
        await eventually(lambda: server.started)
        try:
            yield Ops(port, auth)
        finally:
            server.should_exit = True
            await task


async def test_only_operators_see_the_figures(auth: Auth):
    async with serving(auth) as ops:
        missing = await ops.get("/api/ops/figures")
        assert (missing.status_code, missing.json()["type"]) == (404, "urn:webchat:problem:not_found")
        assert (await ops.get("/api/ops/figures", Principal("service", "rooms"))).status_code == 403
        assert (await ops.get("/api/ops/figures", OPERATOR, audience="rooms")).status_code == 401
        answer = await ops.get("/api/ops/figures", OPERATOR)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert [one["name"] for one in answer.json()["services"]] == [
            "chat-gateway",
            "rooms",
            "auth",
            "social",
            "media",
        ]


async def test_the_figures_are_collected_from_all_replicas(auth: Auth):
    waiting = '{"status":"waiting","missing":["redis"],"degraded":["rooms"]}'
    replicas = {
        "ready": Replica({"/metrics": "webchat_users 2.0\n", "/readyz": READY}),
        "waiting": Replica({"/metrics": "webchat_users 3.0\n", "/readyz": waiting}),
        "confused": Replica({"/metrics": "webchat_users 4.0\n", "/readyz": "ok"}),
    }
    nowhere = f"http://127.0.0.1:{free_port()}"
    async with AsyncExitStack() as stack:
        urls = {name: await stack.enter_async_context(one.on_a_port()) for name, one in replicas.items()}
        given = {"chat_gateway_url": [*urls.values(), nowhere], "canary_url": nowhere}
        services = await (await stack.enter_async_context(serving(auth, **given))).services()
    states = {one["address"]: (one["up"], one["missing"]) for one in services["chat-gateway"]["replicas"]}
    assert states == {
        urls["ready"][7:]: (True, []),
        urls["waiting"][7:]: (True, ["redis", "rooms"]),
        urls["confused"][7:]: (True, ["/readyz"]),
        nowhere[7:]: (False, []),
    }
    assert services["chat-gateway"]["numbers"]["users"] == 9
    assert next(iter(services)) == "canary"
    assert [one["up"] for one in services["canary"]["replicas"]] == [False]


async def test_many_viewers_poll_a_replica_once(auth: Auth):
    async with serving(auth) as ops:
        await asyncio.gather(*(ops.services() for _ in range(5)))
    assert (auth.requests["/metrics"], auth.requests["/readyz"]) == (1, 1)


async def test_it_is_ready_once_it_can_verify_tokens(auth: Auth):
    keys = auth.pages.pop("/internal/keys")
    async with serving(auth) as ops:
        answer = await ops.get("/readyz")
        assert (answer.status_code, answer.json()["missing"]) == (503, ["keys of auth"])
        assert (await ops.get("/healthz")).status_code == 200
        auth.pages["/internal/keys"] = keys
        assert (await ops.get("/readyz")).status_code == 200
        assert 'route="/readyz"' in (await ops.get("/metrics")).text


def test_the_configured_services_are_polled():
    settings = OpsSettings(_env_file=None, chat_gateway_url="http://g, http://h", canary_url="http://c")
    assert settings.replica_urls == {
        "canary": ["http://c"],
        "chat-gateway": ["http://g", "http://h"],
        "rooms": [settings.rooms_url],
        "auth": [settings.auth_url],
        "social": [settings.social_url],
        "media": [settings.media_url],
    }
    assert next(iter(OpsSettings(_env_file=None).replica_urls)) == "chat-gateway", "there need not be a canary"
