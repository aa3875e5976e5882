"""`explain` on the demo's store, as a process: it thinks from the first observation on."""

import subprocess
import sys
import time

from bench import child, story
from bench.figures import Figure, Options

BUDGET_SECONDS = 5.0
MOST_RUNS = 3


def measure(options: Options) -> list[Figure]:
    store = story.file(options)
    command = [sys.executable, "-m", "monitor", "--store", f"sqlite:///{store}", "explain", "tvl-drawdown", "--subject", "chain:ethereum"]
    seconds = []
    for _ in range(min(options.runs, MOST_RUNS)):
        began = time.monotonic()
        subprocess.run(command, cwd=options.folder, env=child.environment(options.folder), capture_output=True, check=True)
        seconds.append(time.monotonic() - began)
    return [Figure("explain, demo's store", "s", seconds, BUDGET_SECONDS)]
