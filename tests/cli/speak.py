"""The program as a user has it: its own `main`, with typer's runner around it for the streams."""

import sys
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from typer.testing import CliRunner

from monitor.__main__ import main


@dataclass(frozen=True)
class Said:
    """What came of one command."""

    code: int
    out: str
    err: str


def speak(*words: str | Path, store: Path | None = None, config: Path | None = None) -> Said:
    """Run `hedge-monitor` in this process; an error that is not ours is raised."""
    options = [] if store is None else ["--store", f"sqlite:///{store}"]
    options += [] if config is None else ["--config", str(config)]
    code = 0
    with CliRunner().isolation() as (out, err, _), patch.object(sys, "argv", ["hedge-monitor", *options, *map(str, words)]):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        sys.stdout.flush()
        sys.stderr.flush()
        return Said(code, out.getvalue().decode(), err.getvalue().decode())
