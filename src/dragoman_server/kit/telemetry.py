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
    _configure(number, pretty=bool(pretty), cache=True)
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr)


def _configure(level: int, *, pretty: bool, cache: bool) -> None:
    # Tracebacks as plain text before any renderer sees them: structlog's own, where rich is installed, shows the
    # local variables of every frame, and those hold tokens.
    renderer: Any = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=cache,
    )


_configure(logging.INFO, pretty=True, cache=False)  # for commands and tests that never call `configure_logging`
