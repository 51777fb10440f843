"""One of the two accounts: its session at the public address, and its HTTP requests there."""

import asyncio
import logging
from typing import Any

import aiohttp
from yarl import URL

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0
UNAUTHENTICATED = 401
EXISTS = 200, 201, 204


class RequestError(Exception):
    """An answer with an unexpected status."""

    def __init__(self, what: str, status: int) -> None:
        super().__init__(f"{what} got the answer {status}")
        self.status = status


def http_client() -> aiohttp.ClientSession:
    """Return a client with the cookies of one account, an async context manager. Needs a running event loop."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    return aiohttp.ClientSession(
        timeout=timeout, cookie_jar=aiohttp.CookieJar(unsafe=True)
    )  # so that IP addresses get cookies too


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
        """Log in, or sign up if the account does not exist. Does nothing if the cookie is no longer `instead_of`.

        Raises RequestError, aiohttp.ClientError, TimeoutError.
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
        """End the sessions of earlier runs."""
        await self.call("DELETE", "/auth/sessions")

    async def call(self, method: str, path: str, body: object = None, **query: str | int) -> Any:
        """Send a request below /api, and repeat it in a new session if it gets 401. Raises what `sign_in` raises."""
        cookie = self.cookie
        try:
            return await self._once(method, path, body, **query)
        except RequestError as error:
            if error.status != UNAUTHENTICATED:
                raise
        await self.sign_in(instead_of=cookie)
        return await self._once(method, path, body, **query)

    async def _once(self, method: str, path: str, body: object = None, **query: str | int) -> Any:
        url = f"{self._target}/api{path}"
        async with self._http.request(method, url, json=body, params=query) as response:
            if response.status not in EXISTS:
                raise RequestError(f"{method} {path}", response.status)
            return await response.json() if response.status != 204 else None
