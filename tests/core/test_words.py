"""Codec, vocabulary, settings and scope: the small tables that everything else leans on."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.core.book import Book, Position
from monitor.core.codec import digest, dumps, plain, presented
from monitor.core.effects import LayerMoved
from monitor.core.engine import Engine
from monitor.core.events import Configured
from monitor.core.market import Market
from monitor.core.rule import Gate, Input, Rule, Scope, blocks, passes
from monitor.core.scope import assets_held, exposed_positions, subjects_of, tvl_subjects
from monitor.core.settings import PlugIn, Settings, read_settings
from monitor.core.units import DAY, HOUR
from monitor.core.verdict import State, Verdict
from monitor.core.vocabulary import METRICS, default_known_at, find_metric, subject_fits
from monitor.errors import ConfigError, SourceError
from monitor.registry import Catalogue
from tests.builders import START, market_of, proposal_of, seen, series, view_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


# --- codec -------------------------------------------------------------------------------------------------------


@given(st.dictionaries(st.text(), JSON))
def test_the_order_of_keys_changes_neither_bytes_nor_digest(value: dict[str, object]):
    turned = dict(reversed(list(value.items())))
    assert dumps(value) == dumps(turned)
    assert digest(value) == digest(turned)
    assert dumps(value).isascii()


def test_fields_that_are_absent_by_default_are_left_out_and_neither_zero_nor_a_required_empty_text_is():
    moved = LayerMoved(0, "L-1", "proposed", "")
    assert plain(moved) == {"at": 0, "id": "L-1", "state": "proposed", "reason": "", "gates": [], "kind": "layer"}


def test_collections_become_lists_and_types_are_left_alone():
    assert plain({1: (1, [2], frozenset({3}))}) == {"1": [1, [2], [3]]}
    assert plain(Verdict) is Verdict


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_never_written(value: float):
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps({"x": value})


def test_people_see_times_as_iso_and_integers_that_readers_would_round_as_text():
    shown = presented({"at": START, "until": [START], "n": 2**53, "m": 2**53 - 1, "yes": True, "x": 0.5})
    assert shown == {
        "at": "2024-03-04T00:00:00Z",
        "until": ["2024-03-04T00:00:00Z"],
        "n": str(2**53),
        "m": 2**53 - 1,
        "yes": True,
        "x": 0.5,
    }


# --- vocabulary --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "known"),
    [
        ("price.usd", START),
        ("candle.4h.close", START + 4 * HOUR),
        ("candle.1w.high", START + 7 * DAY),
        ("vix.close", START + 21 * HOUR + 15 * 60_000),
        ("macro.event", START - 28 * DAY),
        ("macro.cpi", None),
    ],
)
def test_when_a_value_is_known_follows_from_its_metric(metric: str, known: int | None):
    assert default_known_at(METRICS[metric], START) == known


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("tvl.tokens.WETH", "tvl.tokens.<asset>"),
        ("tvl.tokens.aUSD-3.1", "tvl.tokens.<asset>"),
        ("tvl.tokens.", None),
        ("tvl.tokens.a b", None),
        ("tvl.tokens.<asset>", None),
        ("price.usd", "price.usd"),
        ("price", None),
    ],
)
def test_a_metric_is_found_by_its_exact_name(name: str, found: str | None):
    row = find_metric(name)
    assert (row.name if row else None) == found


@pytest.mark.parametrize(
    ("metric", "subject", "fits"),
    [
        ("tvl.usd", "chain:ethereum", True),
        ("tvl.usd", "protocol:uniswap-v3@base", True),
        ("tvl.usd", "chain:Ethereum", False),
        ("tvl.usd", "xchain:e", False),
        ("candle.4h.close", "spot:BTC", True),
        ("candle.4h.close", "BTC\n", False),
        ("macro.event", "FOMC", True),
        ("macro.event", "NFP", False),
        ("pool.tick", "pool:base/0x" + "a" * 40, True),
    ],
)
def test_a_subject_has_the_whole_form_of_its_metric(metric: str, subject: str, fits: bool):
    assert subject_fits(METRICS[metric], subject) is fits


# --- settings ----------------------------------------------------------------------------------------------------


def test_the_assets_are_those_of_the_book_else_of_the_positions_else_bitcoin_and_ether():
    held = Position(id="p", kind="tokens", amounts={"SOL": 1.0, "USDC": 5.0})
    lp = Position(id="q", kind="uniswap-v3", chain="base", token_id=1, assets=("ETH", "USDC"))
    assert Settings(book=Book(assets=("DOGE",)), positions=(held,)).assets == ("DOGE",)
    assert Settings(positions=(held, lp)).assets == ("ETH", "SOL")
    assert Settings(positions=(Position(id="r", kind="tokens", amounts={"DAI": 1.0}),)).assets == ("BTC", "ETH")


def test_the_rule_set_s_hash_is_of_what_decides():
    base = read_settings({})
    same = (read_settings({"sources": {"x": {"cadence_ms": 1}}}), read_settings({"heartbeat_ms": 5}))
    other = (
        read_settings({"rules": {"tvl-drawdown": {}}}),
        read_settings({"gates": {"cooldown": {"enabled": False}}}),
        read_settings({"book": {"capital": 5}}),
    )
    assert {s.rule_set for s in same} == {base.rule_set}
    assert len({s.rule_set for s in (base, *other)}) == 4


def test_settings_of_another_kind_are_refused():
    with pytest.raises(ValidationError):
        read_settings({"book": {"capital": "much"}})


# --- scope -------------------------------------------------------------------------------------------------------

LP = Position(id="lp", kind="uniswap-v3", chain="base", token_id=1, assets=("ETH", "USDC"), exposed_to=("protocol:aave", "chain:base"))
PERP = Position(id="perp", kind="perp", asset="BTC", size=-1.0)
COINS = Position(id="coins", kind="tokens", amounts={"SOL": 1.0, "USDC": 2.0}, exposed_to=("BTC",))
BOOK = Settings(positions=(LP, PERP, COINS), tvl_subjects=("chain:ethereum", "chain:base"))


def test_a_pool_implies_its_protocol_its_deployment_and_its_chain_once():
    assert tvl_subjects(LP) == ("protocol:uniswap-v3", "protocol:uniswap-v3@base", "chain:base", "protocol:aave")
    assert tvl_subjects(PERP) == ()
    assert tvl_subjects(Position(id="x", kind="tokens", chain="base")) == ("chain:base",)


@pytest.mark.parametrize(
    ("scope", "subjects"),
    [
        (Scope.POSITION, ("lp", "perp", "coins")),
        (Scope.ASSET, ("BTC", "ETH", "SOL")),
        (Scope.TVL, ("protocol:uniswap-v3", "protocol:uniswap-v3@base", "chain:base", "protocol:aave", "chain:ethereum")),
        (Scope.MARKET, ("US",)),
    ],
)
def test_every_scope_has_its_subjects(scope: Scope, subjects: tuple[str, ...]):
    assert subjects_of(scope, BOOK) == subjects


@pytest.mark.parametrize(
    ("scope", "subject", "exposed"),
    [
        (Scope.POSITION, "perp", ["perp"]),
        (Scope.ASSET, "BTC", ["perp", "coins"]),
        (Scope.ASSET, "ETH", ["lp"]),
        (Scope.ASSET, "USDC", []),
        (Scope.TVL, "protocol:aave", ["lp"]),
        (Scope.TVL, "chain:ethereum", []),
        (Scope.MARKET, "US", []),
    ],
)
def test_a_layer_is_for_the_positions_that_are_exposed(scope: Scope, subject: str, exposed: list[str]):
    assert [p.id for p in exposed_positions(scope, subject, BOOK, Market())] == exposed


@pytest.mark.parametrize(("owed", "exposed"), [([], ["loan"]), ([0.0, 5.0], ["loan"]), ([5.0, 0.0], [])], ids=["never read", "owed", "repaid"])
def test_a_lending_market_concerns_who_owes_its_asset_or_may_owe_it(owed: list[float], exposed: list[str]):
    loan = Position(id="loan", kind="aave-v3", chain="base", account="0x" + "7" * 40, assets=("WETH", "USDC"))
    market = market_of(*series("account.borrowed.USDC", "loan", owed), *series("account.borrowed.WETH", "loan", [0.0]))
    settings = Settings(positions=(loan,))
    assert [p.id for p in exposed_positions(Scope.LENDING, "lending:base/aave-v3/USDC", settings, market)] == exposed
    assert exposed_positions(Scope.LENDING, "lending:base/aave-v3/WETH", settings, market) == ()


def test_a_pool_whose_assets_are_not_declared_holds_what_its_tokens_on_the_chain_say():
    bare = Position(id="bare", kind="uniswap-v3", chain="base", token_id=1)
    weth, foreign = 0x4200000000000000000000000000000000000006, 7
    market = market_of(seen("position.token0", "bare", weth), seen("position.token1", "bare", foreign))
    assert assets_held(bare, market) == {"ETH"}
    assert assets_held(bare, Market()) == set()
    assert assets_held(COINS, market) == {"SOL", "USDC"}


def test_a_wrapped_asset_is_what_it_redeems_for():
    wrapped = Position(id="w", kind="tokens", amounts={"wstETH": 1.0, "WBTC": 1.0})
    assert assets_held(wrapped, Market()) == {"ETH", "BTC"}


# --- what a plug-in is by default ---------------------------------------------------------------------------------


class Bare(Rule):
    """A rule that says nothing."""

    scope = Scope.MARKET


class BareGate(Gate):
    """A gate that says nothing."""


def test_a_plug_in_s_id_is_its_file_s_name_and_its_defaults_are_modest():
    rule, gate = Bare(), BareGate()
    assert (rule.id, gate.id) == ("test-words", "test-words")
    assert rule.inputs("US") == ()
    assert rule.configured("US", lambda one: False) is True
    assert rule.intent(Verdict(State.FIRED, "")) is None
    for unwritten in (
        lambda: rule.judge(view_of(), "US"),
        lambda: rule.over(view_of(), "US", 0),
        lambda: gate.judge(view_of(), proposal_of()),
    ):
        with pytest.raises(NotImplementedError):
            unwritten()


def test_passing_and_blocking_in_one_word():
    verdict = Verdict(State.UNKNOWN, "blind")
    assert (passes("fine").verdict.state, blocks("no").verdict.state) == (State.QUIET, State.FIRED)
    assert blocks("", verdict).verdict is verdict
    assert Input("a", "b") == Input("a", "b")


def test_errors_carry_what_mends_them():
    assert str(ConfigError("a", "b")) == "a\nb"
    failed = SourceError("down", status=503, retry_after_seconds=2.0, permanent=True)
    assert (failed.status, failed.retry_after_seconds, failed.permanent) == (503, 2.0, True)


def test_a_rule_is_judged_only_of_subjects_that_it_can_be_about() -> None:
    rules = {name: PlugIn() for name in ("tvl-drawdown", "quick-ratio", "valuation-compression")}
    engine = Engine(Catalogue())
    engine.apply(Configured(0, plain(Settings(tvl_subjects=("chain:base", "protocol:x", "protocol:x@base"), rules=rules))))
    about = {rule: [subject for name, subject in engine.rules if name == rule] for rule in rules}
    assert about == {
        "tvl-drawdown": ["chain:base", "protocol:x", "protocol:x@base"],
        "quick-ratio": ["protocol:x"],
        "valuation-compression": ["protocol:x"],
    }
