"""Top-ups end where the layers of a position protect all that it can lose on."""

from dataclasses import replace

import pytest

from monitor.core.book import Book
from monitor.core.proposal import Proposal
from monitor.core.rule import Intent
from monitor.core.sizing import size
from monitor.core.verdict import Unknown
from monitor.core.view import View
from tests.core.books import priced
from tests.core.test_sizing import ETH4, WANTED, WEEK, book_of, layer


def ask(view: View, wanted: Proposal = WANTED) -> Proposal:
    return size(view, Book(), ETH4, Intent("short", ("top_up",)), wanted)


def test_a_proposal_that_is_on_record_does_not_stand_in_its_own_way():
    known = layer(10_000.0, "proposed", position="p1")
    [asked] = [moved.proposal for moved in known if moved.proposal is not None]
    again = replace(WANTED, rule=asked.rule, subject=asked.subject, tier=asked.tier, episode_since=asked.episode_since)
    assert again.id == asked.id
    assert ask(book_of(*priced(ETH=2500.0), layers=tuple(known)), again).notional_usd == 2500.0


@pytest.mark.parametrize(
    ("held", "state", "notional"),
    [(7000.0, "active", 2500.0), (7500.0, "proposed", 2500.0), (7501.0, "approved", 2499.0), (9999.0, "closing", 1.0), (9999.0, "closed", 2500.0)],
)
def test_top_ups_with_the_layers_of_their_position_never_protect_more_than_it_can_lose_on(held: float, state: str, notional: float):
    layers = tuple(layer(held, state, position="p1"))
    found = ask(book_of(*priced(ETH=2500.0), layers=layers))
    assert (found.notional_usd, found.capital_usd) == (notional, notional)
    assert found.cost_usd == pytest.approx(notional * 0.04 * WEEK + 5.0)
    cut = f"cut to the {notional:,.0f} USD that layers leave unprotected of p1"
    assert found.binding == ("" if notional == 2500.0 else cut)


def test_a_position_whose_layers_protect_all_of_it_asks_for_no_top_up_and_another_s_do_not_count():
    with pytest.raises(Unknown, match=r"already hedged: layers protect 10,000 of 10,000 USD exposed in p1") as why:
        ask(book_of(*priced(ETH=2500.0), layers=tuple(layer(10_000.0, position="p1"))))
    assert why.value.code == "hedged"
    assert ask(book_of(*priced(ETH=2500.0), layers=tuple(layer(10_000.0, position="p2")))).notional_usd == 2500.0
