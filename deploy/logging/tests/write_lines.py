"""A process that logs like auth, with the services' logging code.

It reads a number of lines and answers when they are written. No two lines have the same text, because such lines would
be summarised.
"""

import logging
import sys
from secrets import token_hex

from pydantic import SecretStr

from shared.logging.context import add_log_fields
from shared.logging.setup import configure_logging
from shared.settings import Settings

log = logging.getLogger("auth.service.logs")


class Auth(Settings):
    service = "auth"


def write(number: int) -> None:
    if number % 50 == 0:
        try:
            raise LookupError(f"no 'secret {number}' here")  # noqa: TRY301 - the test needs a line with a stack trace
        except LookupError:
            log.exception(f"failed at {number}")  # noqa: G004 - every line needs a different template
    elif number % 10 == 0:
        log.warning(f'"quoted" \\ {number} 안녕 é\t\u2028')  # noqa: G004
    else:
        log.info(f"line {number}")  # noqa: G004


def main() -> None:
    configure_logging(Auth(service_secret=SecretStr(token_hex(32))))
    add_log_fields(user_id="01J0000000000000000000000", room="01J1111111111111111111111")
    number = 0
    for line in sys.stdin:
        for _ in range(int(line)):
            number += 1
            write(number)
        print("written", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
