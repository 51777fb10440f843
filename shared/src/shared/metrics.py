"""Metrics of the process, exposed at `/metrics` in Prometheus' text format.

A metric is created once, at the import of its module. Names begin with `webchat_` and end with a base unit, or with
`_total` for counters; label values are few and known. Frequent events are counted once per batch, with a child that was
looked up in advance.
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
    """When metrics are disabled these are no-ops, so the benchmark can measure their cost."""
    _Switch.on = on


class Counter(prometheus.Counter):
    def inc(self, amount: float = 1, exemplar: dict[str, str] | None = None) -> None:
        if _Switch.on:
            super().inc(amount, exemplar)


class Histogram(prometheus.Histogram):
    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        if _Switch.on:
            super().observe(amount, exemplar)


def counter(name: str, description: str, labels: Sequence[str] = ()) -> Counter:
    return Counter(name, description, labels, registry=REGISTRY)


def gauge(name: str, description: str, labels: Sequence[str] = ()) -> prometheus.Gauge:
    return prometheus.Gauge(name, description, labels, registry=REGISTRY)


def histogram(
    name: str, description: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = SECONDS
) -> Histogram:
    return Histogram(name, description, labels, registry=REGISTRY, buckets=buckets)


class ReadCounter(Collector):
    """A counter whose value is kept elsewhere, as a plain number, and read when metrics are exposed."""

    def __init__(self, name: str, description: str) -> None:
        self._name, self._description = name, description
        self._read: Callable[[], float] = float
        REGISTRY.register(self)

    def set_function(self, read: Callable[[], float]) -> None:
        self._read = read

    def collect(self) -> Iterator[CounterMetricFamily]:
        yield CounterMetricFamily(self._name, self._description, value=self._read())


M = TypeVar("M", bound=prometheus.metrics.MetricWrapperBase)


class Children(Generic[M]):
    """The children of a metric by label values, created on demand. Beyond `most` children, further ones share `other`.

    The `expected` children are exposed as 0 from the start, so that the first event is visible as an increase.
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


gauge("webchat_build_info", "Always 1; the label is the version.", ["version"]).labels(VERSION).set(1)
PROBLEMS = Children(counter("webchat_problems_total", "Requests answered with an error, by its code.", ["code"]))
_REQUESTS = Children(
    counter("webchat_http_requests_total", "Requests answered.", ["method", "route", "status"]),
)
_DURATIONS = Children(
    histogram("webchat_http_request_duration_seconds", "From request to the end of its answer.", ["method", "route"])
)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
UNKNOWN_ROUTE = "unknown"
CLIENT_CLOSED_REQUEST = 499
"""nginx's status for a request that the client cancelled before its answer."""


class RequestMetrics:
    """ASGI middleware: count requests and observe their duration, by route template."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = perf_counter(), 500

        async def record_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, record_status)
        except CancelledError:
            status = CLIENT_CLOSED_REQUEST
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
