"""The figures of /ops: metrics of processes, summed over the replicas of each service."""

import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

Labels = Mapping[str, str]

NUMBERS = {
    "webchat_http_requests_total": "requests",
    "webchat_sockets": "sockets",
    "webchat_users": "users",
    "webchat_hub_rooms": "rooms",
    "webchat_events_published_total": "published",
    "webchat_events_delivered_total": "delivered",
    "webchat_room_resets_total": "resets",
    "webchat_lane_depth_commands": "lane_depth",
    "webchat_commit_waiting_batches": "commits_waiting",
    "webchat_publish_waiting_events": "publish_waiting",
    "webchat_db_connections_in_use": "db_in_use",
    "webchat_db_pool_connections": "db_pool",
    "webchat_redis_failures_total": "redis_failures",
    "webchat_shed_total": "shed",
    "webchat_canary_up": "up",
    "webchat_canary_sent_total": "sent",
    "webchat_canary_acked_total": "acked",
    "webchat_canary_received_total": "received",
    "webchat_canary_unacked_total": "unacked",
    "webchat_canary_late_total": "late",
    "webchat_canary_lost_total": "lost",
    "webchat_canary_repeated_total": "repeated",
    "webchat_canary_gaps_total": "gaps",
    "webchat_canary_reconnects_total": "reconnects",
    "webchat_canary_waiting_seconds": "waiting_seconds",
}
"""Metrics that are summed over all of their labels, and the names of the sums."""
NUMBERS_WITH_LABEL = {
    ("webchat_starts_total", "kind", "resumed"): "resumed",
    ("webchat_sockets_closed_total", "reason", "slow_reader"): "slow_readers",
}
"""Metric, label and value of samples that are summed, and the names of the sums."""
CODES = {"webchat_problems_total", "webchat_socket_errors_total"}
HISTOGRAMS = {
    "webchat_http_request_duration_seconds": "duration",
    "webchat_fanout_lag_seconds": "fanout_lag",
    "webchat_commit_batch_commands": "batch",
    "webchat_lane_batch_commands": "lane_batch",
    "webchat_lane_request_seconds": "lane_request",
    "webchat_redis_round_trip_seconds": "redis",
    "webchat_db_wait_seconds": "db_wait",
    "webchat_canary_ack_seconds": "ack",
    "webchat_canary_receipt_seconds": "receipt",
}
MONITORING_ROUTES = {"/metrics", "/healthz", "/readyz"}
"""Routes that only monitoring requests. They are left out, because they would dominate an idle service."""

_SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Histogram(msgspec.Struct):
    """Cumulative counts of the values up to each bound, one more count for all values, and the sum of the values."""

    bounds: list[float]
    counts: list[float]
    sum: float


class Replica(msgspec.Struct):
    """A process. `up`: it answers. `missing`: the dependencies that its /readyz reports as missing or degraded."""

    address: str
    up: bool
    missing: list[str]


class ServiceFigures(msgspec.Struct):
    """The sums of a service. `codes` counts errors by code. Counters start at 0 when a process starts."""

    name: str
    replicas: list[Replica]
    numbers: dict[str, float]
    codes: dict[str, float]
    histograms: dict[str, Histogram]


class Figures(msgspec.Struct):
    """The figures of all services at a time in seconds since 1970. Two of them give rates."""

    at: float
    services: list[ServiceFigures]


def summarize(name: str, replicas: list[Replica], texts: Iterable[str]) -> ServiceFigures:
    """Sum the metrics in `texts`, the responses of the replicas on /metrics."""
    numbers: dict[str, float] = {}
    codes: dict[str, float] = {}
    buckets: dict[str, dict[float, float]] = {}
    sums: dict[str, float] = {}
    for metric, labels, value in _samples(texts):
        base, _, part = metric.rpartition("_")
        if metric in NUMBERS:
            numbers[NUMBERS[metric]] = numbers.get(NUMBERS[metric], 0) + value
        elif metric in CODES:
            codes[labels["code"]] = codes.get(labels["code"], 0) + value
        elif base in HISTOGRAMS and part == "bucket":
            of = buckets.setdefault(HISTOGRAMS[base], {})
            of[float(labels["le"])] = of.get(float(labels["le"]), 0) + value
        elif base in HISTOGRAMS and part == "sum":
            sums[HISTOGRAMS[base]] = sums.get(HISTOGRAMS[base], 0) + value
        else:
            for (name_, label, wanted), key in NUMBERS_WITH_LABEL.items():
                if metric == name_ and labels.get(label) == wanted:
                    numbers[key] = numbers.get(key, 0) + value
    histograms = {key: _histogram(of, sums.get(key, 0)) for key, of in buckets.items()}
    return ServiceFigures(name, replicas, numbers, {code: n for code, n in codes.items() if n}, histograms)


def _histogram(buckets: dict[float, float], total: float) -> Histogram:
    bounds = sorted(buckets)
    return Histogram([bound for bound in bounds if bound != float("inf")], [buckets[b] for b in bounds], total)


def _samples(texts: Iterable[str]) -> Iterator[tuple[str, Labels, float]]:
    """Yield the samples of WebChat in Prometheus' text format. Other lines are ignored."""
    for text in texts:
        for line in text.splitlines():
            if line.startswith("webchat_") and (found := _SAMPLE.fullmatch(line)):
                labels = dict(_LABEL.findall(found[2] or ""))
                if labels.get("route") not in MONITORING_ROUTES:
                    yield found[1], labels, float(found[3])
