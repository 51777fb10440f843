"""The longest wait for each part of an HTTP request, in seconds.

Each is shorter than the wait of its caller, so the caller can still answer: nginx waits for a service, a service for
other services, the database and Redis. docs/operations.md has the same table, and `deploy/tests/test_budgets.py` checks
both, and nginx's configuration.
"""

ANSWER_S = 5.0
"""A client has an answer within this time, although a service hangs. nginx's own timeouts are below it."""

REQUEST_S = 3.5
"""A service begins to answer a request of a user within this time, or answers 503."""
INTERNAL_REQUEST_S = 4.5
"""The same for a request of another service."""
UPLOAD_S = 55.0
"""The same for an upload. The gateway and nginx wait 60 s."""
GATEWAY_UPLOAD_S = 60.0
"""A gateway waits this long for an upload over a socket."""
GATEWAY_CALL_S = 5.0
"""A gateway waits this long for another service. A socket waits longer than a request."""
CALL_S = 2.5
"""A data service waits this long for another service."""
CONNECT_S = 1.0
"""A connection to another service."""

COMMIT_S = 3.0
"""rooms begins to commit a command within this time. A gateway's request for a batch of commands waits 4 s."""
TRANSACTION_S = 20.0
"""A transaction on a database server, also one of a background job. A request that waits for it ends earlier."""
SESSION_READ_S = 1.0
"""auth reads sessions for a check. A check that comes during a read waits for that and for the next one."""
HASH_WAIT_S = 2.5
"""A password waits this long for a process that hashes it (`HASH_PATIENCE_S`)."""
DATABASE_S = 3.0
"""Waits within a database call: for a connection, for a lock."""
REDIS_S = 0.5
"""A call of Redis that a request can do without. While Redis does not answer, only the first requests wait."""
