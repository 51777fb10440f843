"""Fair shares of the connections to another service: the reads of one person take only a few of them."""

from shared.fair_workers import Workers

READS, READS_OF_ONE = 48, 4
"""All HTTP connections of a gateway are 128."""
WAITING_OF_ONE = 128
"""Reads of one person that may wait, of all sockets."""
WAIT_S = 5.0


def fair_reads() -> Workers:
    return Workers(
        READS,
        of_one=READS_OF_ONE,
        waiting_of_one=WAITING_OF_ONE,
        wait_s=WAIT_S,
        too_many="Too many of your requests are waiting. Try again shortly.",
    )
