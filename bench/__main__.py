"""Runs the benchmarks: one file each, one table in the end. Exits 0 whatever the figures: a machine may be busy."""

import argparse
import importlib
import os
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Figure, Options, table

BENCHES = ("start", "memory_demo", "memory_run", "replay", "latency", "explain", "import_rows", "window", "value_ranges")
"""In this order; each is `bench/<name>.py` with `measure(options)`."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(BENCHES)}; all of them without any")
    parser.add_argument("--runs", type=int, default=5, help="how often each is measured (default 5)")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long `run` is watched (default 10)")
    given = parser.parse_args()
    names = given.names or BENCHES
    if unknown := sorted(set(names) - set(BENCHES)):
        parser.error(f"there is no benchmark {unknown[0]}; there are {', '.join(BENCHES)}")
    with tempfile.TemporaryDirectory(prefix="hedge-monitor-bench-") as folder:
        report(names, Options(Path(folder), given.runs, given.minutes))


def report(names: Sequence[str], options: Options) -> None:
    figures: list[Figure] = []
    for name in names:
        print(f"{name} ...", flush=True)
        figures += importlib.import_module(f"bench.{name}").measure(options)
    print(f"\n{machine()}\n")
    for line in table(figures):
        print(line)


def machine() -> str:
    """Where this was measured, and how busy it was: figures of a busy machine are not the program's."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cores, load = os.cpu_count() or 1, os.getloadavg()[0]
    busy = " (busy: more waits than it has cores for)" if load > cores else ""
    return f"{platform.system()} {platform.machine()}, {cores} cores, {memory_gb:.0f} GB, Python {platform.python_version()}, load {load:.1f}{busy}"


if __name__ == "__main__":
    main()
