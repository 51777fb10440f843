"""The one failure that a person is told about in one line."""


class CannotRun(Exception):
    """WebChat cannot run here for a reason that the person can change; the text says which."""
