"""The outside peer: the usual notebook. At each event it computes two of the five rules anew, with pandas and TA-Lib, over the windows they need."""

import time
from collections import defaultdict
from collections.abc import Sequence

from monitor.core.events import Batch, Event

EVENTS = 300
DAYS_OF_TVL = 4
BARS = 250
NOTE = (
    f"the peer takes {EVENTS} events, evenly chosen, and for each only the 48 h drawdown of every TVL (rolling) and MACD and RSI of every close: "
    "no funding, prints, gates, ages, evidence or ledger; a ratio below 1 is what those cost"
)


def events_a_second(events: Sequence[Event]) -> float:
    import pandas as pd
    import talib

    columns: dict[tuple[str, str, str], dict[int, float]] = defaultdict(dict)
    step, seconds, taken = max(1, len(events) // EVENTS), 0.0, 0
    for place, event in enumerate(events):
        for one in event.observations if isinstance(event, Batch) else ():
            if one.metric in {"tvl.usd", "candle.4h.close"}:
                columns[one.metric, one.subject, one.source][one.at] = float(one.value)
        if place % step:
            continue
        series = {key: pd.Series(rows).sort_index() for key, rows in columns.items()}
        began = time.perf_counter()
        for (metric, _, _), rows in series.items():
            if metric == "tvl.usd":
                recent = rows[rows.index > rows.index[-1] - DAYS_OF_TVL * 86_400_000]
                recent.index = pd.to_datetime(recent.index, unit="ms")
                recent / recent.rolling("48h").max() - 1
            else:
                closes = rows.to_numpy()[-BARS:]
                talib.MACD(closes), talib.RSI(closes)
        seconds, taken = seconds + time.perf_counter() - began, taken + 1
    return taken / seconds
