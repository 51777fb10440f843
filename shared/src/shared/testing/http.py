"""Applications of tests on a port of 127.0.0.1: a stand-in for a neighbour, or a service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import uvicorn
from aiohttp import web
from fastapi import FastAPI

from shared.testing.fixtures import eventually
from shared.testing.servers import free_port


@asynccontextmanager
async def serve(app: web.Application) -> AsyncIterator[str]:
    """Serve an application while the block runs. Yield its address, without a path."""
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving(app: FastAPI, port: int = 0, lifespan: Literal["on", "off"] = "on") -> AsyncIterator[str]:
    """Serve a service while the block runs, `off` if its lifespan runs already. Yield its address, without a path."""
    port = port or free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan=lifespan))
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await task
