"""The canary's Prometheus metrics. The label `gateway` is a replica's address; removed replicas have no series."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20, 30, 60, 120)
UNKNOWN = "unknown"
"""The label value while no gateway is connected."""


class CanaryMetrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.sent = self._counter("sent", "Messages written through this gateway", "gateway")
        self.acked = self._counter("acked", "Messages acknowledged through this gateway", "gateway")
        self.received = self._counter("received", "Messages received on a socket of this gateway", "gateway")
        self.unacked = self._counter("unacked", "Messages not acknowledged within the patience (possibly later)")
        self.retried = self._counter("retried", "Messages sent again with the same client_id")
        self.late = self._counter("late", "Acknowledged messages that a reader had not received within the patience")
        self.lost = self._counter(
            "lost", "Acknowledged messages that are missing in history or that a reader's cursor passed"
        )
        self.repeated = self._counter("repeated", "Events or messages that a reader received twice")
        self.gaps = self._counter("gaps", "Gaps between two consecutive events that a reader received")
        self.reconnects = self._counter("reconnects", "Sockets that were closed or could not be opened")
        self.resets = self._counter("resets", "Readers that were reset (room.reset)")
        self.up = Gauge("webchat_canary_up", "1 while messages pass through this gateway", ["gateway"],
                        registry=self.registry)  # fmt: skip
        self.waiting = Gauge(
            "webchat_canary_waiting_seconds", "Age of the oldest message without an answer", registry=self.registry
        )
        self.ack_seconds = self._histogram("ack", "Time from writing a message to its answer through this gateway")
        self.receipt_seconds = self._histogram(
            "receipt", "Time from writing a message to its receipt by a reader of this gateway"
        )

    def _counter(self, name: str, description: str, *labels: str) -> Counter:
        return Counter(f"webchat_canary_{name}_total", description, labels, registry=self.registry)

    def _histogram(self, name: str, description: str) -> Histogram:
        name = f"webchat_canary_{name}_seconds"
        return Histogram(name, description, ["gateway"], buckets=SECONDS, registry=self.registry)

    def forget(self, gateway: str) -> None:
        """Remove the series of a gateway that is gone, so that the number of labels stays bounded."""
        of_gateways = (self.sent, self.acked, self.received, self.up, self.ack_seconds, self.receipt_seconds)
        for metric in of_gateways:
            metric.remove(gateway)

    def is_up(self, gateway: str) -> bool:
        return self.registry.get_sample_value("webchat_canary_up", {"gateway": gateway}) == 1
