"""The cost of metrics by count: how often services observed something, times what observing once takes here.

Less exact than a difference of two runs where nothing else disturbs those, and steady where something does.
"""

import time
from collections.abc import Callable, Iterable
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from shared import metrics

TRIES = 50_000
OFTEN = {"webchat_loop_lag_seconds"}
"""Observed by the clock, not by messages."""


def observations(ports: Iterable[int]) -> tuple[int, int]:
    """Observations and requests of the services there, so far."""
    observed = requests = 0.0
    for port in ports:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
            families = list(text_string_to_metric_families(page.read().decode()))
        for family in families:
            if family.type == "histogram" and family.name not in OFTEN:
                observed += sum(sample.value for sample in family.samples if sample.name.endswith("_count"))
            elif family.name == "webchat_http_requests":
                requests += sum(sample.value for sample in family.samples)
    return int(observed), int(requests)


def unit_costs() -> tuple[float, float]:
    """CPU-seconds of one observation, and of what the middleware adds to a request beside it."""
    observed = metrics.histogram("bench_seconds", "Made for this.", ["kind"]).labels("one")
    counted = metrics.Children(metrics.counter("bench_total", "Made for this.", ["one", "two", "three"]))
    return _seconds(lambda: observed.observe(0.003)), _seconds(lambda: counted.of("GET", "/x", "200").inc())


def _seconds(work: Callable[[], None]) -> float:
    before = time.process_time()
    for _ in range(TRIES):
        work()
    return (time.process_time() - before) / TRIES
