"""From typing `hedge-monitor run` to the first complete answer on /metrics, and to the daemon's own."""

import shutil
import time
from pathlib import Path

from bench import child, story
from bench.figures import Figure, Options

BUDGET_SECONDS = 0.5


def measure(options: Options) -> list[Figure]:
    story_file = story.file(options)
    _start(options, None)  # compiles the bytecode, as an installation's first start does
    fresh = [_start(options, None) for _ in range(options.runs)]
    warm = [_start(options, story_file) for _ in range(options.runs)]
    note = "until then the port says that it starts; the daemon's own answer comes on the same socket"
    return [
        Figure("first /metrics, new store", "s", [first for first, _ in fresh], BUDGET_SECONDS),
        Figure("first /metrics, ten days in store", "s", [first for first, _ in warm], BUDGET_SECONDS),
        Figure("the daemon's own /metrics, new store", "s", [own for _, own in fresh], note=note),
        Figure("the daemon's own, ten days in store", "s", [own for _, own in warm]),
    ]


def _start(options: Options, store: Path | None) -> tuple[float, float]:
    """Seconds to the first answer with a sample of ours, and to the first that no longer says it starts."""
    folder = options.folder / "start"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if store is not None:
        shutil.copy(store, folder / "monitor.db")
    port = child.free_port()
    file = child.configuration(folder, port, child.NOWHERE)
    first = own = 0.0
    began = time.monotonic()
    with child.running(options.folder, folder, "--config", str(file), "run") as process:
        for _ in child.wait_for(process, 120):
            text = child.get(port, "/metrics")
            if text is not None and "hedge_monitor_" in text:
                first = first or time.monotonic() - began
                if "hedge_monitor_starting" not in text:
                    own = time.monotonic() - began
                    break
    return first, own
