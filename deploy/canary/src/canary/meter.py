"""The canary's figures, as Prometheus reads them. `gateway` is a replica's address; one that is gone has none."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20, 30, 60, 120)
UNKNOWN = "unknown"
"""The label of what happens while no gateway is reached."""


class Meter:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.sent = self._counter("sent", "Messages written, through this gateway", "gateway")
        self.acked = self._counter("acked", "Messages acknowledged, through this gateway", "gateway")
        self.received = self._counter("received", "Messages received, by a socket of this gateway", "gateway")
        self.unacked = self._counter("unacked", "Messages not acknowledged within the patience (they may be later)")
        self.retried = self._counter("retried", "Messages sent again under their client_id")
        self.late = self._counter("late", "Acknowledged messages that a reader lacked after the patience")
        self.lost = self._counter("lost", "Acknowledged messages that history lacks or a reader went past")
        self.repeated = self._counter("repeated", "Events or messages that a reader was given twice")
        self.gaps = self._counter("gaps", "Times that a reader missed an event between two that it was given")
        self.reconnects = self._counter("reconnects", "Sockets that were cut, or could not be opened")
        self.resets = self._counter("resets", "Readers sent to begin anew (room.reset)")
        self.up = Gauge("webchat_canary_up", "1 while a message can be written and read there", ["gateway"],
                        registry=self.registry)  # fmt: skip
        self.waiting = Gauge(
            "webchat_canary_waiting_seconds", "Age of the oldest message without its answer", registry=self.registry
        )
        self.ack_seconds = self._histogram("ack", "From writing a message to its answer, through this gateway")
        self.receipt_seconds = self._histogram("receipt", "From writing a message to a reader of this gateway")

    def _counter(self, name: str, told: str, *labels: str) -> Counter:
        return Counter(f"webchat_canary_{name}_total", told, labels, registry=self.registry)

    def _histogram(self, name: str, told: str) -> Histogram:
        name = f"webchat_canary_{name}_seconds"
        return Histogram(name, told, ["gateway"], buckets=SECONDS, registry=self.registry)

    def forget(self, gateway: str) -> None:
        """A replica is gone for good: labels stay bounded however often they come and go."""
        of_gateways = (self.sent, self.acked, self.received, self.up, self.ack_seconds, self.receipt_seconds)
        for metric in of_gateways:
            metric.remove(gateway)

    def is_up(self, gateway: str) -> bool:
        return self.registry.get_sample_value("webchat_canary_up", {"gateway": gateway}) == 1
