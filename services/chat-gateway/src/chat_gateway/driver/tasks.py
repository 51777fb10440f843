"""The tasks of connections: starts, queries, uploads, and the joining of rooms."""

import asyncio
import logging
from collections.abc import Coroutine
from functools import partial
from typing import Any

from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.errors import CloseCode

log = logging.getLogger(__name__)


class ConnectionTasks:
    """The running tasks of each connection. A connection without tasks takes no memory here."""

    def __init__(self) -> None:
        self._tasks: dict[Connection, set[asyncio.Task[None]]] = {}

    def of(self, connection: Connection) -> frozenset[asyncio.Task[None]]:
        return frozenset(self._tasks.get(connection, ()))

    def spawn(self, connection: Connection, work: Coroutine[Any, Any, None]) -> None:
        """Run a task for a connection. An error in it is logged and closes the connection."""
        task = asyncio.create_task(work, context=connection.context)
        self._tasks.setdefault(connection, set()).add(task)
        task.add_done_callback(partial(self._done, connection))

    def cancel(self, connection: Connection) -> None:
        """Cancel the tasks of a connection. They end in the next turns of the loop."""
        for task in self.of(connection):
            task.cancel()

    def _done(self, connection: Connection, task: asyncio.Task[None]) -> None:
        tasks = self._tasks[connection]
        tasks.remove(task)
        if not tasks:
            del self._tasks[connection]
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, ConnectionResetError):
            log.error("a task of a connection failed", exc_info=error)
            connection.transport.close(CloseCode.TRY_AGAIN, "something went wrong on our side")
