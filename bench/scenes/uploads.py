"""Uploads over HTTP as forms, a few at a time, with incompressible bytes."""

import os
from typing import Any

from bench.client.accounts import Account, open_group
from bench.client.form import CONTENT_TYPE, UPLOAD, form
from bench.client.http_client import HttpClient, repeat
from bench.server.stack import Server

CALLERS = 4


async def run(server: Server, accounts: list[Account], seconds: float, size: int, most: int) -> dict[str, Any]:
    """Upload at most `most` files. If media rejects the first one, the result has only the reason."""
    room_id = await open_group(accounts[0], accounts[1:2], "files")
    body = form(room_id, os.urandom(size))
    connections = [HttpClient(server.port, accounts[0].cookie) for _ in range(CALLERS)]
    status, answer = await connections[0].call("POST", UPLOAD, body, CONTENT_TYPE)
    if status != 201:
        return {"skipped": f"POST {UPLOAD} answered {status}: {answer[:120].decode(errors='replace')}"}

    async def upload(caller: int) -> None:
        status, answer = await connections[caller].call("POST", UPLOAD, body, CONTENT_TYPE)
        if status != 201:
            raise RuntimeError(f"an upload answered {status}: {answer[:300]!r}")

    before = server.usage()
    done, took = await repeat(seconds, CALLERS, upload, most=most)
    used = server.usage().since(before)
    for web in connections:
        web.close()
    megabytes = done * size / 1e6
    return {"mb_per_s": megabytes / took, "files": done, "cpu_s_per_mb": used.cpu_of() / megabytes, "cpu_s": used.cpu}
