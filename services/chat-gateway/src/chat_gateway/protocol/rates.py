"""The rates of a client: a bucket of frames, and a count of malformed ones. Times are monotonic, in seconds."""

from chat_gateway.protocol.limits import Limits

PAUSE_S = 2
"""After a longer pause, a new flood begins."""
MALFORMED_S = 60


class FrameRate:
    """The rate of one connection.

    A frame takes a token from a bucket, which refills steadily. Frames without a token are a flood, and a flood that
    lasts for `Limits.limited_seconds` has to be closed.
    """

    __slots__ = ("_flooding_since", "_limits", "_malformed", "_refilled_at", "_rejected_at", "_tokens")

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._tokens, self._refilled_at = limits.burst, now
        self._flooding_since = self._rejected_at = now
        self._malformed: tuple[float, ...] = ()
        """The times of the malformed frames of the last minute."""

    def take(self, now: float) -> bool:
        """Take a token. Returns False if there is none."""
        if not self._limits.rates:
            return True
        gained = (now - self._refilled_at) * self._limits.frames_per_second
        self._tokens, self._refilled_at = min(self._limits.burst, self._tokens + gained), now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def reject(self, now: float) -> bool:
        """Count a frame without a token. Returns whether the flood lasts too long."""
        if now - self._rejected_at > PAUSE_S:
            self._flooding_since = now
        self._rejected_at = now
        return now - self._flooding_since >= self._limits.limited_seconds

    def count_malformed(self, now: float) -> bool:
        """Count a malformed frame. Returns whether there are too many in a minute."""
        self._malformed = (*(at for at in self._malformed if now - at < MALFORMED_S), now)
        return len(self._malformed) > self._limits.malformed_per_minute
