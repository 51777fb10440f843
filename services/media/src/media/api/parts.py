"""What `main` made for the routes."""

from fastapi import Request

from media.service.parts import Parts


def parts_of(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts
