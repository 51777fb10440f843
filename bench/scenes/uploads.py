"""Files over HTTP, as forms, a few at once; bytes that do not compress."""

import os
from typing import Any

from bench.client.people import Person, open_group
from bench.client.web import Web, repeat
from bench.server.stack import Server

CALLERS = 4
_EDGE = "benchbenchbench"


def form(room_id: str, data: bytes) -> bytes:
    head = (
        f'--{_EDGE}\r\nContent-Disposition: form-data; name="room_id"\r\n\r\n{room_id}\r\n'
        f'--{_EDGE}\r\nContent-Disposition: form-data; name="file"; filename="bench.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return head.encode() + data + f"\r\n--{_EDGE}--\r\n".encode()


async def run(server: Server, people: list[Person], seconds: float, size: int, most: int) -> dict[str, Any]:
    """At most `most` files; where media does not take the first one, why."""
    room_id = await open_group(people[0], people[1:2], "files")
    body, kind = form(room_id, os.urandom(size)), f"multipart/form-data; boundary={_EDGE}"
    webs = [Web(server.port, people[0].cookie) for _ in range(CALLERS)]
    status, answer = await webs[0].call("POST", "/api/media/attachments", body, kind)
    if status != 201:
        return {"skipped": f"POST /api/media/attachments answered {status}: {answer[:120].decode(errors='replace')}"}

    async def upload(caller: int) -> None:
        status, answer = await webs[caller].call("POST", "/api/media/attachments", body, kind)
        if status != 201:
            raise RuntimeError(f"an upload answered {status}: {answer[:300]!r}")

    before = server.usage()
    done, took = await repeat(seconds, CALLERS, upload, most=most)
    used = server.usage().since(before)
    for web in webs:
        web.close()
    megabytes = done * size / 1e6
    return {"mb_per_s": megabytes / took, "files": done, "cpu_s_per_mb": used.cpu_of() / megabytes, "cpu_s": used.cpu}
