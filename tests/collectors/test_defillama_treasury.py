"""DefiLlama's treasuries: four parts of a day, whole or not at all."""

import asyncio
from collections.abc import Mapping
from random import Random

import pytest
from pydantic import ValidationError

from monitor.collectors.defillama_treasury import DefiLlamaTreasury, parse
from monitor.core.book import Watch
from monitor.core.units import DAY, parse_time
from monitor.errors import BadPayload, SourceError
from monitor.registry import build
from monitor.source import Harvest, Ports
from tests.collectors.sample import StillClock
from tests.fakes import FakeNet

RECEIVED = parse_time("2026-11-20T12:00:00Z")
TODAY = parse_time("2026-11-20")
URL = "https://api.llama.fi/treasury/"


def body(*days: Mapping[str, object], own: object = None) -> dict[str, object]:
    rows = [{"date": (TODAY - (len(days) - n) * DAY) // 1000, "tokens": tokens} for n, tokens in enumerate(days)]
    sections = {} if own is None else {"OwnTokens": {"tvl": [{"date": (TODAY - DAY) // 1000, "totalLiquidityUSD": own}]}}
    return {"tokensInUsd": rows, "chainTvls": {"Ethereum": {}, **sections}}


def read(answer: object) -> Harvest:
    return parse(answer, "protocol:x", RECEIVED, 0)


def test_tokens_are_sorted_by_what_they_are_and_own_tokens_stand_apart() -> None:
    held: dict[str, object] = {"USDC": 1.0, "dai": 2.0, "WETH": 4.0, "stETH": 8.0, "WBTC": 16.0, "ARB": 32.0, "USDC.E": 64.0}
    harvest = read(body(held, own=1000.0))
    assert {(r.metric, r.value, r.at) for r in harvest.readings} == {
        ("treasury.stables_usd", 3.0, TODAY - DAY),
        ("treasury.majors_usd", 28.0, TODAY - DAY),
        ("treasury.others_usd", 96.0, TODAY - DAY),
        ("treasury.own_tokens_usd", 1000.0, TODAY - DAY),
    }


def test_a_treasury_without_own_tokens_says_nothing_of_them() -> None:
    assert {r.metric for r in read(body({"USDC": 1.0})).readings} == {"treasury.stables_usd", "treasury.majors_usd", "treasury.others_usd"}


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"USDC": 5.0, "WETH": None}, "'WETH': expected a number, got None"),
        ({"USDC": 5.0, "WETH": -1.0}, "'WETH' is below zero"),
        ({}, "no token is listed"),
    ],
)
def test_f_034_a_day_of_which_one_token_is_damaged_is_refused_whole(broken: dict[str, object], said: str) -> None:
    harvest = read(body(broken, {"USDC": 7.0}))
    assert {reading.at for reading in harvest.readings} == {TODAY - DAY}
    assert harvest.rejected == [f"treasury of protocol:x 2026-11-18: {said}"]


def test_own_tokens_that_are_null_are_refused_and_the_parts_stay() -> None:
    answer = body({"USDC": 5.0}, own=None)
    answer["chainTvls"] = {"OwnTokens": {"tvl": [{"date": (TODAY - DAY) // 1000, "totalLiquidityUSD": None}]}}
    harvest = read(answer)
    assert len(harvest.readings) == 3
    assert harvest.rejected == ["treasury of protocol:x 2026-11-19: totalLiquidityUSD: expected a number, got None"]


def test_an_answer_that_is_no_treasury_is_refused_by_name() -> None:
    answers: list[dict[str, object]] = [{}, {"tokensInUsd": []}, {"tokensInUsd": [], "chainTvls": {"Ethereum": []}}]
    for answer in answers:
        with pytest.raises(BadPayload, match="treasury of protocol:x: "):
            read(answer)


@pytest.mark.parametrize("status", [400, 404])
def test_f_034_a_treasury_that_defillama_does_not_know_is_named_and_the_others_come(status: int) -> None:
    fake = FakeNet().answer("GET", URL + "gone", SourceError("no", status=status)).answer("GET", URL + "x", body({"USDC": 7.0}))
    source = DefiLlamaTreasury(treasuries=("gone", "x"))
    harvest = asyncio.run(source.poll(Ports(fake, StillClock(RECEIVED), Random(0)), Watch()))
    assert {reading.subject for reading in harvest.readings} == {"protocol:x"}
    assert harvest.rejected == ["treasury of protocol:gone: DefiLlama knows nothing called 'gone' here (renamed, split, or never counted?)"]


def test_history_comes_whole_between_its_bounds() -> None:
    fake = FakeNet().answer("GET", URL, body(*({"USDC": float(n)} for n in range(500))))
    source = DefiLlamaTreasury(treasuries=("x",))
    assert source.streams(Watch()) == ("treasury/x",)
    page = asyncio.run(source.page(Ports(fake, StillClock(RECEIVED), Random(0)), Watch(), "treasury/x", TODAY - 400 * DAY, TODAY - 399 * DAY))
    assert [r.value for r in page.harvest.readings if r.metric == "treasury.stables_usd"] == [100.0]


def test_without_treasuries_there_is_nothing_to_do_and_a_slug_is_checked() -> None:
    assert DefiLlamaTreasury().provides(Watch()) == frozenset()
    with pytest.raises(ValidationError, match="pattern"):
        build(DefiLlamaTreasury, {"treasuries": ["../protocols"]})
