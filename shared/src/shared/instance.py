"""A random id of this process, for monitoring single replicas.

It is visible only inside the deployment. The canary sends it to connect to one certain gateway: another gateway answers
the handshake with 404, and nginx tries the next one.
"""

from secrets import token_hex

INSTANCE = token_hex(8)
INSTANCE_HEADER = "X-WebChat-Gateway"
"""Header of a WebSocket handshake that requests one certain gateway."""
