"""The failure that the command line prints as one line."""


class CannotRun(Exception):
    """WebChat cannot run, for a reason that the user can fix. The text names the reason and what to change."""
