"""The rates of a client, as token buckets, and a count of malformed frames. Times are monotonic, in seconds."""

from chat_gateway.protocol.limits import Limits

PAUSE_S = 2
"""After a longer pause, a new flood begins."""
MALFORMED_S = 60


class TokenBucket:
    """Tokens up to `burst`, which refill steadily."""

    __slots__ = ("_burst", "_per_second", "_refilled_at", "_tokens")

    def __init__(self, per_second: float, burst: float, now: float) -> None:
        self._per_second, self._burst = per_second, burst
        self._tokens, self._refilled_at = burst, now

    def take(self, now: float, count: int = 1) -> bool:
        """Take tokens. Returns False, and takes none, if there are too few."""
        gained = (now - self._refilled_at) * self._per_second
        self._tokens, self._refilled_at = min(self._burst, self._tokens + gained), now
        if self._tokens < count:
            return False
        self._tokens -= count
        return True


class FrameRate:
    """The rate of the frames of one connection.

    A frame takes a token from a bucket. Frames without a token are a flood, and a flood that lasts for
    `Limits.limited_seconds` has to be closed. So has one of more than `Limits.excess_frames`.
    """

    __slots__ = ("_excess", "_flooding_since", "_frames", "_limits", "_malformed", "_rejected_at")

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._frames = TokenBucket(limits.frames_per_second, limits.burst, now)
        self._excess = TokenBucket(limits.frames_per_second, limits.excess_frames, now)
        self._flooding_since = self._rejected_at = now
        self._malformed: tuple[float, ...] = ()
        """The times of the malformed frames of the last minute."""

    def take(self, now: float) -> bool:
        """Take a token. Returns False if there is none."""
        return not self._limits.rates or self._frames.take(now)

    def take_excess(self, now: float) -> bool:
        """Count a frame without a token. Returns False if there are too many."""
        return self._excess.take(now)

    def reject(self, now: float) -> bool:
        """Note the time of a frame without a token. Returns whether the flood lasts too long."""
        if now - self._rejected_at > PAUSE_S:
            self._flooding_since = now
        self._rejected_at = now
        return now - self._flooding_since >= self._limits.limited_seconds

    def count_malformed(self, now: float) -> bool:
        """Count a malformed frame. Returns whether there are too many in a minute."""
        self._malformed = (*(at for at in self._malformed if now - at < MALFORMED_S), now)
        return len(self._malformed) > self._limits.malformed_per_minute


class InputRate:
    """The rates of what a socket sends besides frames of the protocol. Each method returns False if it is too much."""

    __slots__ = ("_bytes", "_control", "_fragments", "_is_limited")

    def __init__(self, limits: Limits, now: float) -> None:
        self._is_limited = limits.rates
        self._bytes = TokenBucket(limits.bytes_per_second, limits.byte_burst, now)
        self._control = TokenBucket(limits.control_frames_per_second, limits.control_burst, now)
        self._fragments = TokenBucket(limits.fragments_per_second, limits.fragment_burst, now)

    def take_bytes(self, now: float, count: int) -> bool:
        return not self._is_limited or self._bytes.take(now, count)

    def take_control(self, now: float) -> bool:
        """Count a ping or a pong."""
        return not self._is_limited or self._control.take(now)

    def take_fragment(self, now: float) -> bool:
        """Count a data frame that does not complete its message."""
        return not self._is_limited or self._fragments.take(now)
