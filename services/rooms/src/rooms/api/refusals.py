"""A refused command, as an HTTP answer."""

from fastapi import Request
from fastapi.responses import Response

from rooms.domain.refusals import Refusal
from shared.web.problems import PROBLEMS, Unavailable, problem_response


async def on_refusal(_: Request, refusal: Exception) -> Response:
    """What is invalid begins with the field's name and a colon."""
    assert isinstance(refusal, Refusal)
    field, colon, message = refusal.detail.partition(": ")
    errors = {field: message} if refusal.code == "invalid" and colon else {}
    return problem_response(PROBLEMS.get(refusal.code, Unavailable)(refusal.detail, errors=errors))
