"""Intervals and timeouts, which operators cannot set."""

import msgspec

from shared.budgets import COMMIT_S


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """Intervals and timeouts of one gateway, in seconds. Tests set them to milliseconds."""

    presence_refresh: float = 20
    presence_expiry: float = 55
    """Users of a crashed gateway appear offline after this time, at the latest at the next poll."""
    presence_poll: float = 10
    gateway_lease: float = 2
    """Sockets of a gateway that died stop counting after this time. The lease is renewed four times in it."""
    head_check: float = 30
    """Every room is compared with its stream within this time."""
    housekeeping: float = 1
    """Pause between two slices of the head check, and between two rounds of unsubscribing."""
    ping: float = 5
    """A silent subscription is pinged after this time, and dropped if it stays silent as long again."""
    revocations: float = 0.4
    """Pause between two questions to auth which sessions were revoked. A revocation must take effect within 1 s."""
    user_check: float = 30
    cursor_flush: float = 0.25
    start: float = 15
    """Deadline for `ready`; a connection that misses it is closed and should reconnect."""
    command_budget: float = COMMIT_S
    """Time per attempt, from its arrival, within which rooms may begin to commit. The request timeout is longer."""
    command_request: float = 4
    command_give_up: float = 10
    close: float = 5
    """Time that a client has to close the connection after a close frame."""


DEFAULT_TIMINGS = Timings()
