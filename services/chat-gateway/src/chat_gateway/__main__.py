"""Run a chat gateway."""

import math

import shared.startup  # noqa: F401 - it disables garbage collection during the imports below
from chat_gateway.main import create_app
from chat_gateway.settings import GatewaySettings
from chat_gateway.transport.socket import Socket
from shared.web.app import run_app

if __name__ == "__main__":
    settings = GatewaySettings.load()
    run_app(create_app(settings), settings, ws=Socket, timeout_graceful_shutdown=math.ceil(settings.drain_seconds) + 2)
