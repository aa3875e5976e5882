"""Logging: one handler on standard error, one line a record, secrets blotted in whatever finally gets printed.

The blotting works on the finished line, after every library's message and traceback has been rendered into it, so nothing can go round it.
"""

import logging
import sys
import threading
from collections.abc import Sequence
from typing import TextIO

import structlog
from structlog.typing import Processor

from monitor.core.secret import Redactor

CONTINUATION = "\n    | "
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_LINE_BREAKS_AND_BIDI = (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F)
_SPELT_OUT = {code: f"\\u{code:04x}" for code in (*_CONTROLS, *_LINE_BREAKS_AND_BIDI)} | {ord("\n"): CONTINUATION}


def configure_logging(redactor: Redactor, *, json_lines: bool, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every record of structlog and of the standard library to `stream` (standard error unless given), redacted.

    Uncaught exceptions, warnings and failures inside a handler take the same way. Calling it again replaces the earlier handler.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    handler = _QuietHandler(stream or sys.stderr)
    handler.setFormatter(_RedactingFormatter(redactor, json_lines, shared))
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    _catch_the_uncaught()


class _RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    def __init__(self, redactor: Redactor, json_lines: bool, shared: Sequence[Processor]) -> None:
        renderer: Processor = structlog.processors.JSONRenderer() if json_lines else structlog.dev.ConsoleRenderer(colors=False)
        super().__init__(foreign_pre_chain=shared, processors=[self.remove_processors_meta, renderer])
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        line = self._redactor.redact(super().format(record)).rstrip("\n")
        # A forged line cannot pass for a record: it begins with the continuation mark, and terminal codes are spelt out.
        return line.translate(_SPELT_OUT)


class _QuietHandler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:
        """Say that a record could not be written; the standard text would print its raw arguments."""
        sys.stderr.write(f"a log record of {record.name} line {record.lineno} could not be written\n")


def _catch_the_uncaught() -> None:
    log = logging.getLogger("uncaught")

    def from_main(kind: type[BaseException], error: BaseException, trace: object) -> None:
        log.critical("uncaught exception", exc_info=error)

    def from_thread(hook: threading.ExceptHookArgs) -> None:
        log.critical("uncaught exception in a thread", exc_info=hook.exc_value)

    def from_finaliser(hook: "sys.UnraisableHookArgs") -> None:
        log.error("exception that nobody could catch", exc_info=hook.exc_value)

    sys.excepthook = from_main
    threading.excepthook = from_thread
    sys.unraisablehook = from_finaliser
