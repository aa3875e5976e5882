"""What `demo` holds once its story is told."""

import psutil

from bench import child
from bench.figures import Figure, Options

BUDGET_MB = 140.0
MOST_RUNS = 3
SPEED = 500_000


def measure(options: Options) -> list[Figure]:
    told = [_told(options) for _ in range(min(options.runs, MOST_RUNS))]
    return [Figure("resident, demo, story told", "MB", told, BUDGET_MB)]


def _told(options: Options) -> float:
    port = child.free_port()
    with child.running(options.folder, options.folder, "demo", "--speed", str(SPEED), "--port", str(port)) as process:
        for _ in child.wait_for(process, 600, pause=1.0):
            answer = child.get_json(port, "/api/v1/book")
            if answer is not None and answer["now"].get("story", {}).get("done", 0) >= 1:
                break
        return float(psutil.Process(process.pid).memory_info().rss / 1e6)
