"""The metrics of rooms: transactions of commands, and the publication of their events."""

from shared import metrics

BATCHES = metrics.histogram(
    "webchat_commit_batch_commands", "Commands that one transaction commits.", buckets=metrics.SIZES
)
COMMITS = metrics.histogram("webchat_commit_seconds", "Duration of a transaction, with the wait for a connection.")
CONTENTION = metrics.counter("webchat_commit_contention_total", "Transactions that lost a lock conflict.")
FAILED = metrics.counter("webchat_commit_failures_total", "Batches that could not be committed.")
WAITING = metrics.gauge("webchat_commit_waiting_batches", "Batches that wait for a transaction.")

PUBLISHED = metrics.counter("webchat_events_published_total", "Room events published to Redis.")
UNPUBLISHED = metrics.gauge(
    "webchat_publish_waiting_events", "Committed events, read cursors and notifications that wait to be published."
)
LAGGING = metrics.gauge("webchat_publish_behind_rooms", "Rooms whose stream lags behind the database.")
