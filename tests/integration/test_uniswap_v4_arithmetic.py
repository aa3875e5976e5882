"""TickMath, SqrtPriceMath and FullMath of v4-core, compiled as published, against our own numbers: random cases and every boundary."""

import random
from collections.abc import Callable, Iterator, Sequence

import pytest
from web3 import Web3

from monitor.core.amm import MAX_SQRT_RATIO, MAX_TICK, MIN_SQRT_RATIO, MIN_TICK, Q256, amounts_for_liquidity, sqrt_ratio_at_tick, tick_at_sqrt_ratio
from monitor.core.amm_v4 import fees_owed
from tests.integration.anvil import Anvil
from tests.integration.solidity import compiled
from tests.integration.uniswap import NOBODY, Contract, deployed

SEED, BATCH = 20260402, 2_000
TICKS, PRICES, AMOUNTS, FEES = 40_000, 20_000, 40_000, 10_000
WORD = 32

Case = tuple[int, ...]


@pytest.fixture(scope="module")
def mathematics(chain: Anvil) -> Contract:
    return deployed(chain, compiled("v4")["V4Math"])


def answers(mathematics: Contract, function: str, cases: Sequence[Case]) -> Iterator[int]:
    """What the contract answers to all cases, in batches; encoded here, since an ABI library takes longer than the contract."""
    selector = Web3.keccak(text=f"{function}(uint256[])")[:4]
    for start in range(0, len(cases), BATCH):
        numbers = [number for case in cases[start : start + BATCH] for number in case]
        body = b"".join((number % Q256).to_bytes(WORD) for number in (WORD, len(numbers), *numbers))
        request = {"from": NOBODY, "to": mathematics.address, "data": "0x" + (selector + body).hex(), "gas": hex(10**9)}
        answer = bytes.fromhex(mathematics.chain.call("eth_call", request, "latest")[2:])
        yield from (int.from_bytes(answer[at : at + WORD]) for at in range(2 * WORD, len(answer), WORD))


def compare(mathematics: Contract, function: str, cases: Sequence[Case], ours: Callable[..., Sequence[int]]) -> int:
    """How many cases were the same; AssertionError with the first that was not."""
    theirs, count = answers(mathematics, function, cases), 0
    for case in cases:
        computed = tuple(number % Q256 for number in ours(*case))
        assert computed == tuple(next(theirs) for _ in computed), f"{function}{case}"
        count += 1
    assert next(theirs, None) is None
    return count


def prices(dice: random.Random, count: int) -> list[Case]:
    """Prices of all sizes, half of them at a tick or one beside it."""
    made = list[Case]()
    while len(made) < count:
        near = sqrt_ratio_at_tick(dice.randint(MIN_TICK, MAX_TICK)) + dice.randint(-1, 1)
        far = int(MIN_SQRT_RATIO * (MAX_SQRT_RATIO / MIN_SQRT_RATIO) ** dice.random())
        made.append((min(max(dice.choice((near, far)), MIN_SQRT_RATIO), MAX_SQRT_RATIO - 1),))
    return made


def ranges(dice: random.Random, count: int) -> list[Case]:
    """Price, range and liquidity: below, inside and above, at the ends themselves, and as large as a removal that does not fail."""
    made = list[Case]()
    while len(made) < count:
        lower, upper = sorted(dice.sample(range(MIN_TICK, MAX_TICK + 1), 2))
        narrow = dice.random() < 0.5
        upper = min(lower + dice.randint(1, 2000), MAX_TICK) if narrow else upper
        here = dice.choice((lower, upper, dice.randint(lower, upper), dice.randint(MIN_TICK, MAX_TICK)))
        price = min(max(sqrt_ratio_at_tick(here) + dice.randint(-1, 1), MIN_SQRT_RATIO), MAX_SQRT_RATIO - 1)
        made.append((price, lower, upper, int(2 ** dice.uniform(0, 127))) if lower < upper else (price, lower - 1, upper, 1))
    return made


def growths(dice: random.Random, count: int) -> list[Case]:
    """Growth now and then, the later one often wrapped around, and liquidity."""
    made: list[Case] = [(0, 1, 2**128 - 1), (0, 0, 2**128 - 1), (5, Q256 - 1, 1 << 127)]
    while len(made) < count:
        then, more = dice.getrandbits(256), dice.getrandbits(dice.randint(1, 256))
        made.append(((then + more) % Q256, then, dice.getrandbits(dice.randint(1, 128))))
    return made


def test_a_hundred_thousand_random_cases_are_equal_to_the_last_unit(mathematics: Contract) -> None:
    dice = random.Random(SEED)
    boundaries = [
        MIN_TICK,
        MIN_TICK + 1,
        -1,
        0,
        1,
        MAX_TICK - 1,
        MAX_TICK,
        *(sign << bit for bit in range(20) for sign in (-1, 1) if 1 << bit < MAX_TICK),
    ]
    ticks = [(tick,) for tick in boundaries] + [(dice.randint(MIN_TICK, MAX_TICK),) for _ in range(TICKS)]
    done = compare(mathematics, "prices", ticks, lambda tick: (sqrt_ratio_at_tick(tick),))
    ends = [(MIN_SQRT_RATIO,), (MIN_SQRT_RATIO + 1,), (MAX_SQRT_RATIO - 1,), (1 << 96,), ((1 << 96) - 1,)]
    done += compare(mathematics, "ticks", [*ends, *prices(dice, PRICES)], lambda price: (tick_at_sqrt_ratio(price),))
    done += compare(mathematics, "amounts", ranges(dice, AMOUNTS), amounts_for_liquidity)
    done += compare(mathematics, "fees", growths(dice, FEES), lambda now, then, liquidity: (fees_owed(liquidity, now, then),))
    assert done >= 100_000


@pytest.mark.parametrize(
    ("function", "case", "wrong"),
    [
        ("prices", (7,), lambda tick: (sqrt_ratio_at_tick(tick) + 1,)),
        ("ticks", (1 << 96,), lambda price: (tick_at_sqrt_ratio(price) - 1,)),
        ("amounts", (1 << 96, -60, 60, 10**12), lambda *case: [amount + 1 for amount in amounts_for_liquidity(*case)]),
        ("fees", (2**128, 0, 9), lambda now, then, liquidity: (fees_owed(liquidity, now, then) - 1,)),
    ],
)
def test_the_comparison_sees_one_unit(mathematics: Contract, function: str, case: Case, wrong: Callable[..., Sequence[int]]) -> None:
    with pytest.raises(AssertionError, match=function):
        compare(mathematics, function, [case], wrong)
