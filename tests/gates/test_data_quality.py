"""data-quality: stale, missing and disputed numbers block; two of three that agree are enough."""

import pytest
from pydantic import ValidationError

from monitor.core.observation import Observation
from monitor.core.proposal import Proposal
from monitor.core.rule import Outcome, Ruling
from monitor.core.units import HOUR, MINUTE
from monitor.core.verdict import Unknown
from monitor.gates.data_quality import DataQuality
from monitor.registry import build
from tests.builders import START, evidence_of, proposal_of, seen, series, view_of

GATE = DataQuality()
BOOK = {"positions": [{"id": "p1", "kind": "tokens", "amounts": {"ETH": 1}}]}


def eth(*prices: float, metric: str = "price.usd") -> list[Observation]:
    return [o for i, price in enumerate(prices) for o in series(metric, "ETH", [price] * 3, step_ms=MINUTE, source=f"s{i}")]


def tvl(*values: float) -> list[Observation]:
    return [o for i, value in enumerate(values) for o in series("tvl.usd", "chain:x", [value] * 3, source=f"s{i}")]


def rule_on(*observations: Observation, proposal: Proposal | None = None, now: int = START) -> Ruling:
    return GATE.judge(view_of(*observations, now=now, settings=BOOK), proposal or proposal_of())


@pytest.mark.parametrize(
    ("prices", "outcome"),
    [
        ((2000.0,), Outcome.PASS),
        ((2000.0, 2020.0), Outcome.PASS),
        ((2000.0, 2020.1), Outcome.BLOCK),
        ((2000.0, 2020.0, 9000.0), Outcome.PASS),
        ((2000.0, 2100.0, 2200.0), Outcome.BLOCK),
        ((2000.0, 2000.0, 3000.0, 3000.0), Outcome.BLOCK),
        ((2000.0, 2000.0, 2000.0, 3000.0), Outcome.PASS),
        ((1000.0, 2000.0, 2001.0), Outcome.PASS),
    ],
)
def test_prices_of_the_position_may_differ_by_one_percent_and_a_majority_is_enough(prices: tuple[float, ...], outcome: Outcome):
    ruling = rule_on(*eth(*prices))
    assert ruling.outcome is outcome
    assert ("contested" in ruling.verdict.reason) is (outcome is Outcome.BLOCK)


@pytest.mark.parametrize(("values", "outcome"), [((100.0, 105.0), Outcome.PASS), ((100.0, 105.1), Outcome.BLOCK)])
def test_tvl_that_the_rule_read_may_differ_by_five_percent(values: tuple[float, float], outcome: Outcome):
    proposal = proposal_of(evidence=(evidence_of(tvl(values[0])[-1]),))
    assert rule_on(*eth(2000.0), *tvl(*values), proposal=proposal).outcome is outcome


def test_tvl_that_the_rule_did_not_read_is_not_compared():
    assert rule_on(*eth(2000.0), *tvl(100.0, 200.0)).outcome is Outcome.PASS


def test_a_source_that_has_gone_silent_has_no_vote():
    stale = series("price.usd", "ETH", [9000.0] * 3, end=START - HOUR, step_ms=MINUTE, source="s9")
    assert rule_on(*eth(2000.0), *stale).outcome is Outcome.PASS
    old = series("tvl.usd", "chain:x", [500.0] * 3, end=START - 9 * HOUR, source="s9")
    proposal = proposal_of(evidence=(evidence_of(tvl(100.0)[-1]),))
    assert rule_on(*eth(2000.0), *tvl(100.0), *old, proposal=proposal).outcome is Outcome.PASS


def test_a_position_without_any_price_cannot_be_judged():
    with pytest.raises(Unknown, match="no fresh price of ETH"):
        rule_on()


def test_the_asset_of_a_short_needs_a_price_and_the_stablecoin_of_a_top_up_does_not():
    with pytest.raises(Unknown, match="no fresh price of BTC"):
        rule_on(*eth(2000.0), proposal=proposal_of(instrument="short_perp", asset="BTC"))
    assert rule_on(*eth(2000.0)).outcome is Outcome.PASS


def test_evidence_that_has_grown_stale_since_its_rule_read_it_blocks_as_unknown():
    held = tvl(100.0)
    proposal = proposal_of(evidence=(evidence_of(held[-1]),))
    fresh = series("price.usd", "ETH", [2000.0] * 3, end=START + 4 * HOUR, step_ms=MINUTE)
    with pytest.raises(Unknown, match=r"tvl\.usd chain:x"):
        rule_on(*held, *fresh, proposal=proposal, now=START + 4 * HOUR)


def test_macro_prints_are_as_old_as_their_own_rule_lets_them_be():
    old = seen("macro.cpi", "US", 300.0, START - 200 * 24 * HOUR)
    assert rule_on(*eth(2000.0), old, proposal=proposal_of(evidence=(evidence_of(old),))).outcome is Outcome.PASS


@pytest.mark.parametrize("settings", [{"price_tolerance": "0%"}, {"tvl_tolerance": "100%"}])
def test_tolerances_out_of_range_are_refused(settings: dict[str, str]):
    with pytest.raises(ValidationError, match="tolerances must lie"):
        build(DataQuality, settings)
