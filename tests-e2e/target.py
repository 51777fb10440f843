"""What the stories run against: `WEBCHAT_STACK` is `embedded`, or `containers` for those of compose.yaml."""

import os

from containers import HOST, containers, listen_address
from stack import embedded

IN_CONTAINERS = os.environ.get("WEBCHAT_STACK", "embedded") == "containers"

start = containers if IN_CONTAINERS else embedded
"""A context manager: a stack of its own in a folder, with these settings."""

TESTS_HOST = HOST if IN_CONTAINERS else "127.0.0.1"
"""How the stack's parts name a server that the tests run, and where that one listens."""
LISTEN = listen_address() if IN_CONTAINERS else "127.0.0.1"
