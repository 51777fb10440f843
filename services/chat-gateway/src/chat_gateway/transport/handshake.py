"""WebSocket upgrades: authentication by a token that nginx got from auth for the session cookie."""

import logging
from collections.abc import Awaitable, Callable, Mapping

from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from chat_gateway.protocol.limits import SUBPROTOCOL
from shared.errors import DomainError, Unauthenticated
from shared.instance import INSTANCE, INSTANCE_HEADER
from shared.logging.context import add_log_fields
from shared.rpc.tokens import TOKEN_HEADER, Principal
from shared.tracing.context import TRACE_HEADER, SpanContext, attach_span_context, parse_traceparent
from shared.tracing.spans import span

log = logging.getLogger(__name__)
_websockets_log = logging.getLogger("chat_gateway.websocket")
_websockets_log.setLevel(logging.WARNING)

MAX_REQUEST_BYTES = 64 * 1024
_END_OF_REQUEST = b"\r\n\r\n"


class Upgrade:
    """The upgrade of one socket: it takes its input until the request is complete, and returns the response.

    `ServerProtocol` of `websockets` parses the request and checks it.
    """

    def __init__(self) -> None:
        self.protocol = ServerProtocol(
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            select_subprotocol=lambda _, offered: Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in offered else None,
            logger=_websockets_log,
        )
        self.request: Request | None = None
        self._input = b""

    def receive(self, data: bytes) -> bytes:
        """Take input. Returns what follows the request, which is set once it is complete.

        Raises:
            ValueError: The request is not HTTP, or it is too long.

        """
        if self.request is not None:
            return data
        self._input += data
        head, end, rest = self._input.partition(_END_OF_REQUEST)
        if len(head) > MAX_REQUEST_BYTES:
            raise ValueError("the request is too long")
        if end:
            self.protocol.receive_data(head + end)
            events = self.protocol.events_received()
            if not events or not isinstance(events[0], Request):
                raise ValueError("the request is not HTTP")
            self.request, self._input = events[0], b""
        return rest

    @property
    def speaks_our_protocol(self) -> bool:
        """False if the client offers only other subprotocols."""
        assert self.request is not None
        offers = "Sec-WebSocket-Protocol" in self.request.headers
        return self.protocol.subprotocol is not None or not offers

    @property
    def response(self) -> bytes:
        return b"".join(self.protocol.data_to_send())


class Handshake:
    def __init__(self, verify: Callable[[str], Awaitable[Principal]]) -> None:
        self._verify = verify

    async def answer(self, upgrade: Upgrade) -> Principal | None:
        """Accept or reject an upgrade. Returns the user and session, or None if it was rejected.

        The upgrade is part of the trace of its request. Later log lines have the ID of this trace, but later work on
        the socket is not sampled.
        """
        assert upgrade.request is not None
        context = parse_traceparent(upgrade.request.headers.get(TRACE_HEADER, ""))
        attach_span_context(context)
        with span("socket.open", "server"):
            principal = await self._answer(upgrade.protocol, upgrade.request)
        if context is not None:
            attach_span_context(SpanContext(context.trace_id, context.span_id, is_sampled=False))
        return principal

    async def _answer(self, ws: ServerProtocol, request: Request) -> Principal | None:
        response = ws.accept(request)
        principal = None
        if response.status_code == 101:
            principal, response = await self._authenticate(ws, request, response)
        ws.send_response(response)
        return principal

    async def _authenticate(
        self, ws: ServerProtocol, request: Request, accepted: Response
    ) -> tuple[Principal | None, Response]:
        if request.headers.get(INSTANCE_HEADER, INSTANCE) != INSTANCE:
            return None, ws.reject(404, "This request is for another gateway.\n")
        principal = await self.check(request.headers)
        if isinstance(principal, DomainError):
            return None, ws.reject(principal.code.status, f"{principal.detail}\n")
        add_log_fields(user_id=principal.subject)
        return principal, accepted

    async def check(self, headers: Mapping[str, str]) -> Principal | DomainError:
        """Return the user and session of an upgrade request, or the error with which it is rejected."""
        try:
            principal = await self._verify(headers.get(TOKEN_HEADER, ""))
        except DomainError as error:
            log.info("an upgrade was rejected: %s", error.detail)
            return error
        return principal if principal.use == "user" else Unauthenticated("Sign in first.")
