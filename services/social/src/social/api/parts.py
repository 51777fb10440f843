"""How a route reaches what its use case works with."""

from fastapi import Request

from social.service.parts import Parts


def parts_of(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts
