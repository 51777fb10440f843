"""Run the scenes: WebChat, the same on MariaDB, then its peers and the bare loop, each alone on the server core."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.chats import Chat, SocketIo, Tutorial, WebChat
from bench.client.accounts import sign_up
from bench.scenes import (
    bare,
    crowd,
    fanout,
    fixed_rate,
    history,
    idle,
    memory,
    observability,
    resume,
    signins,
    small_rooms,
    two_cores,
    uploads,
)
from bench.server import stack
from bench.server.stack import Server
from bench.size import Size
from shared.testing.servers import mariadb_is_here

OF_ANY_CHAT = ("memory", "idle", "fixed_rate", "fanout", "small_rooms")
OF_WEBCHAT = ("signins", "uploads", "resume", "history", "observability")
ON_MARIADB = ("fanout", "small_rooms", "history")
LONG = ("two_cores", "crowd")
"""Scenes that run only if they are named or all are asked for."""
SCENES = (*OF_ANY_CHAT, *OF_WEBCHAT, *LONG)
OTHERS = ("mariadb", "baseline", "socketio", "bare")
"""The servers that are measured beside WebChat."""
SCENE_SECONDS = 300
LONG_SCENE_SECONDS = 2400
"""The time limits of a scene."""

Figures = dict[str, Any]
Run = Callable[[], Awaitable[Figures]]


@dataclass(frozen=True)
class Plan:
    """The scenes of a run, and the servers beside WebChat. `folder` is for the data of the servers."""

    size: Size
    scenes: Collection[str]
    others: Collection[str]
    folder: Path

    def chosen(self, scenes: Collection[str]) -> list[str]:
        return [scene for scene in scenes if scene in self.scenes]


async def run_all(plan: Plan) -> dict[str, Figures]:
    """Return the figures by server and scene."""
    found: dict[str, Figures] = {"webchat": {}}
    if plan.chosen((*OF_ANY_CHAT, *OF_WEBCHAT, "two_cores")) or plan.size.shares_stack:
        with stack.webchat(plan.folder / "webchat") as server:
            found["webchat"] = await _webchat(plan, server)
    if "crowd" in plan.scenes and not plan.size.shares_stack:
        with stack.webchat(plan.folder / "crowd", **crowd.settings()) as server:
            found["webchat"]["crowd"] = await _timed("webchat crowd", crowd.run(server, plan.size), LONG_SCENE_SECONDS)
    for name, context, measure in _others(plan):
        with context as server:
            found[name] = await measure(server)
    if "bare" in plan.others and "fanout" in plan.scenes:
        with stack.bare() as server:
            found["bare"] = await _bare(plan, server, found["webchat"]["fanout"][1:])
    return found


def _others(plan: Plan) -> Iterator[tuple[str, AbstractContextManager[Server], Callable[[Server], Awaitable[Figures]]]]:
    """Yield the chats that have scenes to play, with the function that measures each."""
    if "mariadb" in plan.others and plan.chosen(ON_MARIADB):
        if mariadb_is_here():
            yield "mariadb", stack.webchat_on_mariadb(plan.folder / "mariadb"), lambda server: _on_mariadb(plan, server)
        else:
            print("MariaDB is not measured: that needs mariadbd (apt-get install mariadb-server)")
    if "baseline" in plan.others and plan.chosen((*OF_ANY_CHAT, "history")):
        yield "baseline", stack.baseline(plan.folder / "baseline"), lambda server: _baseline(plan, server)
    if "socketio" in plan.others and plan.chosen(OF_ANY_CHAT):
        yield "socketio", stack.socketio(plan.folder / "socketio"), lambda server: _socketio(plan, server)


async def _timed(name: str, scene: Awaitable[Figures], limit: float = SCENE_SECONDS) -> Figures:
    began = time.perf_counter()
    async with asyncio.timeout(limit):
        figures = await scene
    print(f"{name}: {time.perf_counter() - began:.1f} s", flush=True)
    return figures


async def _play(plan: Plan, name: str, chat: Chat, scenes: Collection[str], receivers: Collection[int]) -> Figures:
    """Play the scenes that any chat can play."""
    size = plan.size
    runs: dict[str, Run] = {
        "memory": lambda: memory.run(chat, size.idle_connections, size.seconds / 5),
        "idle": lambda: idle.run(chat, size.idle_messages),
        "fixed_rate": lambda: fixed_rate.run(chat, size.receivers[1], size.fixed_seconds, size.settle),
        "small_rooms": lambda: small_rooms.run(chat, size),
    }
    found: Figures = {}
    for scene in plan.chosen(scenes):
        if scene == "fanout":
            found[scene] = [await _timed(f"{name} {scene} {n}", _fanout(size, chat, n)) for n in receivers]
        else:
            found[scene] = await _timed(f"{name} {scene}", runs[scene]())
    return found


def _fanout(size: Size, chat: Chat, receivers: int) -> Awaitable[Figures]:
    """Return the scene. The room of medium size gets all points of the curve."""
    shares = size.shares if receivers == size.receivers[1] else (fanout.PACED,)
    return fanout.run(chat, receivers, size.seconds, size.settle, shares)


async def _webchat(plan: Plan, server: Server) -> Figures:
    size = plan.size
    accounts = await sign_up(server.port, size.users)
    chat = WebChat(server, accounts)
    found = await _play(plan, "webchat", chat, OF_ANY_CHAT, size.receivers)
    runs: dict[str, Run] = {
        "signins": lambda: signins.run(server, accounts, size.seconds),
        "uploads": lambda: uploads.run(server, accounts, size.seconds, size.upload_bytes, size.uploads),
        "resume": lambda: resume.run(chat, size.resuming, size.missed),
        "history": lambda: history.webchat(server, accounts, size.deep_room, size.seconds),
        "observability": lambda: observability.run(chat, size, plan.folder / "silent"),
        "two_cores": lambda: two_cores.run(chat, size),
        **({"crowd": lambda: crowd.run(server, size)} if size.shares_stack else {}),
    }
    for scene in plan.chosen(runs):
        found[scene] = await _timed(f"webchat {scene}", runs[scene]())
    return found


async def _on_mariadb(plan: Plan, server: Server) -> Figures:
    size = plan.size
    accounts = await sign_up(server.port, size.users)
    found = await _play(plan, "mariadb", WebChat(server, accounts), ("fanout", "small_rooms"), size.receivers)
    if "history" in plan.scenes:
        run = history.webchat(server, accounts, size.deep_room_mariadb, size.seconds)
        found["history"] = await _timed("mariadb history", run)
    return found


async def _baseline(plan: Plan, server: Server) -> Figures:
    size = plan.size
    found = await _play(plan, "baseline", Tutorial(server), OF_ANY_CHAT, size.receivers[1:])
    if "history" in plan.scenes:
        run = history.baseline(server, size.deep_room, size.seconds)
        found["history"] = await _timed("baseline history", run)
    return found


async def _socketio(plan: Plan, server: Server) -> Figures:
    return await _play(plan, "socketio", SocketIo(server, plan.size.users), OF_ANY_CHAT, plan.size.receivers[1:])


async def _bare(plan: Plan, server: Server, like: list[Figures]) -> Figures:
    size = plan.size
    return {"fanout": [await _timed("bare", bare.run(server, one, size.seconds, size.settle)) for one in like]}
