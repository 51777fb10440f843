"""All scenes in their order: WebChat, then the baseline, then the bare loop, each alone on the serving core."""

import asyncio
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from bench.chats import Tutorial, WebChat
from bench.client.people import sign_up
from bench.scenes import bare, fanout, history, idle, memory, resume, signins, small_rooms, uploads
from bench.server import stack
from bench.server.stack import Server
from bench.size import Size

SCENES = ("memory", "idle", "fanout", "small_rooms", "signins", "uploads", "resume", "history")
COMPARED = ("idle", "fanout", "small_rooms", "history")
SCENE_SECONDS = 150
"""No scene takes longer, whatever the server does."""

Figures = dict[str, Any]


async def run_all(size: Size, only: str | None, folder: Path) -> dict[str, Figures]:
    """Figures by server and scene; `folder` takes their data."""
    chosen = [scene for scene in SCENES if only in {None, scene}]
    with stack.webchat(folder / "webchat") as server:
        found = {"webchat": await _webchat(server, size, chosen)}
    if any(scene in COMPARED for scene in chosen):
        with stack.baseline(folder / "baseline") as server:
            found["baseline"] = await _baseline(server, size, chosen)
    if "fanout" in chosen:
        with stack.bare() as server:
            found["bare"] = await _bare(server, size, found["webchat"]["fanout"][1:])
    return found


async def _timed(name: str, scene: Awaitable[Figures]) -> Figures:
    began = time.perf_counter()
    async with asyncio.timeout(SCENE_SECONDS):
        figures = await scene
    print(f"{name}: {time.perf_counter() - began:.1f} s", flush=True)
    return figures


async def _webchat(server: Server, size: Size, chosen: list[str]) -> Figures:
    people = await sign_up(server.port, size.users)
    chat = WebChat(server, people)
    found: Figures = {}
    for scene in chosen:
        if scene == "memory":
            found[scene] = await _timed(scene, memory.run(chat, size.idle_connections, size.seconds / 5))
        elif scene == "idle":
            found[scene] = await _timed(scene, idle.run(chat, size.idle_messages))
        elif scene == "fanout":
            found[scene] = [await _timed(f"{scene} {n}", fanout.run(chat, n, size.seconds)) for n in size.receivers]
        elif scene == "small_rooms":
            found[scene] = await _timed(scene, small_rooms.run(chat, size))
        elif scene == "signins":
            found[scene] = await _timed(scene, signins.run(server, people, size.seconds))
        elif scene == "uploads":
            run = uploads.run(server, people, size.seconds, size.upload_bytes, size.uploads)
            found[scene] = await _timed(scene, run)
        elif scene == "resume":
            found[scene] = await _timed(scene, resume.run(chat, size.resuming, size.missed))
        elif scene == "history":
            found[scene] = await _timed(scene, history.webchat(server, people, size.deep_room, size.seconds))
    return found


async def _baseline(server: Server, size: Size, chosen: list[str]) -> Figures:
    chat = Tutorial(server)
    found: Figures = {}
    if "idle" in chosen:
        found["idle"] = await _timed("baseline idle", idle.run(chat, size.idle_messages // 2))
    if "fanout" in chosen:
        run = fanout.run(chat, size.receivers[1], size.seconds)
        found["fanout"] = [await _timed("baseline fanout", run)]
    if "small_rooms" in chosen:
        found["small_rooms"] = await _timed("baseline small_rooms", small_rooms.run(chat, size))
    if "history" in chosen:
        run = history.baseline(server, size.deep_room, size.seconds)
        found["history"] = await _timed("baseline history", run)
    return found


async def _bare(server: Server, size: Size, like: list[Figures]) -> Figures:
    return {"fanout": [await _timed("bare", bare.run(server, one, size.seconds)) for one in like]}
