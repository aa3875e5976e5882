"""What the page says of contracts and of a bad week, so that nobody has to take it apart by hand."""

import math

import pytest

from monitor.core.verdict import Unknown
from monitor.sinks.position_view import position_view
from monitor.sinks.risk_view import risk_view
from tests.core.books import book, priced, tokens, volatile

PUTS = {"id": "puts", "kind": "option", "asset": "ETH", "right": "put", "strike": 2800, "expiry": "2024-06-28", "size": 20}
CONDOR = {"id": "condor", "kind": "iron-condor", "asset": "SPX", "strikes": [4600, 4700, 5300, 5400], "expiry": "2024-06-21", "size": -100}


@pytest.mark.parametrize(
    ("position", "holds"),
    [
        (PUTS, "20 ETH puts at 2,800 USD, to 2024-06-28"),
        (CONDOR, "-100 SPX condors at 4,600/4,700/5,300/5,400 USD, to 2024-06-21"),
        (tokens("wallet", ETH=2), None),
    ],
)
def test_contracts_are_told_as_they_were_bought(position: dict, holds: str | None):
    view = book(positions=[position])
    assert position_view(view, view.settings.positions[0], Unknown("price", "no price")).get("holds") == holds


def test_a_bad_week_says_how_far_each_price_goes_and_stablecoins_stay_out_of_it():
    observations = [*priced(ETH=2000, BTC=60_000, USDC=1), *volatile(ETH=60, BTC=40)]
    stress = risk_view(book(*observations, positions=[tokens("wallet", ETH=2, BTC=0.1, USDC=500)]))["stress"]
    week = math.sqrt(7 / 365)
    assert stress["moves"] == pytest.approx({"BTC": math.exp(-1.5 * 0.4 * week) - 1, "ETH": math.exp(-1.5 * 0.6 * week) - 1})
