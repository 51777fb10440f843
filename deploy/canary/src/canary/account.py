"""One of the two accounts: its session at the public address, and what is asked there over HTTP."""

import asyncio
import logging
from typing import Any

import aiohttp
from yarl import URL

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0
UNAUTHENTICATED = 401
EXISTS = 200, 201, 204


class RefusedError(Exception):
    """The public address answered, and not what was asked for."""

    def __init__(self, what: str, status: int) -> None:
        super().__init__(f"{what} was answered {status}")
        self.status = status


def http_client() -> aiohttp.ClientSession:
    """For one account. Made where a loop runs; an async context manager."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    return aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.CookieJar(unsafe=True))  # addresses have them too


class Account:
    def __init__(self, http: aiohttp.ClientSession, target: str, webchat_id: str, password: str) -> None:
        self._http, self._target, self._password = http, target, password
        self.webchat_id, self.user_id = webchat_id, ""
        self._signing_in = asyncio.Lock()

    @property
    def cookie(self) -> str:
        cookies = self._http.cookie_jar.filter_cookies(URL(self._target))
        return "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())

    async def sign_in(self, instead_of: str = "") -> None:
        """Get a session, and an account first where there is none; nothing to do where another did it meanwhile.

        Raises RefusedError, aiohttp.ClientError, TimeoutError.
        """
        async with self._signing_in:
            if self.cookie != instead_of:
                return
            free = (await self._once("GET", "/auth/available", webchat_id=self.webchat_id))["available"]
            if free:
                user = await self._once("POST", "/auth/signup", {
                    "email": f"{self.webchat_id}@canary.invalid", "password": self._password,
                    "webchat_id": self.webchat_id, "display_name": self.webchat_id,
                })  # fmt: skip
            else:
                user = await self._once("POST", "/auth/login", {"login": self.webchat_id, "password": self._password})
            self.user_id = user["user_id"]

    async def sign_out_elsewhere(self) -> None:
        """End the sessions that earlier lives of this process left."""
        await self.call("DELETE", "/auth/sessions")

    async def call(self, method: str, path: str, body: object = None, **query: str | int) -> Any:
        """A request under /api, with a new session where the old one is gone. Raises as `sign_in` does."""
        cookie = self.cookie
        try:
            return await self._once(method, path, body, **query)
        except RefusedError as refused:
            if refused.status != UNAUTHENTICATED:
                raise
        await self.sign_in(instead_of=cookie)
        return await self._once(method, path, body, **query)

    async def _once(self, method: str, path: str, body: object = None, **query: str | int) -> Any:
        url = f"{self._target}/api{path}"
        async with self._http.request(method, url, json=body, params=query) as response:
            if response.status not in EXISTS:
                raise RefusedError(f"{method} {path}", response.status)
            return await response.json() if response.status != 204 else None
