"""What rules said of the recorded years: the named dates, and what a weekend does not do."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from monitor.core.effects import EpisodeOpened, Judged
from monitor.core.engine import Engine
from monitor.core.observation import Observation
from monitor.core.settings import read_settings
from monitor.core.units import HOUR, iso, parse_time
from monitor.registry import Catalogue
from monitor.replay.runner import Step, by_knowledge
from tests import recorded
from tests.builders import settings_of
from tests.test_recorded import admitted


def between(observations: Iterable[Observation], first: str, last: str) -> list[Observation]:
    return [o for o in observations if parse_time(first) <= o.at < parse_time(last)]


def replayed(observations: Iterable[Observation], rule: str) -> list[Step]:
    history = sorted(observations, key=lambda o: o.known_at)
    return list(by_knowledge(Engine(Catalogue()), read_settings(settings_of(rules=[rule])), history, history[-1].known_at))


def opened(steps: Iterable[Step], subject: str) -> list[str]:
    """The days on which episodes began."""
    return [iso(e.at)[:10] for _, effects in steps for e in effects if isinstance(e, EpisodeOpened) and e.subject == subject]


@pytest.fixture(scope="module")
def closes(recorded_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Observation]:
    """4 h closes of BTC and ETH, of the spot, from 2021 to 2023."""
    folder = tmp_path_factory.mktemp("closes")
    rows = [o for asset in ("BTC", "ETH") for o in admitted(recorded.candles_csv(recorded_data, folder, asset=asset))]
    return between((o for o in rows if o.metric == "candle.4h.close"), "2021-01-01", "2024-01-01")


def test_the_volatility_of_eth_against_its_basket_doubles_in_may_and_in_november_of_2022(closes: list[Observation]):
    days = opened(replayed(between(closes, "2022-03-01", "2022-12-01"), "reer-volatility"), "ETH")
    assert days == ["2022-05-13", "2022-06-18", "2022-11-09"]


def test_the_basket_says_that_nobody_gave_its_currencies(closes: list[Observation]):
    steps = replayed(between(closes, "2022-10-01", "2022-11-12"), "reer-volatility")
    said = [e.verdict.reason for _, effects in steps for e in effects if isinstance(e, Judged) and e.subject == "ETH"]
    assert said[-1].endswith("its basket is without EUR, JPY, which nobody gives")


def test_the_volatility_index_of_btc_is_high_on_a_divergence_after_the_falls_of_may_and_june(
    recorded_data: Path, tmp_path: Path, closes: list[Observation]
):
    dvol = [o for o in admitted(recorded.dvol_csv(recorded_data, tmp_path)) if o.at % (4 * HOUR) == 0]
    known = [*between(dvol, "2022-02-01", "2022-06-20"), *between(closes, "2022-04-01", "2022-06-20")]
    assert opened(replayed((o for o in known if "ETH" not in o.subject), "iv-percentile"), "BTC") == ["2022-05-24", "2022-06-17"]


@pytest.fixture(scope="module")
def sessions(recorded_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Observation]:
    """VIX and the index from June 2021 to 2023: 650 sessions with all their weekends and holidays."""
    folder = tmp_path_factory.mktemp("sessions")
    return [o for make in (recorded.vix_csv, recorded.spx_csv) for o in admitted(make(recorded_data, folder, first_day="2021-06-01"))]


def test_a_weekend_never_makes_the_vix_stale(sessions: list[Observation]):
    verdicts = said_of_spx(sessions)
    first = next(n for n, e in enumerate(verdicts) if e.verdict.state == "QUIET")
    assert iso(verdicts[first].at) < "2022"
    assert [(iso(e.at), e.verdict.reason) for e in verdicts[first:] if e.verdict.state == "UNKNOWN"] == []


def test_a_session_that_is_missing_does_make_it_stale(sessions: list[Observation]):
    """The control: the check above must be able to fail. It is stale two hours after the close that never came."""
    gone = [o for o in between(sessions, "2021-06-01", "2022-03-01") if not (o.metric == "vix.close" and o.at == parse_time("2022-02-02"))]
    assert [iso(e.at) for e in said_of_spx(gone) if e.verdict.code == "stale"] == ["2022-02-03T00:00:00Z"]


def said_of_spx(rows: Iterable[Observation]) -> list[Judged]:
    return [e for _, effects in replayed(rows, "iv-percentile") for e in effects if isinstance(e, Judged) and e.subject == "SPX"]


def test_beta_to_the_index_rises_falls_and_is_mostly_steady(closes: list[Observation], sessions: list[Observation]):
    spx = [o for o in sessions if o.metric == "equity.close"]
    at_the_close = [o for o in closes if o.at % (24 * HOUR) == 16 * HOUR and o.subject == "spot:ETH"]
    steps = replayed([*spx, *at_the_close], "domain-priority")
    verdicts = [e.verdict for _, effects in steps for e in effects if isinstance(e, Judged) and e.subject == "ETH"]
    codes = [verdict.code for verdict in verdicts if verdict.state != "UNKNOWN"]
    assert set(codes) == {"rising", "falling", "steady"}
