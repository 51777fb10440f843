"""Which life of which replica this is, for who watches replicas one by one: made at random, it tells nothing else."""

from secrets import token_hex

INSTANCE = token_hex(8)
INSTANCE_HEADER = "X-WebChat-Gateway"
"""Of the answer to a WebSocket handshake."""
