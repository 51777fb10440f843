"""Attacks over HTTP, at the rates that nginx allows and beyond them."""

import itertools
import random
from collections.abc import Callable

from bench.client.accounts import PASSWORD, sign_in_request
from bench.client.http_client import HttpClient
from bench.client.socket import encode
from bench.fairness.attacks.attack import Attack, Request

NAMES_AT_ONCE = 20


async def deep_history(attack: Attack) -> None:
    def page() -> Request:
        before = random.randint(201, attack.order.messages)
        return "GET", f"/api/rooms/{attack.order.long_room}/messages?limit=200&before={before}", b""

    await attack.by_http(page)


async def search(attack: Attack) -> None:
    """Search for a word that no message has, so that the search reads all it may."""
    await attack.by_http(lambda: ("GET", "/api/rooms/search?q=archipelago", b""))


async def room_lists(attack: Attack) -> None:
    await attack.by_http(lambda: ("GET", "/api/rooms?limit=200", b""))


async def names(attack: Attack) -> None:
    await attack.by_http(lambda: ("GET", "/api/social/profiles/search?webchat_id=bench&limit=50", b""))


async def guesses(attack: Attack) -> None:
    """Guess the passwords of the ordinary people."""
    logins = itertools.cycle(attack.order.logins)
    await _without_session(attack, lambda: sign_in_request(next(logins), "wrong horse battery"))


async def sprayed_sign_ins(attack: Attack) -> None:
    """Guess passwords of accounts that do not exist, each once."""
    await _without_session(attack, lambda: sign_in_request(f"nobody_{attack.next_number()}", "wrong horse battery"))


async def sign_ups(attack: Attack) -> None:
    def form() -> Request:
        name = f"many_{attack.next_number()}"
        body = {"email": f"{name}@example.com", "password": PASSWORD, "webchat_id": name, "display_name": name}
        return "POST", "/api/auth/signup", encode(body)

    await _without_session(attack, form)


async def rooms(attack: Attack) -> None:
    """Open rooms with everybody in them."""
    title = {"kind": "group", "title": "come in", "user_ids": attack.order.user_ids}
    await attack.by_http(lambda: ("POST", "/api/rooms", encode(title)))


async def invitations(attack: Attack) -> None:
    """Remove people from a room and invite all of them again."""
    room = f"/api/rooms/{attack.order.shared_room}/members"

    def call() -> Request:
        number = attack.next_number()
        if number % 4 == 0:
            return "POST", room, encode({"user_ids": attack.order.user_ids})
        return "DELETE", f"{room}/{attack.order.user_ids[number % len(attack.order.user_ids)]}", b""

    await attack.by_http(call)


async def _without_session(attack: Attack, request: Callable[[], Request]) -> None:
    async def go(_: int) -> None:
        browser = HttpClient(attack.order.port, address=attack.order.address)
        while attack.goes_on:
            browser.cookie = ""
            await attack.request(browser, request())
        browser.close()

    await attack.at_once(NAMES_AT_ONCE, go)
