"""What the API says of a layer's prospects, and that it is what the API's description says."""

from typing import Any

import pytest

from monitor.core.prospects import layer_outlook
from monitor.sinks.openapi import document
from monitor.sinks.prospect_view import returns_view
from tests.builders import proposal_of
from tests.core.books import book, short
from tests.core.test_prospects import LP, MARKET, WALLET, lp_rows, venues
from tests.sinks.schema import mistakes


def shown(position: dict[str, Any], **changes: Any) -> tuple[dict[str, Any], Any]:
    view = book(*MARKET, *venues(0.10), *lp_rows(10**4), positions=[position])
    asked = proposal_of(**{**short(2000.0), "position": position["id"], **changes})
    return returns_view(view, asked), layer_outlook(view, asked)


def described(returns: dict[str, Any]) -> list[str]:
    whole = document("0.1.0")
    return list(mistakes(returns, {"$ref": "#/components/schemas/Returns"}, whole))


def test_of_an_lp_each_path_says_the_loss_there_and_what_of_it_the_layer_makes_good():
    found, outlook = shown({**LP, "deposited": {"WETH": 300.0, "USDC": 700_000.0}})
    returns = found["returns"]
    assert [path["loss_usd"] for path in returns["paths"]] == [one.loss_usd for one in outlook.offsets]
    assert [path.get("loss_offset") for path in returns["paths"]] == [one.ratio for one in outlook.offsets]
    assert any(path["loss_usd"] < 0 and path["loss_offset"] < 0 for path in returns["paths"])
    assert all("loss_usd" not in path for thin in returns["lens"] for path in thin["paths"])
    assert "loss_offset_unknown" not in returns
    assert described(returns) == []


def test_where_what_was_put_in_is_not_known_it_says_so_and_keeps_the_rest():
    returns = shown({**LP, "deposited": {"DOGE": 1.0}})[0]["returns"]
    assert "DOGE" in returns["loss_offset_unknown"]
    assert len(returns["paths"]) == 3
    assert described(returns) == []


def test_of_other_positions_there_is_no_loss_to_make_good():
    returns = shown(WALLET)[0]["returns"]
    assert "loss_usd" not in returns["paths"][0]
    assert "loss_offset_unknown" not in returns
    assert described(returns) == []


@pytest.mark.parametrize("instrument", ["put", ""])
def test_what_is_not_known_says_why(instrument: str):
    view = book(*MARKET, positions=[WALLET])
    assert list(returns_view(view, proposal_of(**{**short(2000.0), "instrument": instrument}))) == ["returns_unknown"]
