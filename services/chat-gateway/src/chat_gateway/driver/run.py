"""Carries out the effects that a connection's protocol asks for."""

from chat_gateway import meters
from chat_gateway.driver.client import Client
from chat_gateway.driver.gateway import Gateway
from chat_gateway.driver.perform import perform
from chat_gateway.driver.start import start
from chat_gateway.protocol.effects import Close, Effect, Perform, Reply, Start
from shared.roomlog.frames import text_frame


def run_effects(gateway: Gateway, client: Client, effects: list[Effect]) -> None:
    for effect in effects:
        match effect:
            case Perform(frame=frame):
                perform(gateway, client, frame)
            case Reply(payload=payload, code=code):
                meters.ERRORS.of(code).inc()
                client.wire.answer(text_frame(payload))
            case Close(code=code, reason=reason):
                client.wire.close(code, reason)
            case Start(hello=hello):
                client.spawn(start(gateway, client, hello))
