"""tvl-drawdown: which falls are believed, what they are made of, and which are none."""

from collections.abc import Mapping, Sequence

import pytest

from monitor.core.observation import Observation
from monitor.core.units import DAY, HOUR, MINUTE
from monitor.core.verdict import State, Unknown, Verdict
from monitor.rules.tvl_drawdown import TvlDrawdown
from tests.builders import START, seen, series, view_of

X = "protocol:x"
FAST = 10 * MINUTE
SPAN = 48 * 6


def judge(*observations: Observation, now: int = START) -> Verdict:
    return TvlDrawdown().judge(view_of(*observations, now=now), X)


def code(*observations: Observation, now: int = START) -> str:
    """The code of the Unknown, or the state's name."""
    try:
        return str(judge(*observations, now=now).state)
    except Unknown as why:
        return why.code


def tvl(tail: Sequence[float], step: int = FAST, level: float = 1000.0) -> list[Observation]:
    """Two days at one level and what came last."""
    count = 48 * HOUR // step + 1 - len(tail)
    return series("tvl.usd", X, [level] * count + list(tail), step_ms=step)


def tokens(**ends: tuple[float, float]) -> list[Observation]:
    """Amounts at START: what was held until the newest sample, and at it."""
    return [one for asset, (q0, q1) in ends.items() for one in series(f"tvl.tokens.{asset}", X, [q0] * SPAN + [q1], step_ms=FAST)]


def priced(asset: str, p0: float, p1: float, sources: Sequence[str] = ("a", "b"), metric: str = "price.usd") -> list[Observation]:
    return [one for source in sources for one in series(metric, asset, [p0] * SPAN + [p1], step_ms=FAST, source=source)]


# A tenth of 1000 USD is lost: 5 ETH of 100 USD and 500 USDC before.
HELD = tokens(ETH=(5.0, 5.0), USDC=(500.0, 500.0))
DOLLAR = priced("USDC", 1.0, 1.0)


@pytest.mark.parametrize(
    ("p1", "lost", "sources", "told"),
    [
        (80.0, 100.0, ("a", "b"), "FIRED"),
        (90.0, 100.0, ("a", "b"), "FIRED"),
        (90.01, 100.0, ("a", "b"), "unconfirmed"),
        (80.0, 100.0, ("a",), "unconfirmed"),
        (80.0, 100.0, ("a", "b", "c"), "FIRED"),
    ],
    ids=["the price explains all of it", "half of it", "a hair less than half", "by one source", "by three"],
)
def test_f_039_a_fall_by_price_is_confirmed_at_once_by_two_sources(p1: float, lost: float, sources: Sequence[str], told: str):
    assert code(*tvl([1000.0 - lost]), *HELD, *DOLLAR, *priced("ETH", 100.0, p1, sources)) == told


def test_one_source_with_a_price_and_a_mark_is_one_source():
    both = [*priced("ETH", 100.0, 80.0, ("a",)), *priced("ETH", 100.0, 80.0, ("a",), "perp.mark")]
    assert code(*tvl([900.0]), *HELD, *DOLLAR, *both) == "unconfirmed"
    assert code(*tvl([900.0]), *HELD, *DOLLAR, *both, *priced("ETH", 100.0, 80.0, ("b",), "perp.mark")) == "FIRED"


def test_f_039_the_verdict_says_which_part_is_price_and_which_outflow():
    held = tokens(WETH=(5.0, 4.0), USDC=(500.0, 490.0))
    verdict = judge(*tvl([800.0]), *held, *DOLLAR, *priced("ETH", 100.0, 75.0))
    assert verdict.reason.endswith("48 h, price effect -125 USD, outflow -85 USD, unexplained +10 USD")
    legs = {c.name: (c.value, c.state) for c in verdict.conditions}
    assert legs["price effect"] == (-125.0, State.FIRED)
    assert legs["outflow"] == (-85.0, State.QUIET)
    assert legs["unexplained"] == (10.0, State.QUIET)
    assert verdict.conditions[0].name == "drawdown" and verdict.value == -0.2


def test_f_039_what_the_parts_were_read_from_is_evidence():
    view = view_of(*tvl([900.0]), *HELD, *DOLLAR, *priced("ETH", 100.0, 80.0))
    TvlDrawdown().judge(view, X)
    read = {(e.metric, e.subject, e.source, e.at, e.value) for e in view.evidence}
    assert {("tvl.tokens.ETH", X, "s1", START, 5.0), ("price.usd", "ETH", "b", START, 80.0), ("price.usd", "ETH", "a", START - FAST, 100.0)} <= read


def test_without_amounts_the_verdict_has_one_leg_and_no_parts():
    verdict = judge(*tvl([900.0], HOUR))
    assert [c.name for c in verdict.conditions] == ["drawdown"] and "price effect" not in verdict.reason


@pytest.mark.parametrize("step", [FAST, HOUR])
@pytest.mark.parametrize(
    "missing",
    [
        {"USDC": (1.0, 1.0)},
        {},
    ],
    ids=["of the token that fell", "of any"],
)
def test_a_missing_token_price_is_unconfirmed_and_not_fired_at_any_cadence(missing: Mapping[str, tuple[float, float]], step: int):
    known = [one for asset, (p0, p1) in missing.items() for one in priced(asset, p0, p1)]
    with pytest.raises(Unknown, match=r"no price source knows .*ETH") as caught:
        judge(*tvl([900.0], step), *HELD, *known)
    assert caught.value.code == "unconfirmed"


def test_a_price_that_was_not_known_at_the_high_is_missing_and_neither_0_nor_1():
    young = [seen("price.usd", "ETH", 80.0, START - i * MINUTE, source) for source in ("a", "b") for i in range(4)]
    with pytest.raises(Unknown, match="the price of ETH is not known at both ends") as caught:
        judge(*tvl([900.0]), *HELD, *DOLLAR, *young)
    assert caught.value.code == "unconfirmed"
    verdict = judge(*tvl([900.0] * 3), *tokens(ETH=(5.0, 5.0)), *DOLLAR, *young)
    assert verdict.state is State.FIRED
    assert [(c.name, c.state) for c in verdict.conditions[1:]] == [("parts", State.UNKNOWN)]


def test_an_amount_that_was_not_told_since_the_sample_before_is_missing():
    old = [one for one in HELD if one.at < START]
    with pytest.raises(Unknown, match="the amount of ETH is not known at both ends"):
        judge(*tvl([900.0]), *old, *DOLLAR, *priced("ETH", 100.0, 80.0))


def test_a_single_price_is_the_mean_of_half_an_hour_and_none_without_it():
    held = tokens(ETH=(10.0, 9.0))
    steady = series("price.usd", "ETH", [100.0] * 300, step_ms=FAST, source="a")
    assert {c.name: c.value for c in judge(*tvl([900.0] * 1, HOUR), *held, *steady).conditions}["outflow"] == -100.0
    one_each = [seen("price.usd", "ETH", 100.0, at, "a") for at in (START - 4 * DAY, START - 2 * DAY, START)]
    assert code(*tvl([900.0], HOUR), *held, *one_each) == "FIRED"


def test_f_033_a_drain_to_zero_whose_tokens_left_fires_once_it_has_stood_and_one_without_amounts_too():
    gone = tokens(ETH=(5.0, 0.0), USDC=(500.0, 0.0))
    prices = [*DOLLAR, *priced("ETH", 100.0, 100.0)]
    assert code(*tvl([0.0]), *gone, *prices) == "unconfirmed"
    assert code(*tvl([0.0] * 3), *tokens(ETH=(5.0, 0.0), USDC=(500.0, 0.0)), *prices) == "FIRED"
    assert code(*tvl([0.0] * 3)) == "FIRED"
    verdict = judge(*tvl([0.0, 0.0], HOUR), *gone, *prices)
    assert {c.name: c.value for c in verdict.conditions}["outflow"] == -1000.0


def test_f_033_a_zero_beside_amounts_that_are_still_there_is_never_believed():
    prices = [*DOLLAR, *priced("ETH", 100.0, 100.0)]
    assert code(*tvl([0.0] * 6), *HELD, *prices) == "unconfirmed"


def own(q0: float, q1: float, *, until: int = START) -> list[Observation]:
    return series("tvl.tokens.ETH", X, [q0] * SPAN + [q1], step_ms=FAST, source="onchain-tvl", end=until)


FLAT = priced("ETH", 100.0, 100.0)


@pytest.mark.parametrize(
    ("q1", "told"),
    [(90.0, "FIRED"), (87.0, "FIRED"), (93.0, "FIRED"), (86.99, "unconfirmed"), (93.01, "unconfirmed")],
    ids=["as far", "3 points further", "3 points less", "more than 3 further", "more than 3 less"],
)
def test_our_own_sum_confirms_a_fall_within_three_points(q1: float, told: str):
    assert code(*tvl([900.0]), *own(100.0, q1), *FLAT) == told


def test_our_own_sum_needs_a_price_of_every_token_at_both_ends():
    assert code(*tvl([900.0]), *own(100.0, 90.0)) == "unconfirmed"
    short = [one for one in own(100.0, 90.0) if one.at >= START - HOUR]
    assert code(*tvl([900.0, 900.0]), *short, *FLAT) == "FIRED"
    assert code(*tvl([900.0]), *[o for o in short if o.at == START], *FLAT) == "unconfirmed"


def test_our_own_sum_may_be_told_in_dollars():
    told = series("tvl.usd", X, [50.0] * SPAN + [45.0], step_ms=FAST, source="onchain-tvl")
    assert code(*tvl([900.0]), *told) == "FIRED"
    assert code(*tvl([900.0]), *series("tvl.usd", X, [0.0] * (SPAN + 1), step_ms=FAST, source="onchain-tvl")) == "unconfirmed"


def test_f_041_a_pumped_tvl_that_falls_back_does_not_fire_however_long_it_stands():
    """A token that anyone can mint makes TVL 3000 for a day, and is gone: ETH and USDC never moved."""
    pumped = series("tvl.usd", X, [1000.0] * 100 + [3000.0] * 100 + [1000.0] * 89, step_ms=FAST)
    flat = [*DOLLAR, *priced("ETH", 100.0, 100.0)]
    fake = series("tvl.tokens.FAKE", X, [2000.0] * 100, step_ms=FAST, end=START - 89 * FAST)
    with pytest.raises(Unknown, match=r"less than half of it is price effect.*unexplained -2,000 USD; no price source knows FAKE") as caught:
        judge(*pumped, *HELD, *flat, *fake)
    assert caught.value.code == "unconfirmed"
    assert code(*pumped) == "FIRED"


def test_f_041_where_less_than_half_of_tvl_is_followed_a_fall_may_stand():
    """Where the tokens with a price make less than half of TVL, nothing can be said of the rest, and a fall counts once it has stood."""
    flat = priced("ETH", 100.0, 100.0)
    assert code(*tvl([900.0]), *tokens(ETH=(4.49, 4.49)), *flat) == "unconfirmed"
    assert code(*tvl([900.0] * 3), *tokens(ETH=(4.49, 4.49)), *flat) == "FIRED"
    assert code(*tvl([900.0] * 3), *tokens(ETH=(4.5, 4.5)), *flat) == "unconfirmed"


def apart(part: str, v0: float | None, v1: float) -> list[Observation]:
    before = series(f"tvl.apart.{part}", X, [v0] * SPAN, step_ms=FAST, end=START - FAST) if v0 is not None else []
    return [*before, seen(f"tvl.apart.{part}", X, v1)]


@pytest.mark.parametrize(
    ("grown", "told"),
    [
        (apart("staking", 50.0, 170.0), "composition"),
        (apart("borrowed", 50.0, 91.0), "composition"),
        (apart("borrowed", 50.0, 90.0), "FIRED"),
        (apart("pool2", None, 120.0), "composition"),
        ([*apart("pool2", 0.0, 20.5), *apart("vesting", 0.0, 20.5)], "composition"),
        (apart("staking", 170.0, 50.0), "FIRED"),
    ],
    ids=["all of it", "what is left is under 8%", "8% are left", "a part that is new", "two parts", "a part that shrank"],
)
def test_f_037_a_fall_that_comes_back_in_a_part_counted_apart_is_composition(grown: list[Observation], told: str):
    assert code(*tvl([880.0], HOUR), *grown) == told


def test_f_037_it_stays_composition_however_long_it_stands():
    grown = [*series("tvl.apart.staking", X, [50.0] * (SPAN - 5) + [170.0] * 6, step_ms=FAST)]
    with pytest.raises(Unknown, match=r"-12.0%, but with what is counted apart \+0.0%: staking by 120 USD"):
        judge(*tvl([880.0] * 6), *grown)


@pytest.mark.parametrize(
    ("tail", "told"),
    [([300.0], "unconfirmed"), ([300.0, 1000.0], "QUIET"), ([3000.0, 1000.0], "QUIET"), ([3000.0, 1000.0, 1000.0, 1000.0], "QUIET")],
    ids=["down", "down and back", "up and back", "up and back for hours"],
)
def test_f_035_a_step_over_half_that_returns_with_the_next_poll_never_fires(tail: list[float], told: str):
    assert code(*tvl(tail, HOUR)) == told


def test_f_035_a_spike_is_no_high_either_where_it_is_the_first_of_the_window():
    assert code(*series("tvl.usd", X, [1000.0] * 9 + [3000.0] + [1000.0] * 48)) == "QUIET"
    minutes = 48 * 60 + 1
    assert code(*series("tvl.usd", X, [1000.0] * 9 + [3000.0] + [1000.0] * (minutes - 1), step_ms=MINUTE)) == "QUIET"
    assert code(*series("tvl.usd", X, [2900.0] * 9 + [3000.0] + [1000.0] * 48)) == "FIRED"


@pytest.mark.parametrize(
    ("tail", "told"),
    [
        ([920.0, 890.0, 860.0], "FIRED"),
        ([920.0, 890.0], "unconfirmed"),
        ([920.01, 890.0, 860.0], "unconfirmed"),
        ([870.0, 920.0, 870.0], "FIRED"),
        ([937.0, 937.0, 919.0], "FIRED"),
        ([937.5, 937.5, 919.0], "unconfirmed"),
    ],
    ids=[
        "it goes on falling",
        "one further sample",
        "the first was a hair above 8%",
        "it comes and goes below 8%",
        "within 2% of the newest",
        "not so",
    ],
)
def test_a_fall_that_goes_on_has_stood(tail: list[float], told: str):
    assert code(*tvl(tail)) == told


def test_the_newest_point_of_a_fast_source_must_stand_however_slow_the_days_before_it_come():
    days = series("tvl.usd", X, [1000.0] * 4, step_ms=DAY, end=START - 2 * HOUR, source="llama")
    polled = series("tvl.usd", X, [1000.0, 1000.0, 900.0], step_ms=30 * MINUTE, source="llama-now")
    assert code(*days, *polled) == "unconfirmed"
    assert code(*days, *series("tvl.usd", X, [1000.0, 900.0, 900.0, 900.0], step_ms=30 * MINUTE, source="llama-now")) == "FIRED"
    slow = series("tvl.usd", X, [1000.0, 1000.0, 900.0], step_ms=HOUR, source="llama-now")
    assert code(*days, *slow) == "FIRED"


def test_while_it_is_unconfirmed_it_asks_again_without_news_of_tvl():
    view = view_of(*tvl([900.0]))
    with pytest.raises(Unknown, match="has not stood there yet"):
        TvlDrawdown().judge(view, X)
    assert view.due is not None and view.due <= START + 10 * MINUTE
