"""Code that the services share: contracts, events, the room's log in Redis, streams, outbox, and service defaults."""

VERSION = "0.1.0"
