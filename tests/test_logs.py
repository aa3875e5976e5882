"""No secret passes the log, by any road: record, argument, exception, foreign library, uncaught error (F-151)."""

import gc
import io
import json
import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest
import structlog

from monitor.core.secret import Redactor, Secret
from monitor.logs import configure_logging

CANARY = "canary-7f3a"


@pytest.fixture(params=[True, False], ids=["json", "human"])
def stream(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    before = (logging.root.handlers[:], logging.root.level, sys.excepthook, threading.excepthook, sys.unraisablehook)
    written = io.StringIO()
    configure_logging(Redactor(Secret(CANARY)), json_lines=request.param, level="DEBUG", stream=written)
    yield written
    logging.root.handlers[:], logging.root.level, sys.excepthook, threading.excepthook, sys.unraisablehook = before
    logging.captureWarnings(False)
    structlog.reset_defaults()


def fail() -> None:
    local_key = CANARY
    try:
        raise ValueError(f"cause: https://rpc.io/v2/path-secret {local_key}")
    except ValueError as error:
        raise RuntimeError(f"GET https://u:pass-secret@rpc.io/v2/path-secret?k={CANARY}") from error


def by_structlog_event() -> None:
    structlog.get_logger("a").info(f"key {CANARY}", url="https://rpc.io/v2/path-secret", nested={"k": [CANARY]})


def by_structlog_exception() -> None:
    try:
        fail()
    except RuntimeError:
        structlog.get_logger("a").exception("poll failed")


def by_foreign_record() -> None:
    logging.getLogger("web3.providers").debug("POST %s key %s", "https://rpc.io/v2/path-secret", CANARY)


def by_foreign_exception() -> None:
    try:
        fail()
    except RuntimeError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved")


def by_uncaught() -> None:
    try:
        fail()
    except RuntimeError as error:
        sys.excepthook(type(error), error, error.__traceback__)


def by_thread() -> None:
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join(5)


class Doomed:
    def __del__(self) -> None:
        fail()


def by_finaliser() -> None:
    Doomed()
    gc.collect()


def by_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"deprecated {CANARY} https://rpc.io/v2/path-secret", stacklevel=1)


ROADS = [
    by_structlog_event,
    by_structlog_exception,
    by_foreign_record,
    by_foreign_exception,
    by_uncaught,
    by_thread,
    by_finaliser,
    by_warning,
]


@pytest.mark.parametrize("road", ROADS)
def test_no_road_leads_a_secret_into_the_log_F_151(road: object, stream: io.StringIO) -> None:
    assert callable(road)
    road()
    written = stream.getvalue()
    assert "***" in written or "rpc.io/..." in written
    assert not [secret for secret in (CANARY, "path-secret", "pass-secret") if secret in written]


def test_a_newline_or_a_terminal_code_cannot_forge_a_record(stream: io.StringIO) -> None:
    structlog.get_logger("a").warning("pool\n2026-01-01 [info] all is well", name="x\r\ny\x1b[2J\u202e\u2028z")
    lines = stream.getvalue().rstrip("\n").split("\n")
    assert all(line.startswith("    | ") for line in lines[1:])
    assert not set("\r\x1b\u202e\u2028") & set(stream.getvalue())


def test_an_exception_keeps_its_message_and_place(stream: io.StringIO) -> None:
    by_structlog_exception()
    written = stream.getvalue()
    assert "RuntimeError: GET https://rpc.io/..." in written
    assert "test_logs.py" in written
    assert "poll failed" in written


def test_json_lines_are_one_object_each() -> None:
    written = io.StringIO()
    before = logging.root.handlers[:], logging.root.level, sys.excepthook, threading.excepthook, sys.unraisablehook
    configure_logging(Redactor(), json_lines=True, stream=written)
    structlog.get_logger("venue").info("polled", rows=3)
    logging.getLogger("lib").debug("below the level")
    logging.root.handlers[:], logging.root.level, sys.excepthook, threading.excepthook, sys.unraisablehook = before
    structlog.reset_defaults()
    (line,) = written.getvalue().splitlines()
    record = json.loads(line)
    assert (record["event"], record["rows"], record["level"], record["logger"]) == ("polled", 3, "info", "venue")


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError("no space left on device")


def test_a_record_that_cannot_be_written_is_reported_without_its_arguments_F_151(stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Redactor(Secret(CANARY)), json_lines=True, stream=Full())
    logging.getLogger("web3").warning("key %s", CANARY)
    written = capsys.readouterr().err
    assert re.fullmatch(r"a log record of web3 line \d+ could not be written\n", written)
