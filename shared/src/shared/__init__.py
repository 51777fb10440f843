"""What the services share: shapes, facts, the room's log in Redis, streams, the outbox, and how a service is made."""

VERSION = "0.1.0"
