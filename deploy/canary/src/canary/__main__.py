"""Run the canary until it is told to stop: its watch, and /metrics, /healthz and /readyz beside it."""

import asyncio
import logging
import signal
from contextlib import AsyncExitStack

import uvloop
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from canary.account import Account, http_client
from canary.gateways import Gateways
from canary.meter import Meter
from canary.settings import CanarySettings
from canary.watch import Watch
from shared import VERSION
from shared.instance import INSTANCE
from shared.logging.setup import configure_logging, finish_logs
from shared.tasks import background

log = logging.getLogger(__name__)


def pages(meter: Meter, gateways: Gateways) -> web.Application:
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(meter.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "alive", "version": VERSION, "instance": INSTANCE})

    async def readyz(_: web.Request) -> web.Response:
        missing = [address for address in gateways.addresses if not meter.is_up(address)] or (
            [] if gateways.addresses else ["chat-gateway"]
        )
        body = {"status": "waiting" if missing else "ready", "missing": missing}
        return web.json_response(body, status=503 if missing else 200)

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz), web.get("/readyz", readyz)])
    return app


async def serve(settings: CanarySettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        accounts = [
            Account(await stack.enter_async_context(http_client()), settings.canary_target,
                    f"{settings.canary_name}_{letter}", settings.canary_password.get_secret_value())
            for letter in "ab"
        ]  # fmt: skip
        http = await stack.enter_async_context(http_client())
        meter, gateways = Meter(), Gateways(http, settings.chat_gateway_url, settings.canary_gateways)
        runner = web.AppRunner(pages(meter, gateways), access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, settings.listen_host, settings.listen_port).start()
        watch = Watch(settings, meter, gateways, accounts)
        await stack.enter_async_context(background("the watch", watch.run, pause=1))
        await stop.wait()


def main() -> None:
    settings = CanarySettings.load()
    configure_logging(settings)
    try:
        uvloop.run(serve(settings))
    finally:
        finish_logs()


if __name__ == "__main__":
    main()
