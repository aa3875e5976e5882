"""Recorded files turned into our CSV import format, at test time and into a folder of the test's: the recordings are not ours to ship.

Every function takes the folder of recordings (fixture `recorded_data`) and the folder to write to, and returns the file that it wrote, with
the header `metric,subject,source,at,known_at,value`.
"""

import ast
import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from monitor.core.units import DAY, HOUR, iso, parse_time

HEADER = ("metric", "subject", "source", "at", "known_at", "value")
# Where no release instant was recorded: late enough for any print, and only ever the base of a year-over-year change.
ASSUMED_LAG_MS = 45 * DAY
FUNDING_HOURS = {"binance": 8, "bybit": 8, "gate": 8, "htx": 8, "kucoin": 8, "mexc": 8, "dydx": 1}
# SOURCE.md: these were written with a clock three hours ahead of UTC.
THREE_HOURS_AHEAD = frozenset({"binance", "bybit", "htx", "kucoin", "mexc"})

Row = tuple[str, str, str, str, str, str]


def tvl_csv(recorded: Path, folder: Path, *, chain: str = "ethereum") -> Path:
    """Daily `tvl.usd` of one chain, 2020-2023; a day's label is the state at its start, and known_at is left to the rule."""
    rows = _rows(recorded / "tvl-chain-pairiekoh" / "chain_tvl_historical_wide.csv")
    found = (("tvl.usd", f"chain:{chain}", "defillama", iso(parse_time(row["date"])), "", row[chain]) for row in rows if row[chain])
    return _write(folder / f"tvl-{chain}.csv", found)


def cpi_csv(recorded: Path, folder: Path, *, first_month: str = "2017-01") -> Path:
    """`macro.cpi` (NSA, all items) by month, known at its release."""
    months = [(row["Date"][:7], row["Index"]) for row in _rows(recorded / "datasets-cpi-us" / "cpiai.csv")]
    return _write(folder / "cpi.csv", _prints(recorded, "CPI", "macro.cpi", months, first_month))


def ppi_csv(recorded: Path, folder: Path, *, first_month: str = "2017-01") -> Path:
    """`macro.ppi` (final demand; the recording is seasonally adjusted and latest-revised) by month, known at its release."""
    months = [(row["date"][:7], row["value"]) for row in _rows(recorded / "fred-macro-monitor" / "PPIFIS.csv")]
    return _write(folder / "ppi.csv", _prints(recorded, "PPI", "macro.ppi", months, first_month))


def releases_csv(recorded: Path, folder: Path) -> Path:
    """`macro.event` of CPI, PPI and FOMC, 2019-2025, known by the rule of 28 days; decisions without an instant are left out."""
    rows = [row for row in _calendar(recorded) if row["release_utc"]]
    return _write(folder / "releases.csv", (("macro.event", row["event"], "recorded-calendar", row["release_utc"], "", "1") for row in rows))


def candles_csv(recorded: Path, folder: Path, *, asset: str, as_perp: bool = False) -> Path:
    """4h candles of Binance spot, 2019-2023, as `spot:<asset>`; `as_perp` writes them as the perpetual's."""
    subject = asset if as_perp else f"spot:{asset}"
    rows = _rows(recorded / "btc-eth-4h-sater8" / f"{asset}USDT_4h.csv")
    parts = ("Open", "High", "Low", "Close", "Volume")
    found = ((f"candle.4h.{part.lower()}", subject, "binance", iso(parse_time(row["Open Time"])), "", row[part]) for row in rows for part in parts)
    return _write(folder / f"candles-{asset}{'-perp' if as_perp else ''}.csv", found)


def funding_csv(recorded: Path, folder: Path, *, venue: str, asset: str) -> Path:
    """Settled `funding.rate` of one venue with its `funding.interval_hours`, in UTC whatever clock the recording was made by."""
    (path,) = (recorded / "funding-multi-supervik").glob(f"{asset}-USDT_{venue}_*.csv")
    ahead_ms = 3 * HOUR if venue in THREE_HOURS_AHEAD else 0
    found: list[Row] = []
    for row in _rows(path):
        at = iso(parse_time(row["Date"]) - ahead_ms)
        found.append(("funding.rate", asset, venue, at, "", row["Funding Rate"]))
        found.append(("funding.interval_hours", asset, venue, at, "", str(FUNDING_HOURS[venue])))
    return _write(folder / f"funding-{venue}-{asset}.csv", found)


def vix_csv(recorded: Path, folder: Path, *, first_day: str = "2018-01-01") -> Path:
    """`vix.close` by session, known by the vocabulary's rule after the close."""
    rows = _rows(recorded / "datasets-finance-vix" / "vix-daily.csv")
    return _write(folder / "vix.csv", (("vix.close", "VIX", "cboe", row["DATE"], "", row["CLOSE"]) for row in rows if row["DATE"] >= first_day))


def spx_csv(recorded: Path, folder: Path, *, first_day: str = "2018-01-01") -> Path:
    """`equity.close` of the S&P 500 by session; a holiday's cell is empty and is no row."""
    rows = [(row["observation_date"], row["SP500"]) for row in _rows(recorded / "datasets-s-and-p-500" / "fred_sp500_daily.csv")]
    return _write(folder / "spx.csv", (("equity.close", "SPX", "fred", day, "", close) for day, close in rows if close and day >= first_day))


def dvol_csv(recorded: Path, folder: Path) -> Path:
    """`iv.index` of BTC: each hour's close, which is true at the hour's end and not at the beginning that the recording is stamped with."""
    rows = _rows(recorded / "dvol-btc-lrud" / "bitcoin_dvol_hourly_complete.csv")
    found = (("iv.index", "BTC", "deribit", iso(int(row["timestamp"]) + HOUR), "", row["dvol_close"]) for row in rows)
    return _write(folder / "dvol-BTC.csv", found)


def lending_csv(recorded: Path, folder: Path, *, protocols: Iterable[str] = ("aave", "compound")) -> Path:
    """Daily `lending.supply_apy` and `lending.borrow_apr` of DAI on Ethereum until May 2021.

    Both are recorded as compounded percent a year, and newest first; ours of a debt is simple, so the daily rate that compounds to it is taken
    365 times. A protocol that was not there yet is null.
    """
    found: list[Row] = []
    for row in reversed(list(_rows(recorded / "defipulse-vhranger" / "lending_rates_by_protocol.csv"))):
        at, lent, owed = iso(round(float(row["timestamp"]) * 1000)), ast.literal_eval(row["lend_rates"]), ast.literal_eval(row["borrow_rates"])
        for protocol in protocols:
            subject, yearly, cost = f"lending:ethereum/{protocol}/DAI", lent.get(protocol), owed.get(protocol)
            if yearly is not None:
                found.append(("lending.supply_apy", subject, "defipulse", at, "", repr(yearly / 100)))
            if cost is not None:
                found.append(("lending.borrow_apr", subject, "defipulse", at, "", repr(365 * ((1 + cost / 100) ** (1 / 365) - 1))))
    return _write(folder / "lending-DAI.csv", found)


def for_rules(recorded: Path, folder: Path, *, venues: Iterable[str] = ("binance", "bybit", "gate")) -> tuple[Path, ...]:
    """What every rule can be measured on whose inputs were recorded, 2019-2023: what replay reads, with equities, volatility and lending.

    Left aside: the one decentralised venue, since an aggregate of those needs two and the rule would be blind; monthly fed funds and the 2-year
    yield, which are not the daily rates that our metrics mean; rates of two days. No recording has the supply of stablecoins, treasuries, VIX
    futures or breadth.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [make(recorded, folder) for make in (tvl_csv, cpi_csv, ppi_csv, releases_csv, vix_csv, spx_csv, dvol_csv, lending_csv)]
    for asset in ("BTC", "ETH"):
        files += [candles_csv(recorded, folder, asset=asset), *(funding_csv(recorded, folder, venue=venue, asset=asset) for venue in venues)]
    return tuple(files)


def everything(recorded: Path, folder: Path, *, venues: Iterable[str] = ("binance", "bybit", "dydx", "gate")) -> tuple[Path, ...]:
    """What a replay of 2020-2023 reads: Ethereum's TVL, prints, releases, candles (as the perpetual's and as spot), funding."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [tvl_csv(recorded, folder), cpi_csv(recorded, folder), ppi_csv(recorded, folder), releases_csv(recorded, folder)]
    for asset in ("BTC", "ETH"):
        files += [candles_csv(recorded, folder, asset=asset, as_perp=as_perp) for as_perp in (False, True)]
        files += [funding_csv(recorded, folder, venue=venue, asset=asset) for venue in venues]
    return tuple(files)


def _prints(recorded: Path, event: str, metric: str, months: list[tuple[str, str]], first_month: str) -> Iterator[Row]:
    released = {row["reference_period_or_kind"]: row["release_utc"] for row in _calendar(recorded) if row["event"] == event}
    first_known = min(released)
    for month, level in months:
        at = parse_time(f"{month}-01")
        known_at = released.get(month) or (iso(at + ASSUMED_LAG_MS) if month < first_known else "")
        if level and known_at and month >= first_month:
            yield (metric, "US", "bls", iso(at), known_at, level)


def _calendar(recorded: Path) -> list[dict[str, str]]:
    return list(_rows(recorded / "macro-release-dates" / "us_macro_release_calendar.csv"))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _write(path: Path, rows: Iterable[Row]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows)
    return path
