"""Sign-ins: each hashes a password, which is meant to cost."""

from typing import Any

from bench.client.people import PASSWORD, Person
from bench.client.web import Web, repeat
from bench.server.stack import Server

CALLERS = 8


async def run(server: Server, people: list[Person], seconds: float) -> dict[str, Any]:
    webs = [Web(server.port) for _ in range(CALLERS)]

    async def sign_in(caller: int) -> None:
        webs[caller].cookie = ""
        body = {"login": people[caller % len(people)].login, "password": PASSWORD}
        await webs[caller].json("POST", "/api/auth/login", body)

    before = server.usage()
    done, took = await repeat(seconds, CALLERS, sign_in)
    used = server.usage().since(before)
    for web in webs:
        web.close()
    return {"sign_ins_per_s": done / took, "cpu_s_per_sign_in": used.cpu_of() / max(1, done), "cpu_s": used.cpu}
