"""A receiver of OpenTelemetry spans, with OTLP over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from shared.testing.http import serve


@asynccontextmanager
async def collecting(authorization: str = "") -> AsyncIterator[tuple[str, list[tuple[str, Span]]]]:
    """Yield its address and a list that collects (service, span). `authorization` is the header that it requires."""
    taken: list[tuple[str, Span]] = []

    async def take(request: web.Request) -> web.Response:
        assert request.headers.get("authorization", "") == authorization
        for resource in ExportTraceServiceRequest.FromString(await request.read()).resource_spans:
            names = {one.key: one.value.string_value for one in resource.resource.attributes}
            taken.extend((names["service.name"], span) for scope in resource.scope_spans for span in scope.spans)
        body = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=body, content_type="application/x-protobuf")

    app = web.Application()
    app.add_routes([web.post("/v1/traces", take)])
    async with serve(app) as url:
        yield url, taken
