"""The figures of /ops, read from what processes tell on `/metrics` and summed over the replicas of each service."""

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
"""Summed whatever their labels."""
CHOSEN = {
    ("webchat_starts_total", "kind", "resumed"): "resumed",
    ("webchat_sockets_closed_total", "reason", "slow_reader"): "slow_readers",
}
"""Of these only what has this label."""
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
OUR_OWN = {"/metrics", "/healthz", "/readyz", "/api/ops/figures"}
"""Routes that only watchers ask for: they would be most of what a quiet service does."""

_SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Histogram(msgspec.Struct):
    """How many were at most so large: `counts` beside `bounds`, and one more for all. `sum` of their sizes."""

    bounds: list[float]
    counts: list[float]
    sum: float


class Replica(msgspec.Struct):
    """`up`: it answers. `missing`: what its /readyz lacks, or goes on without."""

    address: str
    up: bool
    missing: list[str]


class ServiceFigures(msgspec.Struct):
    """`codes`: answers that are errors, by code. Counts are since the start of each process."""

    name: str
    replicas: list[Replica]
    numbers: dict[str, float]
    codes: dict[str, float]
    histograms: dict[str, Histogram]


class Figures(msgspec.Struct):
    """`at` in seconds since 1970: rates are differences of two answers by theirs."""

    at: float
    services: list[ServiceFigures]


def summarize(name: str, replicas: list[Replica], texts: Iterable[str]) -> ServiceFigures:
    """`texts`: what those that answered tell on /metrics."""
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
            for (chosen, label, wanted), key in CHOSEN.items():
                if metric == chosen and labels.get(label) == wanted:
                    numbers[key] = numbers.get(key, 0) + value
    histograms = {key: _histogram(of, sums.get(key, 0)) for key, of in buckets.items()}
    return ServiceFigures(name, replicas, numbers, {code: n for code, n in codes.items() if n}, histograms)


def _histogram(buckets: dict[float, float], total: float) -> Histogram:
    bounds = sorted(buckets)
    return Histogram([bound for bound in bounds if bound != float("inf")], [buckets[b] for b in bounds], total)


def _samples(texts: Iterable[str]) -> Iterator[tuple[str, Labels, float]]:
    """Ours alone, of the text format of Prometheus; lines that are none are left out."""
    for text in texts:
        for line in text.splitlines():
            if line.startswith("webchat_") and (found := _SAMPLE.fullmatch(line)):
                labels = dict(_LABEL.findall(found[2] or ""))
                if labels.get("route") not in OUR_OWN:
                    yield found[1], labels, float(found[3])
