"""Our own logs (stdout: events with keys, pretty on a terminal, JSON elsewhere) and metrics.

Users' logs are the `logs` part's business. No event ever carries a secret, a token or a response body.
"""

import logging
import sys
from typing import Any, cast

import structlog
from prometheus_client import CollectorRegistry

REGISTRY = CollectorRegistry()
"""Every metric of this process registers here; `/metrics` renders it."""


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger whose events carry `part=name`."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(part=name))


def configure_logging(*, level: str = "info", pretty: bool | None = None) -> None:
    """Set the process's log output once, at start."""
    number = logging.getLevelNamesMapping()[level.upper()]
    if pretty is None:
        pretty = sys.stderr.isatty()
    renderer: Any = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr)
