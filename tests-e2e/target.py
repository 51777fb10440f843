"""The stack under test: `WEBCHAT_STACK` is `embedded`, or `containers` for those of compose.yaml."""

import os

from containers import HOST, containers, listen_address
from stack import embedded

IN_CONTAINERS = os.environ.get("WEBCHAT_STACK", "embedded") == "containers"

start = containers if IN_CONTAINERS else embedded
"""A context manager that runs a separate stack in a folder, with these settings."""

TESTS_HOST = HOST if IN_CONTAINERS else "127.0.0.1"
"""The host name by which the stack reaches servers of the tests; `LISTEN` is the address on which these listen."""
LISTEN = listen_address() if IN_CONTAINERS else "127.0.0.1"
