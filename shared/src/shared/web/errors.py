"""Error responses: domain errors and unexpected exceptions as RFC 9457 `application/problem+json`."""

import logging

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import metrics
from shared.errors import (
    DomainError,
    ErrorCode,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    ProblemDetails,
    TooLarge,
    error_for_status,
)
from shared.logging.audit import audit

log = logging.getLogger(__name__)


def error_response(error: DomainError) -> Response:
    code = error.code
    metrics.PROBLEMS.of(code).inc()
    body = ProblemDetails(
        type=f"urn:webchat:problem:{code}",
        title=code.summary,
        status=code.status,
        detail=error.detail,
        errors=[FieldError(field, message) for field, message in error.errors.items()],
    )
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if code is ErrorCode.UNAVAILABLE:
        headers.setdefault("Retry-After", "1")
    return Response(msgspec.json.encode(body), code.status, headers, media_type="application/problem+json")


def _from_validation(error: RequestValidationError) -> DomainError:
    errors: dict[str, str] = {}
    for item in error.errors():
        where, *names = item["loc"]
        if where == "path":
            return NotFound("There is nothing at this address.")
        errors[".".join(map(str, names)) or str(where)] = str(item["msg"]).removeprefix("Value error, ")
    return Invalid("Some fields are not acceptable.", errors=errors)


def _from_http(error: HTTPException) -> Response:
    if error.status_code == 400:  # the framework cannot parse the body
        return error_response(Invalid("The body cannot be read."))
    if (known := error_for_status(error.status_code, str(error.detail))) is not None:
        return error_response(known)
    body = ProblemDetails(
        type="about:blank", title=str(error.detail), status=error.status_code, detail=str(error.detail)
    )
    return Response(msgspec.json.encode(body), error.status_code, error.headers, media_type="application/problem+json")


class _TooLargeAsJson:
    """ASGI middleware: replace the framework's plain-text 413 by a JSON one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answered = False

        async def rewrite(message: Message) -> None:
            nonlocal answered
            plain = (b"content-type", b"text/plain; charset=utf-8") in message.get("headers", ())
            if message["type"] == "http.response.start" and message["status"] == ErrorCode.TOO_LARGE.status and plain:
                answered = True
                await error_response(TooLarge("The body is too large."))(scope, receive, send)
            elif not answered:
                await send(message)

        await self._app(scope, receive, rewrite)


def install_error_handlers(app: FastAPI) -> None:
    """Answer every exception of a route as problem+json. Unexpected ones are logged and answered with 500."""
    app.add_middleware(_TooLargeAsJson)

    async def on_domain_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, DomainError)
        if isinstance(error, Forbidden) and not error.audited:
            audit("access-deny", outcome="failure", reason=error.detail)
        return error_response(error)

    async def on_validation(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return error_response(_from_validation(error))

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

    app.add_exception_handler(DomainError, on_domain_error)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_bug)
