"""Runs the effects that the protocol state of a connection returns."""

from chat_gateway import metrics
from chat_gateway.driver.connection import UserConnection
from chat_gateway.driver.gateway import Gateway
from chat_gateway.driver.perform import perform
from chat_gateway.driver.start import start
from chat_gateway.protocol.effects import Close, Effect, Perform, Reply, Start
from shared.roomlog.frames import text_frame


def run_effects(gateway: Gateway, connection: UserConnection, effects: list[Effect]) -> None:
    for effect in effects:
        match effect:
            case Perform(frame=frame):
                perform(gateway, connection, frame)
            case Reply(payload=payload, code=code):
                metrics.ERRORS.of(code).inc()
                connection.transport.enqueue(text_frame(payload))
            case Close(code=code, reason=reason):
                connection.transport.close(code, reason)
            case Start(hello=hello):
                connection.spawn(start(gateway, connection, hello))
