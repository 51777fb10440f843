"""Which life of which replica this is, for who watches replicas one by one: made at random, and told inside only.

Who knows it can ask for this process by name; nginx tries the next one where a handshake is answered 404.
"""

from secrets import token_hex

INSTANCE = token_hex(8)
INSTANCE_HEADER = "X-WebChat-Gateway"
"""Of a WebSocket handshake that wants one certain gateway."""
