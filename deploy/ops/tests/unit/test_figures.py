"""The figures of /ops, summed from the metrics of processes."""

from ops.figures import Replica, summarize

ONE = """\
# HELP webchat_http_requests_total Requests answered.
# TYPE webchat_http_requests_total counter
webchat_http_requests_total{method="GET",route="/api/rooms",status="200"} 5.0
webchat_http_requests_total{method="GET",route="/metrics",status="200"} 900.0
webchat_problems_total{code="not_found"} 2.0
webchat_problems_total{code="conflict"} 0.0
webchat_starts_total{kind="fresh"} 7.0
webchat_starts_total{kind="resumed"} 3.0
webchat_redis_round_trip_seconds_bucket{kind="command",le="0.5"} 4.0
webchat_redis_round_trip_seconds_bucket{kind="command",le="+Inf"} 6.0
webchat_redis_round_trip_seconds_bucket{kind="pipeline",le="0.5"} 1.0
webchat_redis_round_trip_seconds_bucket{kind="pipeline",le="+Inf"} 1.0
webchat_redis_round_trip_seconds_sum{kind="command"} 8.5
webchat_redis_round_trip_seconds_count{kind="command"} 6.0
process_cpu_seconds_total 1.5
"""
TWO = """\
webchat_http_requests_total{method="GET",route="/api/rooms",status="200"} 2.0
webchat_http_requests_total{method="POST",route="/a \\"quoted\\" one",status="200"} 1.0
webchat_socket_errors_total{code="not_found"} 1.0
webchat_sockets 12.0
nothing that is a sample
webchat_
"""


def test_numbers_codes_and_histograms_are_summed_over_replicas():
    replicas = [Replica("a", up=True, missing=[]), Replica("b", up=True, missing=["redis"])]
    service = summarize("rooms", replicas, [ONE, TWO])
    assert service.replicas == replicas
    assert service.numbers == {"requests": 8, "resumed": 3, "sockets": 12}
    assert service.codes == {"not_found": 3}
    [redis] = service.histograms.items()
    assert redis[0] == "redis"
    assert (redis[1].bounds, redis[1].counts, redis[1].sum) == ([0.5], [5, 7], 8.5)


def test_a_replica_without_an_answer_adds_nothing():
    service = summarize("rooms", [Replica("a", up=False, missing=[])], [""])
    assert (service.numbers, service.codes, service.histograms) == ({}, {}, {})
