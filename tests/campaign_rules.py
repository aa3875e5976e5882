"""`make campaign-rules`: every rule on the recorded years, through the program's own commands; prints the table that README shows.

A rule whose inputs were never recorded says NOT_CONFIGURED. Further words go to `rules measure`: `--from`, `--to`, `--json`.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from monitor.registry import plugins
from monitor.source import Collector
from tests.conftest import ROOT
from tests.recorded import for_rules

DECLARED = Path(__file__).with_suffix(".yaml")
FROM, TO = "2020-01-01", "2023-12-31"
"""Prints, TVL and funding were recorded from 2020 on; what was recorded before is there to look back on."""


def main() -> int:
    recorded = Path(os.environ.get("HEDGE_MONITOR_RECORDED_DATA") or ROOT.parent / "shared" / "data")
    if not recorded.is_dir():
        sys.exit(f"recorded data is missing: set HEDGE_MONITOR_RECORDED_DATA ({recorded} is no folder)")
    with tempfile.TemporaryDirectory(prefix="hedge-monitor-rules-") as folder:
        program = prepared(recorded, Path(folder))
        return subprocess.run([*program, "rules", "measure", "--from", FROM, "--to", TO, *sys.argv[1:]], cwd=ROOT, check=False).returncode


def prepared(recorded: Path, folder: Path) -> list[str]:
    """A store that holds the recordings, and the words that begin every command on it."""
    file = folder / "rules.yaml"
    off = (f"  {name}: {{enabled: false}}" for name in plugins("monitor.collectors", Collector))
    file.write_text(DECLARED.read_text(encoding="utf-8") + "\n".join([*off, ""]), encoding="utf-8")
    file.chmod(0o600)
    program = [sys.executable, "-m", "monitor", "--config", str(file), "--store", f"sqlite:///{folder}/rules.db"]
    subprocess.run([*program, "import", *map(str, for_rules(recorded, folder / "csv"))], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return program


if __name__ == "__main__":
    sys.exit(main())
