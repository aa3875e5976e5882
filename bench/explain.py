"""`explain` on the demo's store, as a process: it thinks from the first observation on."""

import subprocess
import sys
import time

from bench import child, story
from bench.figures import Figure, Options

BUDGET_SECONDS = 5.0
MOST_RUNS = 3
ASKED = (("tvl-drawdown", "chain:ethereum"), ("funding-spike", "ETH"))
"""One that only votes, for which what it needs is thought again; and one that proposes layers, for which everything is."""


def measure(options: Options) -> list[Figure]:
    runs = range(min(options.runs, MOST_RUNS))
    return [
        Figure(f"explain {rule}, demo's store", "s", [_explained(options, rule, subject) for _ in runs], BUDGET_SECONDS) for rule, subject in ASKED
    ]


def _explained(options: Options, rule: str, subject: str) -> float:
    command = [sys.executable, "-m", "monitor", "--store", f"sqlite:///{story.file(options)}", "explain", rule, "--subject", subject]
    began = time.monotonic()
    subprocess.run(command, cwd=options.folder, env=child.environment(options.folder), capture_output=True, check=True)
    return time.monotonic() - began
