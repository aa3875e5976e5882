"""A small world for tests that need the real rules to fire: Ethereum's TVL and ETH's price by the hour, CPI, one exposed position."""

from collections.abc import Iterable, Sequence
from typing import Any

from monitor.core.events import Batch, Configured, Event
from monitor.core.observation import Observation
from monitor.core.units import HOUR, parse_time
from tests.builders import START, seen, settings_of

TVL = "chain:ethereum"
RULES = ("defi-layer", "funding-spike", "macd-rsi-scaling", "macro-rising", "tvl-drawdown")
GATES = ("cooldown", "data-quality", "macro-blackout", "session-cap")
HISTORY_HOURS = 60
CPI_RELEASED = parse_time("2024-02-13T13:30:00Z")

# Year on year: 3.0% in December, 4.0% in January.
CPI = {"2022-12": 100.0, "2023-01": 100.0, "2023-12": 103.0, "2024-01": 104.0}


def settings(**others: Any) -> dict[str, Any]:
    """All rules and gates on, one position of 40 ETH that stands on Ethereum, three sources that come by the hour."""
    sources = {name: {"cadence_ms": HOUR, "provides": provides} for name, provides in PROVIDES.items()}
    positions = [{"id": "p1", "kind": "tokens", "amounts": {"ETH": 40}, "exposed_to": [TVL]}]
    base = {"positions": positions, "tvl_subjects": [TVL], "sources": sources, "heartbeat_ms": 24 * HOUR}
    return settings_of(rules=RULES, gates=GATES, **{**base, **others})


PROVIDES = {
    "llama": [["tvl.usd", TVL], ["price.usd", "ETH"]],
    "other": [["price.usd", "ETH"]],
    "bls": [["macro.cpi", "US"]],
}


def configured(now: int = START, **others: Any) -> Configured:
    return Configured(now, settings(**others))


def prints() -> list[Observation]:
    """CPI levels, the last of them rising, all known at the February release."""
    return [seen("macro.cpi", "US", level, parse_time(f"{month}-01"), "bls", CPI_RELEASED) for month, level in CPI.items()]


def hour(at: int, tvl_usd: float, eth_usd: float = 2500.0) -> list[Observation]:
    """What is true at one full hour."""
    prices = [seen("price.usd", "ETH", eth_usd, at, source) for source in ("llama", "other")]
    return [seen("tvl.usd", TVL, tvl_usd, at, "llama"), *prices]


def history(until: int = START) -> list[Observation]:
    """The hours before `until`, that one included, of a quiet world."""
    return [o for n in range(HISTORY_HOURS) for o in hour(until - (HISTORY_HOURS - 1 - n) * HOUR, 5e10)]


def batch(now: int, observations: Iterable[Observation], source: str = "llama") -> Batch:
    return Batch(now, source, tuple(observations))


def opening() -> list[Event]:
    """Configured, prints, and the quiet hours up to START."""
    return [configured(), batch(START, prints(), "bls"), batch(START, history())]


def hours(tvls: Sequence[float], first: int = START + HOUR) -> list[Event]:
    """One batch an hour with these values of TVL."""
    return [batch(first + n * HOUR, hour(first + n * HOUR, tvl)) for n, tvl in enumerate(tvls)]
