"""Runs the effects that a connection returns."""

from collections.abc import Iterable

from chat_gateway import metrics
from chat_gateway.driver.performing.perform import Performer
from chat_gateway.driver.start import Starter
from chat_gateway.driver.tasks import ConnectionTasks
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.effects import Attach, Close, Effect, Perform, Reply, Start
from shared.roomlog.frames import text_frame


class EffectRunner:
    def __init__(self, performer: Performer, starter: Starter, tasks: ConnectionTasks) -> None:
        self._performer, self._starter, self._tasks = performer, starter, tasks

    def run(self, connection: Connection, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Perform(frame=frame):
                    self._performer.perform(connection, frame)
                case Attach(frame=frame):
                    self._performer.attach(connection, frame, self.run)
                case Reply(payload=payload, code=code):
                    metrics.ERRORS.of(code).inc()
                    connection.transport.enqueue(text_frame(payload))
                case Close(code=code, reason=reason):
                    connection.transport.close(code, reason)
                case Start(hello=hello):
                    self._tasks.spawn(connection, self._starter.start(connection, hello))
