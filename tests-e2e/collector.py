"""A receiver of spans in a thread, so that it outlives the event loops of single tests."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from shared.testing.otlp import collecting


@contextmanager
def collector() -> Iterator[tuple[str, list[tuple[str, Span]]]]:
    """Yield its address and a list that collects (service, span)."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    served = collecting()
    try:
        yield asyncio.run_coroutine_threadsafe(served.__aenter__(), loop).result(30)
    finally:
        asyncio.run_coroutine_threadsafe(served.__aexit__(None, None, None), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
