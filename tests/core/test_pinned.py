"""F-057: what a token says of its decimals at first sight holds, and who says otherwise is not believed about anything."""

from pathlib import Path

import pytest

from monitor.core.events import Signal
from monitor.core.observation import Observation, Reading
from monitor.core.pinned import unpinned
from monitor.core.units import MINUTE
from monitor.store.sqlite import SqliteStore
from tests.builders import START, market_of, seen
from tests.pipelines import outbox, pipeline_on

LATER = START + MINUTE
CURED = "Look at the token; if the new number is right, give the position another id"
PINS = [seen("position.decimals1", "lp", 6, START, "v3"), seen("position.decimals.USDC", "pool", 6, START, "curve")]


def row(metric: str, value: float, subject: str = "lp", source: str = "v3") -> Observation:
    return seen(metric, subject, value, LATER, source)


def test_all_that_comes_with_other_decimals_is_refused_and_the_rest_is_kept_F_057() -> None:
    news = [row("position.amount1", 5), row("position.decimals1", 18), row("position.decimals0", 18)]
    others = [row("position.amount1", 5, "other"), row("position.amount1", 5, source="import"), row("price.usd", 1.0, "ETH")]
    refused = unpinned(market_of(*PINS), [*others, *news])
    said = "decimals1 is 18, and was 6 when it was first read: a token that was changed, or a node that lies; nothing of lp is taken. "
    assert refused == dict.fromkeys(news, said + CURED)


@pytest.mark.parametrize("value", [5, 7])
def test_an_asset_by_name_is_pinned_as_well_either_way_F_057(value: int) -> None:
    news = [row("position.decimals.USDC", value, "pool", "curve"), row("position.amount.USDC", 1.0, "pool", "curve")]
    assert list(unpinned(market_of(*PINS), news)) == news


def test_what_says_the_same_or_speaks_for_the_first_time_is_let_in_F_057() -> None:
    assert (
        unpinned(market_of(*PINS), [row("position.decimals1", 6), row("position.decimals1", 18, "new"), row("position.decimals1", 0, source="v4")])
        == {}
    )


def test_one_delivery_must_agree_with_itself_F_057() -> None:
    twice = [seen("position.decimals1", "new", digits, START + place, "v3") for place, digits in enumerate((6, 6, 18))]
    assert list(unpinned(market_of(), twice)) == twice


def test_a_treasury_is_told_to_import_the_new_number_and_the_operator_s_word_is_let_in_F_057() -> None:
    held = market_of(seen("treasury.decimals.USDC", "protocol:x", 6, START, "wallets"))
    news = [row("treasury.decimals.USDC", 8, "protocol:x", "wallets"), row("treasury.stables_usd", 1.0, "protocol:x", "wallets")]
    assert {reason.rpartition(", ")[2] for reason in unpinned(held, news).values()} == {
        "import treasury.decimals.USDC of it anew (hedge-monitor import)"
    }
    assert unpinned(held, news, by_operator=True) == {}


def readings(at: int, digits: int) -> list[Reading]:
    return [Reading("position.decimals1", "lp", digits, at), Reading("position.amount1", "lp", 10**9, at)]


def test_a_change_is_told_once_and_the_pin_outlives_a_restart_F_057(tmp_path: Path) -> None:
    pipeline = pipeline_on(SqliteStore(str(tmp_path / "store.db"), role="run"))
    assert pipeline.receive(readings(START, 6), source="v3", now=START).rejections == ()
    pipeline.store.close()

    for life, alerts in ((1, 1), (2, 1)):
        pipeline = pipeline_on(SqliteStore(str(tmp_path / "store.db"), role="run"))
        pipeline.restore()
        for minute in (1, 2):
            at = START + (2 * life + minute) * MINUTE
            received = pipeline.receive([*readings(at, 18), Reading("price.usd", "ETH", 2000.0, at)], source="v3", now=at)
            assert received.stored == 1
            assert [(one.index, one.metric) for one in received.rejections] == [(0, "position.decimals1"), (1, "position.amount1")]
        told = [body for _, _, _, kind, body, *_ in outbox(pipeline.store) if kind == "data.conflict"]
        assert len(told) == alerts
        assert b"lp: decimals1 is 18, and was 6 when it was first read" in told[0] and b'"severity":"critical"' in told[0]
        assert sum(isinstance(event, Signal) for _, event in pipeline.store.events()) == 1
        pipeline.store.close()


def test_records_that_are_refused_whole_are_told_too_F_057() -> None:
    pipeline = pipeline_on(SqliteStore(":memory:"))
    pipeline.receive(readings(START, 6), source="v3", now=START)
    received = pipeline.receive(readings(LATER, 18), source="v3", now=LATER, records=True)
    assert received.stored == 0 and len(received.rejections) == 2
    assert [kind for _, _, _, kind, *_ in outbox(pipeline.store)].count("data.conflict") == 1
