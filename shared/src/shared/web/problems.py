"""Errors as RFC 9457 `application/problem+json`: business errors are classes with a status and a stable code.

A problem never echoes what was sent.
"""

import logging
from collections.abc import Mapping
from typing import ClassVar

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import metrics

log = logging.getLogger(__name__)


class FieldError(msgspec.Struct):
    field: str
    message: str


class ProblemDetails(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The body of every error answer."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []


class Problem(Exception):
    """A refusal that the caller is told about; nothing was changed."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "invalid"
    title: ClassVar[str] = "Bad request"

    def __init__(self, detail: str, *, errors: Mapping[str, str] | None = None, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = dict(errors or {})
        self.retry_after = retry_after


class Invalid(Problem):
    status, code, title = 422, "invalid", "Invalid input"


class Unauthenticated(Problem):
    status, code, title = 401, "unauthenticated", "Sign in first"


class SessionEnded(Unauthenticated):
    """The session was revoked before its time; nothing of it should stay in the browser."""

    code, title = "session_ended", "This session was ended"


class Forbidden(Problem):
    status, code, title = 403, "forbidden", "Not allowed"


class NotFound(Problem):
    status, code, title = 404, "not_found", "Not found"


class Conflict(Problem):
    status, code, title = 409, "conflict", "Conflict"


class TooLarge(Problem):
    status, code, title = 413, "too_large", "Too large"


class RateLimited(Problem):
    status, code, title = 429, "rate_limited", "Too many requests"


class Unavailable(Problem):
    """The outcome is unknown or nothing was done: try again later."""

    status, code, title = 503, "unavailable", "Temporarily unavailable"


PROBLEMS: dict[str, type[Problem]] = {
    cls.code: cls
    for cls in (Invalid, Unauthenticated, Forbidden, NotFound, Conflict, TooLarge, RateLimited, Unavailable)
}


def problem_response(problem: Problem) -> Response:
    metrics.PROBLEMS.of(problem.code).inc()
    body = ProblemDetails(
        type=f"urn:webchat:problem:{problem.code}",
        title=problem.title,
        status=problem.status,
        detail=problem.detail,
        errors=[FieldError(field, message) for field, message in problem.errors.items()],
    )
    headers = {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
    if problem.status == Unavailable.status:
        headers.setdefault("Retry-After", "1")
    return Response(msgspec.json.encode(body), problem.status, headers, media_type="application/problem+json")


def _from_validation(error: RequestValidationError) -> Problem:
    errors: dict[str, str] = {}
    for item in error.errors():
        where, *names = item["loc"]
        if where == "path":
            return NotFound("There is nothing at this address.")
        errors[".".join(map(str, names)) or str(where)] = str(item["msg"]).removeprefix("Value error, ")
    return Invalid("Some fields are not acceptable.", errors=errors)


def _from_http(error: HTTPException) -> Response:
    if error.status_code == 400:  # a body that the framework cannot read: numbers too long, nested too deep, not UTF-8
        return problem_response(Invalid("The body cannot be read."))
    for cls in PROBLEMS.values():
        if cls.status == error.status_code:
            return problem_response(cls(str(error.detail)))
    body = ProblemDetails(
        type="about:blank", title=str(error.detail), status=error.status_code, detail=str(error.detail)
    )
    return Response(msgspec.json.encode(body), error.status_code, error.headers, media_type="application/problem+json")


class _TooLargeAsProblem:
    """The framework answers a body beyond a route's `max_body_size` in plain text."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answered = False

        async def as_problem(message: Message) -> None:
            nonlocal answered
            plain = (b"content-type", b"text/plain; charset=utf-8") in message.get("headers", ())
            if message["type"] == "http.response.start" and message["status"] == TooLarge.status and plain:
                answered = True
                await problem_response(TooLarge("The body is too large."))(scope, receive, send)
            elif not answered:
                await send(message)

        await self._app(scope, receive, as_problem)


def install_problem_handlers(app: FastAPI) -> None:
    """Turn every error that leaves a route into problem+json; an unexpected one is logged and answered 500."""
    app.add_middleware(_TooLargeAsProblem)

    async def on_problem(_: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return problem_response(error)

    async def on_validation(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem_response(_from_validation(error))

    async def on_http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _from_http(error)

    async def on_bug(request: Request, error: Exception) -> Response:
        log.error("unexpected error at %s", request.method, exc_info=error)
        metrics.PROBLEMS.of("internal").inc()
        body = ProblemDetails(
            type="about:blank", title="Internal error", status=500, detail="Something went wrong on our side."
        )
        return Response(msgspec.json.encode(body), 500, media_type="application/problem+json")

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_bug)
