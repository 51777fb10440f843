"""Load shedding for HTTP routes."""

from fastapi import Depends, Request

from shared.web.state import state_of


async def _check_history(request: Request) -> None:
    state_of(request.app).overload.check_history()


SHED_UNDER_LOAD = Depends(_check_history)
"""For routes that read history: they answer 503 when the process is so loaded that they would delay commands."""
