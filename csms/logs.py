"""Log records: one line each, for people or as JSON, on standard error."""

from __future__ import annotations

import logging
import sys
import unicodedata
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from csms.protocol.redaction import HIDDEN, is_secret_name, without_keys

# Chatty at info; what matters of theirs is logged by csms itself, escaped.
QUIET = {
    "alembic": logging.WARNING,
    "asyncio": logging.WARNING,
    "uvicorn": logging.WARNING,
    "websockets": logging.CRITICAL,
}
MARKER = "_csms"


class StandardError(logging.StreamHandler[TextIO]):
    """Writes to what is standard error at that moment, so that a live screen can catch it."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        self.stream = sys.stderr
        super().emit(record)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide keys and passwords, should one ever get into a record (safety.md A18)."""
    return {
        name: HIDDEN if is_secret_name(name) else without_keys(value)
        for name, value in event.items()
    }


def escape(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape control and format characters, so that one record is one line (safety.md A18)."""
    return {key: _escaped(value) for key, value in event.items()}


def _escaped(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in {"Cc", "Cf", "Cs"} else c
        for c in value
    )


def configure(level: str, form: str) -> None:
    """Set up logging for the process: `level` as in `logging`, `form` "console" or "json"."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
        escape,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    handler = StandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([structlog.processors.format_exc_info] if form == "json" else []),
                renderer,
            ],
        )
    )
    handler.set_name(MARKER)
    root = logging.getLogger()
    for old in [h for h in root.handlers if h.get_name() == MARKER]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name, quiet in QUIET.items():
        logging.getLogger(name).setLevel(quiet)
