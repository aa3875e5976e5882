"""What the built-in stress is made of: enough history, no gap that was not meant, lines like a market's, a position that adds up."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from monitor.core import amm
from monitor.core.codec import digest
from monitor.core.observation import Reading
from monitor.core.perpetual import Perpetual, liquidation_price
from monitor.core.units import DAY, HOUR
from monitor.story import book, liquidity, loan, scenario, venues
from monitor.story.paths import paths

START, END = scenario.START_MS, scenario.END_MS


def spans(readings: Iterable[Reading]) -> dict[tuple[str, str], tuple[int, int, int]]:
    """First and last instant, and number of values, by metric and subject."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for reading in readings:
        found[reading.metric, reading.subject].append(reading.at or 0)
    return {key: (min(at), max(at), len(at)) for key, at in found.items()}


@pytest.fixture(scope="module")
def past() -> dict[str, list[Reading]]:
    return dict(scenario.history())


def test_at_least_120_days_of_tvl_candles_and_funding_are_known_before_it_starts(past: dict[str, list[Reading]]):
    known = [item for readings in past.values() for item in spans(readings).items()]
    long = [(key, span) for key, span in known if key[0].startswith(("tvl.", "candle.", "funding."))]

    assert {metric.split(".")[0] for (metric, _), _ in long} == {"tvl", "candle", "funding"}
    for key, (first, last, count) in long:
        assert START - first >= 120 * DAY, key
        assert last >= START - 8 * HOUR and count >= 360, key


def test_nothing_in_the_history_is_known_only_later(past: dict[str, list[Reading]]):
    late = [r for readings in past.values() for r in readings if (r.known_at if r.known_at is not None else r.at or 0) > START]

    assert late == []


def test_two_years_of_prints_allow_two_changes_on_the_year(past: dict[str, list[Reading]]):
    prints = spans(past["bls"])

    assert {key: count for key, (_, _, count) in prints.items()} == {("macro.cpi", "US"): 25, ("macro.ppi", "US"): 25}


def test_the_calendar_reaches_sixty_days_beyond_the_end(past: dict[str, list[Reading]]):
    known = spans(past["us-calendar"])

    assert {subject for _, subject in known} == {"CPI", "FOMC", "PPI"}
    assert min(last for _, last, _ in known.values()) >= END + 60 * DAY


def test_scenes_come_in_order_and_each_source_is_asked_at_its_cadence():
    asked: dict[str, list[int]] = defaultdict(list)
    before = START
    for scene in scenario.scenes():
        assert before <= scene.at_ms <= END
        assert (scene.harvest is None) == bool(scene.failure)
        before = scene.at_ms
        asked[scene.source].append(scene.at_ms)

    assert set(asked) == set(scenario.sources())
    for source, at in asked.items():
        assert max(np.diff([START, *at])) == book.CADENCES_MS[source]


def test_it_is_the_same_story_every_time():
    def told() -> str:
        paths.cache_clear()
        return digest([[scene.at_ms, scene.source, scene.failure, scene.harvest] for scene in scenario.scenes() if scene.at_ms % DAY == 0])

    assert told() == told()


def test_prices_look_like_a_market():
    known = paths()
    returns = {asset: np.diff(np.log(price)) for asset, price in known.price.items()}
    eth = known.price["ETH"][known.row(START) :]

    assert max(np.abs(steps).max() for steps in returns.values()) < 0.035
    assert 0.6 < np.corrcoef(returns["ETH"], returns["BTC"])[0, 1] < 0.95
    assert 0.35 < returns["ETH"][: known.row(START)].std() * np.sqrt(35_040) < 0.65, "volatility of a year"
    assert -0.20 < eth.min() / eth[0] - 1 < -0.15


def test_tvl_bleeds_and_never_falls_off_a_cliff():
    known = paths()
    for subject, (deepest, shallowest) in {"chain:ethereum": (-0.30, -0.20), "protocol:uniswap-v3": (-0.22, -0.14)}.items():
        hourly = known.tvl[subject][known.row(START) :: 4]

        assert deepest < hourly.min() / hourly[0] - 1 < shallowest
        assert np.abs(np.diff(hourly) / hourly[:-1]).max() < 0.02, "an hour takes less than 2%"


def test_the_position_is_what_the_contracts_would_say_at_the_price_of_the_pool():
    at = START + 5 * DAY
    readings = liquidity.readings(at)
    values = {reading.metric: int(reading.value) for reading in readings}
    price = values["pool.sqrt_price_x96"]
    pair = amm.amounts_for_liquidity(price, *liquidity.TICKS, values["position.liquidity"])
    usd_per_eth = 1e12 / (price / 2**96) ** 2

    assert (values["position.amount0"], values["position.amount1"]) == pair
    assert values["pool.tick"] == amm.tick_at_sqrt_ratio(price)
    assert usd_per_eth == pytest.approx(paths().price["ETH"][paths().row(at)], rel=1e-9)
    assert 450_000 < pair[0] / 10**6 + pair[1] / 10**18 * usd_per_eth < 550_000
    assert len({reading.block_hash for reading in readings}) == 1


def test_fees_only_ever_grow():
    fees = [[int(r.value) for r in liquidity.readings(at) if ".fees" in r.metric] for at in range(START, END, 6 * HOUR)]

    assert all(later[0] > earlier[0] > 0 and later[1] > earlier[1] > 0 for earlier, later in pairwise(fees))


def test_its_configuration_is_one_that_a_user_could_write(tmp_path: Path):
    from monitor.config import discover, load

    file = tmp_path / "hedge-monitor.yaml"
    file.touch(0o600)
    file.write_text(scenario.config_text())
    config = load(file, {}, discover())

    assert config.book == book.book()
    assert config.positions == book.positions()
    assert set(config.watch.tvl_subjects) == set(book.watch().tvl_subjects)
    assert {name: chain.chain_id for name, chain in config.watch.chains.items()} == {"ethereum": 1, "base": 8453}


def test_its_sources_carry_the_names_of_real_collectors():
    from monitor.config import discover

    assert set(scenario.sources()) <= set(discover().collectors)


def test_the_loan_is_healthy_all_along_and_falls_with_the_price_of_its_collateral():
    told = [{r.metric: float(r.value) for r in loan.readings(at)} for at in range(START, END + 1, HOUR)]
    health = [values["account.health_factor"] for values in told]
    coin_usd = [values["account.collateral_usd"] / values["account.supplied.BTC"] for values in told]

    assert health[0] == pytest.approx(2.2, abs=0.01)
    assert 1.5 < min(health) == health[int(np.argmin(coin_usd))] < 2.05
    assert len({reading.block_hash for reading in loan.readings(START)}) == 1


def test_the_perp_is_liquidated_where_its_margin_says():
    [perp] = [position for position in book.positions() if position.id == book.PERP]
    held = Perpetual(perp.size, perp.entry_price, perp.margin)

    assert liquidation_price(held, 0.005) == pytest.approx(venues.LIQUIDATION_USD, abs=0.01)
    assert min(paths().price["BTC"][paths().row(START) :]) > 1.2 * venues.LIQUIDATION_USD
