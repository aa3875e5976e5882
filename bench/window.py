"""How long a rule waits for 90 days of a series, beside a slice of pandas by its index."""

import time
from collections.abc import Callable

from bench.figures import Figure, Options
from monitor.core.market import Market
from monitor.core.observation import Observation
from monitor.core.state import State
from monitor.core.units import DAY, MINUTE, parse_time
from monitor.core.view import View

READS = 2_000
MOST_MS = 1.0
SPAN_MS = 90 * DAY
SERIES = {"ten minutes": 10 * MINUTE, "a day": DAY}
METRIC, SUBJECT, SOURCE = "tvl.usd", "chain:ethereum", "llama"
NOTE = "by View.window: with its freshness, its coverage and its evidence; the peer slices and copies, and judges nothing; in time of the processor"


def measure(options: Options) -> list[Figure]:
    return [figure for name, step_ms in SERIES.items() for figure in _figures(name, step_ms, options.runs)]


def _figures(name: str, step_ms: int, runs: int) -> list[Figure]:
    import pandas as pd

    now = parse_time("2024-01-01")
    at = list(range(now - 2 * SPAN_MS + step_ms, now + 1, step_ms))
    values = [1e9 + n for n in range(len(at))]
    market = Market()
    for instant, value in zip(at, values, strict=True):
        market.put(Observation(METRIC, SUBJECT, SOURCE, instant, instant, value))
    frame = pd.Series(values, index=pd.to_datetime(at, unit="ms"))
    start, end = pd.to_datetime(now - SPAN_MS, unit="ms"), pd.to_datetime(now, unit="ms")

    def read() -> int:
        return len(View(market, State(), now).window(METRIC, SUBJECT, SOURCE, SPAN_MS))

    def sliced() -> int:
        return len(frame.loc[start:end].to_numpy(copy=True))

    if read() != sliced():
        raise RuntimeError(f"the two do not read the same: {read()} and {sliced()} points")
    ours, peer = ([_waits_ms(one) for _ in range(runs)] for one in (read, sliced))
    what = f"90 days by {name}, {read():,} points"
    return [
        Figure(what, "ms p50", [p50 for p50, _ in ours], at_most=MOST_MS, peer=("pandas slice", [p50 for p50, _ in peer]), note=NOTE),
        Figure("the same", "ms p99", [p99 for _, p99 in ours], at_most=MOST_MS, peer=("pandas slice", [p99 for _, p99 in peer])),
    ]


def _waits_ms(read: Callable[[], int]) -> tuple[float, float]:
    waits = []
    for _ in range(READS):
        began = time.thread_time()
        read()
        waits.append((time.thread_time() - began) * 1e3)
    waits.sort()
    return waits[READS // 2], waits[READS * 99 // 100]
