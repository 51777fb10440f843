"""Sign-ins: each hashes a password, which is expensive by design."""

from typing import Any

from bench.client.accounts import Account, sign_in
from bench.client.http_client import HttpClient, repeat
from bench.server.stack import Server

CALLERS = 8


async def run(server: Server, accounts: list[Account], seconds: float) -> dict[str, Any]:
    connections = [HttpClient(server.port) for _ in range(CALLERS)]

    async def once(caller: int) -> None:
        connections[caller].cookie = ""
        await sign_in(connections[caller], accounts[caller % len(accounts)].login)

    before = server.usage()
    done, took = await repeat(seconds, CALLERS, once)
    used = server.usage().since(before)
    for web in connections:
        web.close()
    return {"sign_ins_per_s": done / took, "cpu_s_per_sign_in": used.cpu_of() / max(1, done), "cpu_s": used.cpu}
