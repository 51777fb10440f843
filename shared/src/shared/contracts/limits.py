"""Limits that several services must agree on. Each service checks what it receives."""

MAX_INTEGER = 2**53 - 1
"""The largest integer that JavaScript represents exactly."""
MAX_PAGE = 200
"""Items of one page."""
DEFAULT_PAGE = 50
MAX_PAGE_BYTES = 512 * 1024
MAX_RESUME = 5_000
"""Events of one room that a resume replays; beyond it the client loads the newest page."""
MAX_BATCH_COMMANDS = 256
"""Commands that a gateway sends to rooms in one request."""
MAX_BATCH_BYTES = 600 * 1024
"""Bytes of such a request. It also limits the ids in one statement: SQLite accepts 32,766 values."""
MAX_ATTACHMENTS = 10
"""Attachments of one message."""
MAX_MENTIONS = 50
"""Members named in one message."""
MAX_USER_IDS = 100
"""Users in one invitation."""
