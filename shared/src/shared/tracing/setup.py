"""Configuration of tracing: the sample ratio, and the export of spans to a collector."""

from collections.abc import Callable

from shared.settings import WebSettings
from shared.tracing.context import set_sample_ratio
from shared.tracing.spans import export_to

_close: Callable[[], None] | None = None


def configure_tracing(settings: WebSettings) -> None:
    """Set up tracing. Export starts, and its libraries are imported, only if `OTEL_EXPORTER_OTLP_ENDPOINT` is set."""
    global _close  # noqa: PLW0603 - one process, one collector
    set_sample_ratio(settings.trace_sample)
    if settings.otel_exporter_otlp_endpoint:
        from shared.tracing.otlp import Collector  # noqa: PLC0415 - heavy, and rarely used

        headers = settings.otel_exporter_otlp_headers.get_secret_value()
        collector = Collector(settings.otel_exporter_otlp_endpoint, headers, settings.service)
        export_to(collector.add)
        _close = collector.close


def close_tracing() -> None:
    """Export what is queued, for at most a second."""
    global _close  # noqa: PLW0603 - see above
    if _close is not None:
        _close()
    export_to(None)
    _close = None
