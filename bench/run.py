"""Run all scenes: WebChat, then the baseline, then the bare loop, each alone on the server core."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bench.chats import Tutorial, WebChat
from bench.client.accounts import sign_up
from bench.scenes import bare, fanout, history, idle, memory, observability, resume, signins, small_rooms, uploads
from bench.server import stack
from bench.server.stack import Server
from bench.size import Size

SCENES = ("memory", "idle", "fanout", "small_rooms", "signins", "uploads", "resume", "history", "observability")
COMPARED = ("idle", "fanout", "small_rooms", "history")
SCENE_SECONDS = 150
"""The time limit of a scene."""

Figures = dict[str, Any]


async def run_all(size: Size, only: str | None, folder: Path) -> dict[str, Figures]:
    """Return the figures by server and scene. `folder` is for the data of the servers."""
    chosen = [scene for scene in SCENES if only in {None, scene}]
    with stack.webchat(folder / "webchat") as server:
        found = {"webchat": await _webchat(server, size, chosen, folder)}
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


async def _webchat(server: Server, size: Size, chosen: list[str], folder: Path) -> Figures:
    async with observability.silent_stack(folder, at_once=size.at_once and "observability" in chosen) as silent:
        return await _scenes(server, size, chosen, silent)


async def _scenes(server: Server, size: Size, chosen: list[str], silent: Callable[[], Awaitable[Server]]) -> Figures:
    accounts = await sign_up(server.port, size.users)
    chat = WebChat(server, accounts)
    runs: dict[str, Callable[[], Awaitable[Figures]]] = {
        "memory": lambda: memory.run(chat, size.idle_connections, size.seconds / 5),
        "idle": lambda: idle.run(chat, size.idle_messages),
        "small_rooms": lambda: small_rooms.run(chat, size),
        "signins": lambda: signins.run(server, accounts, size.seconds),
        "uploads": lambda: uploads.run(server, accounts, size.seconds, size.upload_bytes, size.uploads),
        "resume": lambda: resume.run(chat, size.resuming, size.missed),
        "history": lambda: history.webchat(server, accounts, size.deep_room, size.seconds),
        "observability": lambda: observability.run(chat, size, silent),
    }
    found: Figures = {}
    for scene in chosen:
        if scene == "fanout":
            found[scene] = [
                await _timed(f"{scene} {n}", fanout.run(chat, n, size.seconds, size.settle)) for n in size.receivers
            ]
        else:
            found[scene] = await _timed(scene, runs[scene]())
    return found


async def _baseline(server: Server, size: Size, chosen: list[str]) -> Figures:
    chat = Tutorial(server)
    found: Figures = {}
    if "idle" in chosen:
        found["idle"] = await _timed("baseline idle", idle.run(chat, size.idle_messages // 2))
    if "fanout" in chosen:
        run = fanout.run(chat, size.receivers[1], size.seconds, size.settle)
        found["fanout"] = [await _timed("baseline fanout", run)]
    if "small_rooms" in chosen:
        found["small_rooms"] = await _timed("baseline small_rooms", small_rooms.run(chat, size))
    if "history" in chosen:
        run = history.baseline(server, size.deep_room, size.seconds)
        found["history"] = await _timed("baseline history", run)
    return found


async def _bare(server: Server, size: Size, like: list[Figures]) -> Figures:
    return {"fanout": [await _timed("bare", bare.run(server, one, size.seconds, size.settle)) for one in like]}
