"""The numbers of rooms: how much goes into one transaction, how long that takes, and what is published of it."""

from shared import metrics

BATCHES = metrics.histogram(
    "webchat_commit_batch_commands", "Commands that one transaction commits.", buckets=metrics.SIZES
)
COMMITS = metrics.histogram("webchat_commit_seconds", "A transaction of commands, from its wait for the database on.")
CONTENTION = metrics.counter("webchat_commit_contention_total", "Transactions that lost a fight for locks.")
FAILED = metrics.counter("webchat_commit_failures_total", "Batches that the database did not take.")
WAITING = metrics.gauge("webchat_commit_waiting_batches", "Batches that wait for a transaction.")

PUBLISHED = metrics.counter("webchat_events_published_total", "Events of rooms handed to Redis.")
UNPUBLISHED = metrics.gauge("webchat_publish_waiting_events", "Events, cursors and hints committed and not published.")
BEHIND = metrics.gauge("webchat_publish_behind_rooms", "Rooms whose streams have to catch up with the database.")
