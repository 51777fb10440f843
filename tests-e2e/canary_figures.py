"""The metrics of a stack's canary, as Prometheus scrapes them."""

from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection

from prometheus_client.parser import text_string_to_metric_families
from stack import Stack

BROKEN = ("lost", "repeated", "gaps")
"""Violations of guarantees: they stay zero, no matter which process is killed."""


class Figures:
    """`webchat_canary_<name>_total`, summed over gateways, at one point in time."""

    def __init__(self, text: str) -> None:
        self._sums: dict[str, float] = {}
        self.up: dict[str, bool] = {}
        for family in text_string_to_metric_families(text):
            if family.type == "counter":  # a counter with labels has no sample before its first event
                self._sums.setdefault(f"{family.name}_total", 0)
            for sample in family.samples:
                self._sums[sample.name] = self._sums.get(sample.name, 0) + sample.value
                if sample.name == "webchat_canary_up":
                    self.up[sample.labels["gateway"]] = sample.value == 1

    def __getitem__(self, name: str) -> float:
        return self._sums[f"webchat_canary_{name}_total"]

    @property
    def waiting(self) -> float:
        return self._sums["webchat_canary_waiting_seconds"]

    @property
    def all_up(self) -> bool:
        return len(self.up) == 2 and all(self.up.values())

    def broken_since(self, before: "Figures | None" = None) -> dict[str, float]:
        """Return the number of violations since `before` for each guarantee that was violated."""
        counts = {name: self[name] - (before[name] if before else 0) for name in BROKEN}
        return {name: count for name, count in counts.items() if count}


def reading(stack: Stack) -> Callable[[], Figures]:
    port = stack.port("canary")

    def read() -> Figures:
        with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            assert answer.status == 200
            return Figures(answer.read().decode())

    return read
