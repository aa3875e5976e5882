"""The arithmetic against Uniswap's own published libraries, compiled and run on a private chain: the same integers, over the whole domain."""

import random
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest

from monitor.core.amm import MAX_SQRT_RATIO, MAX_TICK, MIN_SQRT_RATIO, MIN_TICK, amounts_for_liquidity, sqrt_ratio_at_tick, tick_at_sqrt_ratio
from tests.integration.anvil import started
from tests.integration.solidity import compiled
from tests.integration.uniswap import OFFLINE, Contract, deployed

CASES, EDGE_CASES, BATCH, SEED = 100_000, 244, 4_000, 20260417
GAS = 10**10
WORD, TOLD = 32, 7
UINT128 = 2**128 - 1
Answer = tuple[int, ...]


class Case(NamedTuple):
    """One question: a square-root price, a range and the liquidity in it."""

    price: int
    lower: int
    upper: int
    liquidity: int


def edge_cases() -> Iterator[Case]:
    """Every meeting of the ends of the domain, of zero and of a range's own edges, a unit to either side."""
    for lower, upper in (
        (MIN_TICK, MAX_TICK),
        (MIN_TICK, MIN_TICK + 1),
        (MAX_TICK - 1, MAX_TICK),
        (-1, 0),
        (0, 1),
        (-60, 60),
        (MIN_TICK, 0),
        (0, MAX_TICK),
    ):
        near = [sqrt_ratio_at_tick(tick) + step for tick in (lower, upper, 0) for step in (-1, 0, 1)]
        prices = {price for price in (*near, MIN_SQRT_RATIO, MAX_SQRT_RATIO - 1) if MIN_SQRT_RATIO <= price < MAX_SQRT_RATIO}
        yield from (Case(price, lower, upper, liquidity) for price, liquidity in product(sorted(prices), (0, 1, 2**127, UINT128)))


def random_case(dice: random.Random) -> Case:
    """A range wide or narrow, anywhere; a price anywhere, in it, or at an edge give or take a unit; a liquidity of any size."""
    anywhere = dice.randrange(MIN_TICK, MAX_TICK)
    lower = dice.choice((anywhere, anywhere, dice.randrange(-300_000, 300_000), dice.randrange(-300_000, 300_000), MIN_TICK))
    widest = MAX_TICK - lower
    upper = lower + min(widest, dice.choice((dice.randint(1, widest), dice.randint(1, 2_000), 1, widest)))
    tick = dice.choice((dice.randint(lower, upper), dice.randint(lower, upper), lower, upper, dice.randint(MIN_TICK, MAX_TICK)))
    price = sqrt_ratio_at_tick(tick)
    price += dice.choice((0, -1, 1, dice.randrange(1 + (price >> 15)), dice.randrange(1 + (price >> 15))))
    liquidity = dice.choice((dice.getrandbits(dice.randint(1, 128)), dice.getrandbits(128)))
    return Case(min(max(price, MIN_SQRT_RATIO), MAX_SQRT_RATIO - 1), lower, upper, liquidity)


def batches() -> Iterator[list[Case]]:
    dice = random.Random(SEED)
    yield list(edge_cases())
    for _ in range(CASES // BATCH):
        yield [random_case(dice) for _ in range(BATCH)]


def ours(case: Case) -> Answer:
    """The contract's seven numbers by our arithmetic."""
    amounts = amounts_for_liquidity(case.price, case.lower, case.upper, case.liquidity)
    ends = sqrt_ratio_at_tick(case.lower), sqrt_ratio_at_tick(case.upper)
    return (*ends, tick_at_sqrt_ratio(case.price), *amounts, *amounts)


def told(contract: Contract, cases: list[Case]) -> list[Answer]:
    """The contract's seven numbers for each case, in one eth_call."""
    [entry] = [one for one in contract.abi if one.get("type") == "function"]
    selector = OFFLINE.keccak(text=f"{entry['name']}(uint256[])")[:4]
    words = b"".join(number.to_bytes(WORD, signed=number < 0) for case in cases for number in case)
    body = selector + WORD.to_bytes(WORD) + (4 * len(cases)).to_bytes(WORD) + words
    request = {"to": contract.address, "data": "0x" + body.hex(), "gas": hex(GAS)}
    answer = bytes.fromhex(contract.chain.call("eth_call", request, "latest")[2:])
    numbers = [int.from_bytes(answer[at : at + WORD]) for at in range(2 * WORD, len(answer), WORD)]
    assert len(numbers) == TOLD * len(cases)
    rows = [numbers[at : at + TOLD] for at in range(0, len(numbers), TOLD)]
    return [(row[0], row[1], row[2] - 2**256 if row[2] >> 255 else row[2], *row[3:]) for row in rows]


def differing(cases: list[Case], answers: list[Answer]) -> list[int]:
    return [index for index, (case, answer) in enumerate(zip(cases, answers, strict=True)) if ours(case) != answer]


def where(case: Case) -> str:
    """Where the price stands, for the count of what was tried."""
    lower, upper = sqrt_ratio_at_tick(case.lower), sqrt_ratio_at_tick(case.upper)
    if case.price in (lower, upper):
        return "on an edge"
    return "inside" if lower < case.price < upper else "outside"


@pytest.fixture(scope="module")
def arithmetic(anvil: Path) -> Iterator[Contract]:
    with started(anvil, "--gas-limit", str(GAS), "--no-request-size-limit") as chain:
        yield deployed(chain, compiled("v3")["Arithmetic"])


def test_prices_ticks_and_amounts_are_the_libraries_own_integers_in_a_hundred_thousand_cases(arithmetic: Contract) -> None:
    tried = Counter[str]()
    for cases in batches():
        assert len(cases) in (BATCH, EDGE_CASES), "a batch is never empty"
        answers = told(arithmetic, cases)
        wrong = differing(cases, answers)
        assert not wrong, f"{cases[wrong[0]]}: the contract says {answers[wrong[0]]}, we say {ours(cases[wrong[0]])}"
        tried.update(where(case) for case in cases)
        tried.update("an end" for case in cases if case.lower == MIN_TICK or case.upper == MAX_TICK)
        tried.update("both amounts" for answer in answers if answer[3] and answer[4])
    assert tried["on an edge"] + tried["inside"] + tried["outside"] == CASES + EDGE_CASES
    assert min(tried.values()) > CASES // 30, f"too little of one sort: {tried}"


def test_one_unit_off_in_any_number_is_seen(arithmetic: Contract) -> None:
    cases = [random_case(random.Random(SEED + number)) for number in range(50)]
    honest = told(arithmetic, cases)
    assert differing(cases, honest) == []
    for place, step in product(range(TOLD), (-1, 1)):
        spoiled = list(honest)
        spoiled[17] = (*honest[17][:place], honest[17][place] + step, *honest[17][place + 1 :])
        assert differing(cases, spoiled) == [17]


def test_liquidity_that_is_one_unit_more_is_another_amount_to_the_contract(arithmetic: Contract) -> None:
    case = Case(2**96, -600, 600, 10**30)
    [answer] = told(arithmetic, [case._replace(liquidity=10**30 + 10**3)])
    assert differing([case], [answer]) == [0]
