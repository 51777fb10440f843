"""What a process tells of itself in numbers: `/metrics`, in Prometheus' text format.

A metric is made once, where its module is imported, and belongs to the process: one service runs in it. Names begin
with `webchat_` and end with a base unit, or `_total` where they count; label values are few and known. What happens
often is counted where a batch ends, by a child that was looked up before.
"""

from asyncio import CancelledError
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import Any, Generic, TypeVar

import prometheus_client as prometheus
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import VERSION

REGISTRY = prometheus.CollectorRegistry(auto_describe=True)
CONTENT_TYPE = prometheus.CONTENT_TYPE_PLAIN_0_0_4
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SHORT_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
OTHER = "other"
MOST_LABELS = 500

prometheus.disable_created_metrics()  # type: ignore[no-untyped-call]
prometheus.ProcessCollector(registry=REGISTRY)
prometheus.PlatformCollector(registry=REGISTRY)
prometheus.GCCollector(registry=REGISTRY)


class _Switch:
    on = True


def switch(*, on: bool) -> None:
    """Where they are off nothing is counted: what counting costs is measured so."""
    _Switch.on = on


class Counter(prometheus.Counter):
    def inc(self, amount: float = 1, exemplar: dict[str, str] | None = None) -> None:
        if _Switch.on:
            super().inc(amount, exemplar)


class Histogram(prometheus.Histogram):
    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        if _Switch.on:
            super().observe(amount, exemplar)


def counter(name: str, tells: str, labels: Sequence[str] = ()) -> Counter:
    return Counter(name, tells, labels, registry=REGISTRY)


def gauge(name: str, tells: str, labels: Sequence[str] = ()) -> prometheus.Gauge:
    return prometheus.Gauge(name, tells, labels, registry=REGISTRY)


def histogram(name: str, tells: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = SECONDS) -> Histogram:
    return Histogram(name, tells, labels, registry=REGISTRY, buckets=buckets)


class ReadCounter(Collector):
    """A counter that is kept elsewhere, as a plain number, and read when somebody asks."""

    def __init__(self, name: str, tells: str) -> None:
        self._name, self._tells = name, tells
        self._read: Callable[[], float] = float
        REGISTRY.register(self)

    def set_function(self, read: Callable[[], float]) -> None:
        self._read = read

    def collect(self) -> Iterator[CounterMetricFamily]:
        yield CounterMetricFamily(self._name, self._tells, value=self._read())


M = TypeVar("M", bound=prometheus.metrics.MetricWrapperBase)


class Children(Generic[M]):
    """The children of a metric by their label values, as they turn up; beyond `most` they are all one, `other`.

    Those that are `expected` tell 0 from the start: a first one is then seen as a rise.
    """

    def __init__(self, metric: M, expected: Sequence[tuple[str, ...]] = (), *, most: int = MOST_LABELS) -> None:
        self._metric, self._most = metric, most
        self._known: dict[tuple[str, ...], M] = {values: metric.labels(*values) for values in expected}

    def of(self, *values: str) -> M:
        child = self._known.get(values)
        if child is None:
            if len(self._known) >= self._most:
                return self._metric.labels(*[OTHER] * len(values))
            child = self._known[values] = self._metric.labels(*values)
        return child


gauge("webchat_build_info", "Always 1; the label tells the version.", ["version"]).labels(VERSION).set(1)
PROBLEMS = Children(counter("webchat_problems_total", "Requests answered with a problem, by its code.", ["code"]))
_REQUESTS = Children(
    counter("webchat_http_requests_total", "Requests answered.", ["method", "route", "status"]),
)
_DURATIONS = Children(
    histogram("webchat_http_request_duration_seconds", "From request to the end of its answer.", ["method", "route"])
)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
UNKNOWN_ROUTE = "unknown"
CLIENT_GONE = 499
"""nginx's number for a request that was given up before its answer."""


class Measured:
    """ASGI middleware: requests and how long they take, by the template of their route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except CancelledError:
            status = CLIENT_GONE
            raise
        finally:
            _observe(scope, status, perf_counter() - started)


def _observe(scope: Scope, status: int, seconds: float) -> None:
    method = scope["method"] if scope["method"] in _METHODS else OTHER
    route: Any = scope.get("route")
    template = getattr(route, "path", UNKNOWN_ROUTE)
    _REQUESTS.of(method, template, str(status)).inc()
    _DURATIONS.of(method, template).observe(seconds)


def exposition() -> bytes:
    return prometheus.generate_latest(REGISTRY)
