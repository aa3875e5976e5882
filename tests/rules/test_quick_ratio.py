"""quick-ratio: which of several books of one treasury counts, at which prices, and against what it was 30 days ago."""

import random

import pytest
from pydantic import ValidationError

from monitor.core.effects import LayerMoved
from monitor.core.observation import Observation
from monitor.core.units import DAY, HOUR
from monitor.core.verdict import State, Unknown, Verdict
from monitor.registry import build
from monitor.rules.quick_ratio import QuickRatio
from tests.builders import START, engine_of, play, seen, series, settings_of, view_of
from tests.builders import batches as batches_of

X = "protocol:x"
MONTH = 31


def daily(metric: str, values: list[float], *, subject: str = X, source: str = "s1", end: int = START) -> list[Observation]:
    return series(metric, subject, values, step_ms=DAY, source=source, end=end)


def flat(metric: str, value: float, *, subject: str = X, source: str = "s1", days: int = MONTH, end: int = START) -> list[Observation]:
    return daily(metric, [value] * days, subject=subject, source=source, end=end)


def owed(usd: float, days: int = MONTH) -> list[Observation]:
    return flat("treasury.liabilities_usd", usd, days=days)


def token(asset: str, amount: float, *, source: str = "wallets", days: int = MONTH, end: int = START) -> list[Observation]:
    return flat(f"treasury.tokens.{asset}", amount, source=source, days=days, end=end)


def price(asset: str, usd: float, days: int = MONTH + 1) -> list[Observation]:
    return [row for source in ("p1", "p2") for row in flat("price.usd", usd, subject=asset, source=source, days=days)]


def sums(stables: float, majors: float, source: str = "s1", end: int = START) -> list[Observation]:
    parts = {"treasury.stables_usd": stables, "treasury.majors_usd": majors}
    return [row for metric, usd in parts.items() for row in flat(metric, usd, source=source, end=end)]


def judge(*observations: list[Observation], now: int = START) -> Verdict:
    return QuickRatio().judge(view_of(*(o for part in observations for o in part), now=now), X)


def part(verdict: Verdict, name: str) -> float | None:
    [found] = [condition.value for condition in verdict.conditions if condition.name == name]
    return found


def test_the_conditions_carry_the_parts_in_dollars():
    verdict = judge(sums(700.0, 300.0), owed(2000.0), flat("treasury.receivables_usd", 50.0))
    assert verdict.state is State.FIRED
    assert [part(verdict, name) for name in ("quick ratio", "stables", "majors", "receivables", "liabilities")] == [0.525, 700, 300, 50, 2000]
    assert all(condition.unit == "USD" for condition in verdict.conditions[2:])
    assert "withdraw first" in verdict.reason


def test_wallets_count_at_prices_and_weth_at_that_of_what_it_is_redeemed_for():
    amounts = [*token("USDC", 100.0), *token("WETH", 2.0), *token("ETH", 1.0), *token("WBTC", 0.5)]
    verdict = judge(amounts, price("USDC", 0.98), price("ETH", 10.0), price("WBTC", 100.0), price("BTC", 999.0), owed(100.0))
    assert (part(verdict, "stables"), part(verdict, "majors")) == (98.0, 80.0)


def test_f_073_a_stablecoin_that_lost_its_peg_is_worth_its_price():
    assert judge(token("USDC", 1000.0), price("USDC", 1.0), owed(950.0)).state is State.QUIET
    verdict = judge(token("USDC", 1000.0), price("USDC", 0.9), owed(950.0))
    assert verdict.state is State.FIRED
    assert part(verdict, "stables") == 900.0
    with pytest.raises(Unknown, match="no fresh price of USDC"):
        judge(token("USDC", 1000.0), owed(950.0))


def test_an_lst_has_a_price_of_its_own_or_none():
    with pytest.raises(Unknown, match="no fresh price of WSTETH"):
        judge(token("WSTETH", 1.0), price("ETH", 10.0), owed(5.0))


def test_a_token_that_is_not_held_needs_no_price():
    assert judge(token("USDC", 0.0), token("ETH", 1.0), price("ETH", 10.0), owed(5.0)).state is State.QUIET


def test_own_and_other_tokens_never_count():
    verdict = judge(
        token("USDC", 10.0), token("UNI", 1e9), flat("treasury.own_tokens_usd", 1e9), flat("treasury.others_usd", 1e9), price("USDC", 1.0), owed(20.0)
    )
    assert verdict.state is State.FIRED
    assert verdict.value == 0.5


def test_wallets_stand_before_a_provider_s_sums_and_stale_ones_are_not_replaced():
    fresh = [token("USDC", 10.0), price("USDC", 1.0), owed(5.0), sums(1e6, 0.0)]
    assert part(judge(*fresh), "stables") == 10.0
    stale = [token("USDC", 10.0, end=START - 4 * DAY), price("USDC", 1.0), owed(5.0), sums(1e6, 0.0)]
    with pytest.raises(Unknown, match=r"treasury.tokens.USDC protocol:x from wallets is 4.0 days old"):
        judge(*stale)


def test_wallets_that_one_source_lost_are_taken_from_another():
    rows = [token("USDC", 10.0, source="a", end=START - 4 * DAY), token("USDC", 20.0, source="b"), price("USDC", 1.0), owed(5.0)]
    assert part(judge(*rows), "stables") == 20.0


def test_wallets_that_have_not_been_read_for_longer_than_the_window_are_no_longer_set_up():
    old = token("USDC", 10.0, end=START - 60 * DAY)
    assert part(judge(old, sums(1e6, 0.0), owed(5.0)), "stables") == 1e6
    with pytest.raises(Unknown, match="nobody says what protocol:x holds"):
        judge(old, owed(5.0))


def test_a_token_that_left_the_configuration_is_held_until_then_and_not_after():
    """Its series stops; the newest block does not list it, the one of 30 days ago does."""
    left = token("DAI", 100.0, days=MONTH - 10, end=START - 10 * DAY)
    verdict = judge(token("USDC", 100.0), left, price("USDC", 1.0), price("DAI", 1.0), owed(50.0))
    assert part(verdict, "stables") == 100.0
    assert verdict.state is State.FIRED
    assert part(verdict, "fall") == -0.5


def test_amounts_that_come_at_instants_of_their_own_are_all_held():
    """Two tokens fed by hand, one a minute after the other: neither is 0 at the instant of the other."""
    later = [seen(o.metric, X, o.value, o.at + 60_000, "wallets") for o in token("DAI", 50.0)]
    verdict = judge(token("USDC", 100.0), later, price("USDC", 1.0), price("DAI", 1.0), owed(120.0), now=START + 60_000)
    assert (part(verdict, "stables"), part(verdict, "fall")) == (150.0, 0.0)
    assert verdict.state is State.QUIET


def test_a_price_of_30_days_ago_is_the_median_of_each_source_s_mean_of_the_day_before():
    early = START - 30 * DAY
    prices = [
        *(seen("price.usd", "ETH", usd, early - hours * HOUR, "p1") for hours, usd in ((24, 999.0), (12, 10.0), (0, 14.0))),
        *(seen("price.usd", "ETH", 12.0, START - n * HOUR, source) for n in range(3) for source in ("p1", "p2")),
    ]
    verdict = judge(token("ETH", 10.0), sorted(prices, key=lambda o: o.at), owed(60.0))
    assert part(verdict, "fall") == 0.0


def test_without_a_price_of_then_the_fall_is_unknown_and_a_ratio_below_one_fires_all_the_same():
    young = price("ETH", 10.0, days=5)
    assert judge(token("ETH", 10.0), young, owed(101.0)).state is State.FIRED
    verdict = judge(token("ETH", 10.0), young, owed(50.0))
    assert verdict.state is State.UNKNOWN
    assert verdict.reason.endswith("the price of ETH is not known of 2024-02-03")
    stale = flat("price.usd", 10.0, subject="ETH", source="p3", end=START - 20 * DAY, days=30)
    assert judge(token("ETH", 10.0), [*young, *stale], owed(50.0)).state is State.UNKNOWN


def test_what_was_owed_then_must_be_known_and_not_nothing():
    short = judge(sums(100.0, 0.0), owed(50.0, days=9))
    assert short.state is State.UNKNOWN
    assert "treasury.liabilities_usd of protocol:x is not known of 2024-02-03" in short.reason
    free = judge(sums(100.0, 0.0), daily("treasury.liabilities_usd", [0.0] * 30 + [50.0]))
    assert "there was no ratio above 0 to fall from" in free.reason
    empty = judge([*daily("treasury.stables_usd", [0.0] * 30 + [100.0]), *flat("treasury.majors_usd", 0.0)], owed(50.0))
    assert empty.state is State.UNKNOWN


def test_what_is_owed_must_be_known():
    with pytest.raises(Unknown, match="nobody says what protocol:x owes"):
        judge(sums(100.0, 0.0))


def test_stables_and_majors_of_different_days_are_no_sheet():
    with pytest.raises(Unknown, match="at no one time"):
        judge(flat("treasury.stables_usd", 1.0), flat("treasury.majors_usd", 1.0, end=START - HOUR), owed(1.0))


def test_a_hole_where_the_month_began_is_unknown():
    rows = [o for o in sums(100.0, 0.0) if not START - 31 * DAY <= o.at <= START - 27 * DAY]
    assert judge(rows, owed(50.0)).state is State.UNKNOWN
    early = [*rows, *(seen(o.metric, X, o.value, START - 33 * DAY) for o in rows[-1:]), *sums(100.0, 0.0, end=START - 33 * DAY)]
    assert judge(sorted(early, key=lambda o: o.at), owed(50.0, days=80)).state is State.QUIET


def test_the_evidence_holds_both_ends():
    view = view_of(*sums(100.0, 300.0), *owed(50.0))
    QuickRatio().judge(view, X)
    assert {e.at for e in view.evidence if e.metric == "treasury.majors_usd"} == {START - 30 * DAY, START}


def test_who_owes_nothing_has_no_ratio_and_no_distance():
    verdict = judge(sums(0.0, 0.0), owed(0.0))
    assert (verdict.state, verdict.code) == (State.QUIET, "no-creditor")
    assert (verdict.value, verdict.threshold, verdict.distance) == (None, None, None)
    assert part(verdict, "liabilities") == 0.0


def test_an_episode_ends_when_nothing_is_owed_any_more():
    rows = [*sums(100.0, 0.0), *daily("treasury.liabilities_usd", [200.0] * 31)]
    engine = engine_of({"rules": {"quick-ratio": {}}, "tvl_subjects": [X], "heartbeat_ms": 0}, now=START - 40 * DAY)
    play(engine, batches_of(rows))
    assert len(engine.state.episodes) == 1
    after = START + HOUR
    play(engine, batches_of([*(seen(o.metric, X, o.value, after) for o in sums(100.0, 0.0)[-1:]), seen("treasury.liabilities_usd", X, 0.0, after)]))
    assert engine.state.episodes == {}


def test_a_layer_is_proposed_for_who_is_exposed_to_that_protocol_and_for_nobody_else():
    held = {"kind": "tokens", "amounts": {"ETH": 10.0}}
    positions = [{"id": "in-x", "exposed_to": [X], **held}, {"id": "elsewhere", **held}]
    engine = engine_of(settings_of(rules=["quick-ratio"], positions=positions, book={"capital": 100_000.0, "assets": ["ETH"]}), now=START - 40 * DAY)
    prices = [row for source in ("p1", "p2") for row in flat("price.usd", 3000.0, subject="ETH", source=source)]
    newest = [row for row in (*prices, *sums(500.0, 0.0), *owed(1000.0)) if row.at > START - 3 * DAY]
    effects = play(engine, batches_of(newest))
    [moved] = [effect for effect in effects if isinstance(effect, LayerMoved)]
    assert moved.proposal is not None
    assert (moved.proposal.position, moved.proposal.tier, moved.proposal.action) == ("in-x", "intermediate", "top_up")


@pytest.mark.parametrize("seed", range(20))
def test_the_ratio_is_the_independent_sum_of_its_parts(seed: int):
    dice = random.Random(seed)
    assets = {asset: (dice.uniform(0, 1e6), dice.uniform(0.5, 2.0)) for asset in ("USDC", "DAI", "GHO", "ETH", "BTC", "WSTETH")}
    debt = dice.uniform(1e5, 1e7)
    rows = [row for asset, (amount, usd) in assets.items() for row in (*token(asset, amount), *price(asset, usd))]
    verdict = judge(rows, owed(debt))
    ratio = part(verdict, "quick ratio")
    assert ratio is not None
    assert ratio == pytest.approx(sum(amount * usd for amount, usd in assets.values()) / debt, rel=1e-9)
    assert (verdict.state is State.FIRED) is (ratio < 1)


@pytest.mark.parametrize(
    "settings",
    [{"exit": "1"}, {"threshold": "0"}, {"exit_fall": "15%"}, {"exit_fall": "0%"}, {"fall": "100%"}, {"fall_over": "1h"}],
)
def test_settings_that_make_no_sense_are_refused_with_what_to_write(settings: dict[str, str]):
    with pytest.raises(ValidationError, match="write "):
        build(QuickRatio, settings)
