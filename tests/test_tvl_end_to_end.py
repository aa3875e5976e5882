"""From DefiLlama's answers to the verdict: polled, let in at the door, judged, and told by `explain`."""

import asyncio
from random import Random
from typing import Any

import pytest

from monitor.collectors.defillama import DefiLlama
from monitor.core.book import Watch
from monitor.core.events import Configured
from monitor.core.observation import Reading
from monitor.core.settings import read_settings
from monitor.core.units import DAY, HOUR, MINUTE
from monitor.pipeline import Pipeline
from monitor.replay.explain import explain
from monitor.source import Ports
from tests.builders import START, settings_of
from tests.collectors.sample import StillClock
from tests.fakes import FakeNet
from tests.pipelines import after

X = "protocol:x"
NOON = START + 12 * HOUR
POLL_MS = 30 * MINUTE
CALM_POLLS = 4
SOURCES = {
    "defillama": {"cadence_ms": POLL_MS, "provides": [["tvl.usd", X], ["price.usd", "ETH"]]},
    "venue": {"cadence_ms": 10 * MINUTE, "provides": [["perp.mark", "ETH"]]},
}
SETTINGS = settings_of(rules=["tvl-drawdown"], tvl_subjects=[X], sources=SOURCES)
State = tuple[float, float, float, float, float]
# What x holds of ETH and USDC, the price of ETH, what somebody minted, what is staked.
CALM: State = (5e6, 5e8, 100.0, 0.0, 1e8)


def body(states: list[tuple[int, State]]) -> dict[str, Any]:
    """The answer of /protocol/x: a row for each state, in USD and in tokens."""
    usd = [(at, eth * price + usdc + minted, eth, usdc, minted, staked) for at, (eth, usdc, price, minted, staked) in states]
    tokens = [{"date": at // 1000, "tokens": {"WETH": eth, "USDC": usdc, "FAKE": minted}} for at, _, eth, usdc, minted, _ in usd]
    return {
        "tvl": [{"date": at // 1000, "totalLiquidityUSD": tvl} for at, tvl, *_ in usd],
        "tokens": tokens,
        "tokensInUsd": tokens,
        "chainTvls": {"staking": {"tvl": [{"date": at // 1000, "totalLiquidityUSD": staked} for at, *_, staked in usd]}},
    }


def polled(*now: State) -> Pipeline:
    """A calm week of days, then a poll each half hour from noon on: calm ones, then each with a state of its own. Marks come every ten minutes."""
    pipeline, week = after(Configured(NOON, SETTINGS)), [(START - n * DAY, CALM) for n in range(7, -1, -1)]
    for number, state in enumerate((*[CALM] * CALM_POLLS, *now)):
        received_at = NOON + number * POLL_MS
        for minutes in (20, 10):
            marks = [Reading("perp.mark", "ETH", state[2], received_at - minutes * MINUTE)]
            pipeline.receive(marks, source="venue", now=received_at - minutes * MINUTE)
        coins = {coin: {"price": price, "timestamp": received_at // 1000 - 60} for coin, price in (("ethereum", state[2]), ("usd-coin", 1.0))}
        coins |= {coin: {"price": 1.0, "timestamp": received_at // 1000 - 60} for coin in ("tether", "dai")}
        net = FakeNet().answer("GET", "https://coins.llama.fi/", {"coins": {f"coingecko:{coin}": row for coin, row in coins.items()}})
        net.answer("GET", "https://api.llama.fi/protocol/x", body([*week, (received_at - 30_000, state)]))
        ports = Ports(net=net, clock=StillClock(received_at), rng=Random(0))
        harvest = asyncio.run(DefiLlama().poll(ports, Watch(assets=("ETH",), tvl_subjects=(X,))))
        assert harvest.rejected == []
        pipeline.receive(harvest.readings, source="defillama", now=received_at)
    return pipeline


BY_PRICE: State = (5e6, 5e8, 80.0, 0.0, 1e8)
BY_OUTFLOW: State = (4e6, 5e8, 100.0, 0.0, 1e8)
STAKED: State = (4e6, 5e8, 100.0, 0.0, 2e8)
PUMPED: State = (5e6, 5e8, 100.0, 1.2e9, 1e8)
DRAINED: State = (0.0, 0.0, 100.0, 0.0, 1e8)


@pytest.mark.parametrize(
    ("states", "verdict", "told"),
    [
        ((BY_PRICE,), "FIRED", "price effect -100,000,000 USD, outflow +0 USD, unexplained +0 USD"),
        ((BY_OUTFLOW,), "UNKNOWN", "has not stood there yet: price effect +0 USD, outflow -100,000,000 USD"),
        ((BY_OUTFLOW, BY_OUTFLOW, BY_OUTFLOW), "FIRED", "price effect +0 USD, outflow -100,000,000 USD, unexplained +0 USD"),
        ((STAKED, STAKED, STAKED), "UNKNOWN", "with what is counted apart +0.0%: staking by 100,000,000 USD"),
        ((PUMPED, PUMPED, PUMPED, PUMPED, CALM, CALM, CALM), "UNKNOWN", "unexplained -1,200,000,000 USD; no price source knows FAKE"),
        ((PUMPED, CALM), "QUIET", "+0.0%"),
        ((DRAINED,), "UNKNOWN", "outflow -1,000,000,000 USD"),
        ((DRAINED, DRAINED, DRAINED), "FIRED", "outflow -1,000,000,000 USD"),
    ],
    ids=[
        "F-039 prices fell",
        "F-039 money left",
        "F-039 and stays away",
        "F-037 reclassified",
        "F-041 a pump is over",
        "F-035 a spike of one poll",
        "F-033 a zero",
        "F-033 a drain",
    ],
)
def test_what_defillama_says_becomes_a_verdict_that_says_why(states: tuple[State, ...], verdict: str, told: str):
    pipeline = polled(*states)
    answer = explain(pipeline.store, read_settings(SETTINGS), "tvl-drawdown", X, None, NOON + (CALM_POLLS + len(states) - 1) * POLL_MS)
    assert answer["verdict"] == verdict, answer["reason"]
    assert told in answer["reason"]
    assert "live" not in answer
