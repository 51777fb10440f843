"""An API client for one demo user, with its own cookies. It repeats requests that get 429 or 503."""

import asyncio
from typing import Any

import httpx

from embedded.failures import CannotRun
from embedded.seed.dataset import Person

LATER = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)
TRIES = 40
LONGEST_WAIT = 15.0


class Account:
    """A signed-in demo user."""

    def __init__(self, url: str, person: Person) -> None:
        self.person = person
        self.user_id = ""
        self._http = httpx.AsyncClient(base_url=url, timeout=20, trust_env=False)

    async def close(self) -> None:
        await self._http.aclose()

    async def call(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """Return the answer's JSON, or None without a body. Waits as long as asked to. Raises CannotRun on an error."""
        answer = await self._answer(method, path, body, query)
        if answer.is_error:
            raise CannotRun(f"{method} {path} answered {answer.status_code}: {answer.text[:300]}")
        return answer.json() if answer.content else None

    async def _answer(self, method: str, path: str, body: object, query: dict[str, str]) -> httpx.Response:
        for _ in range(TRIES):
            try:
                answer = await self._http.request(method, path, json=body, params=query)
            except httpx.TransportError as error:
                raise CannotRun(f"no answer from {self._http.base_url}: start WebChat with `make run`") from error
            if answer.status_code not in LATER:
                break
            await asyncio.sleep(min(float(answer.headers.get("Retry-After", "1")), LONGEST_WAIT))
        return answer

    @property
    def cookie(self) -> str:
        """The Cookie header for a WebSocket handshake."""
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._http.cookies.jar)

    async def sign_out(self) -> None:
        await self.call("POST", "/api/auth/logout")

    async def sign_in(self) -> None:
        """Sign up if the WebChat ID is free, otherwise log in."""
        person = self.person
        free = (await self.call("GET", "/api/auth/available", webchat_id=person.webchat_id))["available"]
        if free:
            user = await self.call("POST", "/api/auth/signup", {
                "email": person.email, "password": person.password,
                "webchat_id": person.webchat_id, "display_name": person.display_name,
            })  # fmt: skip
        else:
            user = await self.call("POST", "/api/auth/login", {"login": person.webchat_id, "password": person.password})
        self.user_id = user["user_id"]
