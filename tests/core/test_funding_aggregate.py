"""The aggregate of venues over a month: against a plain reckoning, payment by payment and slot by slot."""

import random

import pytest

from monitor.core.funding import Aggregate, aggregate, venue_payments, venue_rate, venues_of, weighted_median
from monitor.core.observation import Observation
from monitor.core.units import DAY, HOUR
from monitor.core.verdict import Unknown
from monitor.core.view import View
from tests.builders import START, funding, seen, series, view_of

SLOT = 8 * HOUR
NOW = START + 3 * HOUR
FIRST_SLOT = START - 89 * SLOT
# Hours between payments, hours before now of the newest one, how many.
VENUES = {"hyperliquid": (1.0, 0, 900), "binance": (4.0, 1, 250), "bybit": (8.0, 3, 100), "okx": (8.0, 1, 30), "daily": (24.0, 3, 31)}
INTEREST = {"hyperliquid": 4e6, "binance": 3e6, "bybit": 9e6, "okx": 0.5e6}
Paid = list[tuple[int, float, int]]


def drawn() -> dict[str, Paid]:
    """By venue (instant, rate a year, milliseconds covered)."""
    rng = random.Random(7)
    paid = {
        venue: [(NOW - round((late + hours * place) * HOUR), rng.uniform(-0.3, 0.6), round(hours * HOUR)) for place in reversed(range(count))]
        for venue, (hours, late, count) in VENUES.items()
    }
    del paid["okx"][-10]  # a slot like no other
    return paid


def mean(paid: Paid, end: int) -> float | None:
    parts = [(rate, min(covers, at - (end - SLOT))) for at, rate, covers in paid if end - SLOT < at <= end]
    return sum(rate * covers for rate, covers in parts) / sum(covers for _, covers in parts) if parts else None


def interest_of(venues: dict[str, float], now: int) -> list[Observation]:
    return [row for venue, usd in venues.items() for row in series("open_interest.usd", "BTC", [usd] * 3, end=now, source=venue)]


def held(paid: dict[str, Paid], interest: dict[str, float]) -> View:
    rows = [
        row for venue, payments in paid.items() for at, rate, covers in payments for row in funding([rate], venue=venue, hours=covers / HOUR, end=at)
    ]
    return view_of(*rows, *interest_of(interest, NOW), now=NOW)


@pytest.mark.parametrize("interest", [INTEREST, {}, dict.fromkeys(VENUES, 1e6)])
def test_every_slot_is_the_weighted_median_of_the_venues_that_paid_in_it(interest: dict[str, float]):
    paid = drawn()
    found = aggregate(held(paid, interest), "BTC", "all")
    least = min(interest.values(), default=1.0)
    expected = {}
    for end in range(FIRST_SLOT, START + 1, SLOT):
        means = {venue: one for venue, payments in paid.items() if (one := mean(payments, end)) is not None}
        if len(means) >= 3:
            expected[end] = weighted_median(list(means.values()), [interest.get(venue, least) for venue in means])
    assert found.slot_at.tolist() == list(expected) == list(range(FIRST_SLOT, START + 1, SLOT))
    assert found.slots == pytest.approx(list(expected.values()), rel=1e-9)
    now = [mean(payments, payments[-1][0]) or 0.0 for payments in paid.values()]
    assert found.now == pytest.approx(weighted_median(now, [interest.get(venue, least) for venue in paid]))
    assert (set(found.venues), found.weighted) == (set(VENUES), bool(interest))


def test_what_one_venue_pays_is_read_as_far_back_as_the_aggregate_needs_it():
    view = held(drawn(), {})
    for venue in VENUES:
        venue_rate(view, "BTC", venue)
    assert aggregate(view, "BTC", "all").slots.tolist() == aggregate(held(drawn(), {}), "BTC", "all").slots.tolist()


def test_the_end_of_the_next_slot_wakes_the_judgement():
    view = view_of(*(row for venue in ("a", "b", "c") for row in funding([0.1] * 3, venue=venue)), now=NOW)
    aggregate(view, "BTC", "all")
    assert view.due == START + SLOT


def test_slots_in_which_too_few_venues_paid_are_left_out():
    paid = drawn()
    alone = {venue: paid[venue] for venue in ("binance", "okx", "bybit")}
    assert aggregate(held(alone, {}), "BTC", "all").slot_at.tolist() == [START - SLOT * back for back in range(28, -1, -1) if back != 8]


@pytest.mark.parametrize(("interest", "now"), [({}, 0.2), ({"gmx": 0.2, "dydx": 1.0}, 0.2), ({"gmx": 1.05, "dydx": 1.0}, 0.3), ({"dydx": 5.0}, 0.2)])
def test_open_interest_weighs_from_one_dollar_on_and_who_gives_none_weighs_as_the_smallest(interest: dict[str, float], now: float):
    rows = [*funding([0.1] * 3, venue="dydx"), *funding([0.3] * 3, venue="gmx"), *funding([0.9] * 3, venue="binance")]
    view = view_of(*rows, *interest_of(interest, START))
    found = aggregate(view, "BTC", "dex")
    assert found.now == pytest.approx(now)
    assert sorted(found.venues) == ["dydx", "gmx"]
    assert sorted(venues_of(view, "BTC", "all")) == ["binance", "dydx", "gmx"]


@pytest.mark.parametrize(
    ("name", "venues", "least"), [("all", ("a", "b"), 3), ("all", ("a", "b", "c"), 0), ("dex", ("gmx",), 2), ("dex", ("gmx", "dydx"), 0)]
)
def test_it_takes_three_venues_or_two_on_chain(name: str, venues: tuple[str, ...], least: int):
    view = view_of(*(row for venue in venues for row in funding([0.1] * 3, venue=venue)))
    if not least:
        assert isinstance(aggregate(view, "BTC", name), Aggregate)
        return
    with pytest.raises(Unknown, match=f"{len(venues)} of at least {least} venues give the funding of BTC$"):
        aggregate(view, "BTC", name)


def test_a_rate_is_the_mean_of_eight_hours_by_what_each_payment_covers():
    def paid(hours: int) -> View:
        instants = {START - 16 * HOUR: 8, START - hours * HOUR: 8, START: 2}
        return view_of(
            *(seen("funding.rate", "BTC", 0.001, at, "v") for at in instants),
            *(seen("funding.interval_hours", "BTC", covers, at, "v") for at, covers in instants.items()),
        )

    slow, fast = 0.001 * 8760 / 8, 0.001 * 8760 / 2
    # The payment of 3 hours ago covers the 5 hours up to then of the last 8, that of now 2 hours.
    assert venue_rate(paid(3), "BTC", "v") == pytest.approx((5 * slow + 2 * fast) / 7)
    assert venue_rate(paid(8), "BTC", "v") == pytest.approx(fast, rel=1e-12)


def test_payments_go_back_as_far_as_is_asked_and_those_of_an_unknown_interval_are_left_out():
    rows = funding([0.1] * 120, venue="v")
    assert [int(venue_payments(view_of(*rows), "BTC", "v", days * DAY).at[0]) for days in (1, 30)] == [START - DAY, START - 30 * DAY]
    unstated = [*funding([0.2] * 4, venue="v", end=START - 2 * SLOT, interval=False), *funding([0.1] * 2, venue="v")]
    found = venue_payments(view_of(*unstated), "BTC", "v", 30 * DAY)
    assert (found.at.tolist(), found.rate.tolist(), found.covers_ms.tolist()) == ([START - SLOT, START], pytest.approx([0.1, 0.1]), [SLOT, SLOT])
    with pytest.raises(Unknown, match="v does not say which interval the funding of BTC covers"):
        venue_payments(view_of(*funding([0.1] * 4, venue="v", interval=False)), "BTC", "v", DAY)
    newest = funding([0.2], venue="v", end=START + SLOT, interval=False)
    with pytest.raises(Unknown, match="v does not say which interval"):
        venue_payments(view_of(*funding([0.1] * 4, venue="v"), *newest, now=START + SLOT), "BTC", "v", 2 * DAY)


def test_the_interval_of_the_newest_payment_is_what_it_was_judged_on():
    view = view_of(*funding([0.1, 0.2, 0.3], venue="binance"))
    venue_payments(view, "BTC", "binance", DAY)
    assert [point.at for point in view.evidence if point.metric == "funding.interval_hours"] == [START]
