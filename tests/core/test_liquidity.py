"""What is read of a liquidity position over time. How its readings hold is in tests/core/test_loss.py, what it earns in test_standing.py."""

from monitor.core.book import Position
from monitor.core.liquidity import fees_in, readings
from monitor.core.units import HOUR
from tests.builders import START, seen, view_of

LP = Position(id="lp", kind="uniswap-v3", chain="ethereum", token_id=7)


def test_a_reading_of_the_first_instant_there_is_counts_whole():
    view = view_of(seen("position.shares", "lp", 3.0, 0, "chain"))
    assert readings(view, "position.shares", LP).at.tolist() == [0]


def test_fees_that_rise_while_liquidity_is_taken_out_are_none_from_the_first_reading_of_it_on():
    fees = [seen("position.fees0", "lp", raw_units, START - hour * HOUR, "chain") for raw_units, hour in ((5, 3), (15, 2), (40, 1))]
    depth = [seen("position.liquidity", "lp", size, START - half_hours * HOUR // 2, "chain") for size, half_hours in ((9, 5), (3, 4), (3, 2))]
    assert fees_in(view_of(*fees, *depth), LP, 0)[1].tolist() == [0.0, 25.0]
