"""A million rows into an empty store, beside the notebook's way into the same tables; then a start on that store."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from bench import child
from bench.figures import Figure, Options
from monitor.core.units import HOUR, iso, parse_time

ROWS = 1_000_000
ROWS_A_SERIES = 25_000
MOST_RUNS = 3
MOST_ABOVE_BASE_MB = 150.0
# The most a process held of its own; what `getrusage` says may be its parent's.
HELD = "import atexit, re; atexit.register(lambda: print('held', re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1]))"
OURS = f"{HELD}; import sys; from monitor.__main__ import main; sys.argv[0] = 'hedge-monitor'; main()"
PEER = f"""{HELD}
import sys, pandas
from monitor.store.sqlite import SqliteStore
store = SqliteStore(sys.argv[1], role="peer")
numbers = {{}}
with store.transaction():
    store.connection.execute("INSERT INTO log (now, kind, body) VALUES (0, 'batch', '')")
for frame in pandas.read_csv(sys.argv[2], chunksize=100_000):
    frame["at"] = pandas.to_datetime(frame["at"]).astype("datetime64[ms, UTC]").astype("int64")
    with store.transaction():
        for key in frame[["metric", "subject", "source"]].drop_duplicates().itertuples(index=False, name=None):
            if key not in numbers:
                numbers[key] = store.connection.execute("INSERT INTO series (metric, subject, source) VALUES (?, ?, ?)", key).lastrowid
        series = map(numbers.__getitem__, zip(frame["metric"], frame["subject"], frame["source"]))
        at = frame["at"].tolist()
        rows = zip([1] * len(at), series, at, at, frame["value"].tolist(), [""] * len(at))
        store.connection.executemany("INSERT INTO observations (seq, series, at, known_at, value, block_hash) VALUES (?, ?, ?, ?, ?, ?)", rows)
store.close()
"""
START = f"""{HELD}
import sys, time
from monitor.app import build_pipeline
from monitor.config import discover, load
from monitor.store.sqlite import SqliteStore
config = load(None, {{"HEDGE_MONITOR_STORE__URL": "sqlite:///" + sys.argv[1]}}, discover())
store = SqliteStore(sys.argv[1])
began = time.perf_counter()
build_pipeline(store, config, lambda: 0)
print("took", time.perf_counter() - began)
"""
NOTE = "both as whole processes, from an empty store; the peer reads 100,000 rows at a time and checks nothing"


def measure(options: Options) -> list[Figure]:
    folder, runs = options.folder / "import", min(options.runs, MOST_RUNS)
    folder.mkdir(exist_ok=True)
    many, one = folder / "many.csv", folder / "one.csv"
    write(many, ROWS)
    write(one, 1)
    _, base = _run(options, folder, OURS, "import", one)
    ours = [_run(options, folder, OURS, "import", many) for _ in range(runs)]
    starts = [_start(options, folder) for _ in range(runs)]
    peers = [_run(options, folder, PEER, None, many) for _ in range(runs)]
    above = f"above the {base:.0f} MB of importing one row; the file has {many.stat().st_size / 1e6:.0f} MB"
    return [
        Figure("rows imported", "rows/s", [ROWS / s for s, _ in ours], peer=("pandas, executemany", [ROWS / s for s, _ in peers]), note=NOTE),
        Figure("resident, import, above base", "MB", [held - base for _, held in ours], at_most=MOST_ABOVE_BASE_MB, note=above),
        Figure("a start reads the store of these rows", "s", starts),
    ]


def write(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("metric,subject,source,at,known_at,value\n")
        file.writelines(_lines(count))


def _lines(count: int) -> Iterator[str]:
    start, dice, value = parse_time("2021-01-01"), Random(7), 1e9
    times = [iso(start + n * HOUR) for n in range(min(count, ROWS_A_SERIES))]
    for n in range(count):
        value *= 1 + dice.gauss(0, 0.002)
        yield f"tvl.usd,protocol:p{n // ROWS_A_SERIES},llama,{times[n % ROWS_A_SERIES]},,{value!r}\n"


def _run(options: Options, folder: Path, code: str, command: str | None, file: Path) -> tuple[float, float]:
    """Seconds and resident megabytes of one process that fills an empty store."""
    for left in folder.glob("rows.db*"):
        left.unlink()
    store = folder / "rows.db"
    words = [str(store), str(file)] if command is None else ["--store", f"sqlite:///{store}", command, str(file)]
    began = time.perf_counter()
    said = _python(options, code, *words)
    return time.perf_counter() - began, _told(said, "held") * 1024 / 1e6


def _start(options: Options, folder: Path) -> float:
    return _told(_python(options, START, str(folder / "rows.db")), "took")


def _python(options: Options, code: str, *words: str) -> str:
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, cwd=options.folder, env=child.environment(options.folder), capture_output=True, text=True, check=True)
    return done.stdout


def _told(said: str, name: str) -> float:
    found = re.search(rf"^{name} ([0-9.]+)$", said, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"the program did not tell {name}: {said}")
    return float(found[1])
