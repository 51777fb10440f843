"""Logs as JSON lines with ECS names on standard output; the process that started the service keeps the file."""

import logging
import sys

import ecs_logging

from shared.service.settings import Settings


def configure_logging(settings: Settings) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        ecs_logging.StdlibFormatter(
            extra={"service.name": settings.service, "event.dataset": f"webchat.{settings.service}"},
            exclude_fields=["log.original", "process", "log.origin.file.line"],
        )
    )
    logging.basicConfig(level=logging.DEBUG if settings.debug else logging.INFO, handlers=[handler], force=True)
    for noisy in ("botocore", "asyncio", "alembic.runtime.plugins", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
