"""Small CSV files of observations, and a story of TVL and prints in which every verdict occurs."""

from collections.abc import Iterable
from pathlib import Path

from monitor.core.units import DAY, HOUR, iso, month_before, parse_time
from tests.cli.speak import speak

HEADER = "metric,subject,source,at,known_at,value"
FELL_MS = parse_time("2024-02-13")


def csv_of(path: Path, rows: Iterable[str]) -> Path:
    path.write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    return path


def tvl_rows(values: Iterable[float], start: str = "2024-02-10", subject: str = "chain:ethereum") -> list[str]:
    """Hourly TVL from a day on."""
    return [f"tvl.usd,{subject},llama,{iso(parse_time(start) + n * HOUR)},,{value}" for n, value in enumerate(values)]


def print_rows(levels: Iterable[float], last: str = "2024-01-01") -> list[str]:
    """CPI levels up to a month, each released 42 days after its first day."""
    levels = list(levels)
    months = [month_before(parse_time(last), len(levels) - 1 - n) for n in range(len(levels))]
    return [f"macro.cpi,US,bls,{iso(at)},{iso(at + 42 * DAY)},{level}" for at, level in zip(months, levels, strict=True)]


def fallen_store(folder: Path) -> Path:
    """A store in which TVL falls by 10% on 13 February 2024, the day after a rising print."""
    store = folder / "story.db"
    rows = [*print_rows([100] * 12 + [103, 103, 103.1]), *tvl_rows([100.0] * 72 + [90.0] * 24)]
    assert speak("import", csv_of(folder / "story.csv", rows), store=store).code == 0
    return store
