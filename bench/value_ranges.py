"""Ten thousand Uniswap v3 positions valued in one pass over columns, beside the exact integers one by one; and one position's update."""

import time
from collections.abc import Callable
from dataclasses import replace
from random import Random

import numpy as np

from bench.figures import Figure, Options
from monitor.core.amm import MAX_TICK, Payout, Stake, TickEdge, V3Pool, payout, sqrt_ratio_at_tick
from monitor.core.amm import V3Position as Position
from monitor.core.exposure import Coins, Scenario, Together
from monitor.core.many_ranges import State, Worths, columns, worths
from monitor.core.ranges import range_of

POSITIONS, UPDATES, SEED = 10_000, 2_000, 20260620
MOST_PASS_MS, MOST_UPDATE_US = 50.0, 100.0
# Token0 is USDC and token1 is WETH, as in the largest pool: about 3,000 USD an ETH.
DECIMALS, PRICES, TICK = (6, 18), (1.0, 3_000.0), 196_250
WITHIN = 1e-9
PASS_NOTE = "amounts, uncollected fees and USD of all; in time of the processor; the columns stand ready, as they do when only prices have moved"
BUILD_NOTE = "out of 10,000 states of Python's own integers, when the chain has been read anew"
UPDATE_NOTE = "what it pays by the contracts' integers after its pool moved, then its range and fees as an exposure, its value and its deltas"


def measure(options: Options) -> list[Figure]:
    held = _positions(Random(SEED))
    digits = tuple(np.full(POSITIONS, one) for one in DECIMALS)
    prices = tuple(np.full(POSITIONS, one) for one in PRICES)
    ready = columns(held)

    def at_once() -> Worths:
        return worths(ready, (digits[0], digits[1]), (prices[0], prices[1]))

    def one_by_one() -> list[float]:
        return [_usd(payout(*one)) for one in held]

    _must_agree(at_once(), one_by_one())
    passes, exact, builds = ([_took_ms(what) for _ in range(options.runs)] for what in (at_once, one_by_one, lambda: columns(held)))
    updates = [_took_ms(lambda: _updated(held[:UPDATES])) * 1e3 / UPDATES for _ in range(options.runs)]
    name = f"{POSITIONS:,} ranges valued"
    return [
        Figure(name, "ms", passes, at_most=MOST_PASS_MS, peer=("exact integers, one by one", exact), note=PASS_NOTE),
        Figure("their columns built", "ms", builds, note=BUILD_NOTE),
        Figure("one range updated", "us", updates, at_most=MOST_UPDATE_US, note=UPDATE_NOTE),
    ]


def _positions(dice: Random) -> list[State]:
    """One pool at one price, as a busy one: ranges of every width about it, a third of them left behind, with fees of a few days."""
    price, growth = sqrt_ratio_at_tick(TICK) + 12_345_678, (dice.getrandbits(130), dice.getrandbits(165))
    return [_position(dice, price, growth) for _ in range(POSITIONS)]


def _position(dice: Random, price: int, growth: tuple[int, int]) -> State:
    lower = (TICK + dice.randint(-8_000, 4_000)) // 10 * 10
    upper = min(lower + 10 * dice.randint(1, 1_200), MAX_TICK // 10 * 10)
    edges = [TickEdge(True, dice.randrange(growth[0]), dice.randrange(growth[1])) for _ in range(2)]
    pool = V3Pool(price, TICK, *growth, *edges)
    # The last touch was a little growth ago, modulo 2**256, as the contracts count it.
    fresh = payout(pool, Position(lower, upper, Stake(1, 0, 0, 0, 0)))
    last = [(inside << 128) % 2**256 for inside in (fresh.fees0, fresh.fees1)]
    return pool, Position(lower, upper, Stake(dice.randrange(10**12, 10**19), *last, dice.randrange(10**9), dice.randrange(10**17)))


def _usd(paid: Payout) -> float:
    """What a payout is worth, at the bench's prices."""
    return (paid.amount0 + paid.fees0) / 10 ** DECIMALS[0] * PRICES[0] + (paid.amount1 + paid.fees1) / 10 ** DECIMALS[1] * PRICES[1]


def _updated(held: list[State]) -> float:
    """Each position once, after a trade: its payout, its exposure, its worth and its deltas."""
    now, total = Scenario({"USDC": PRICES[0], "ETH": PRICES[1]}), 0.0
    for pool, position in held:
        paid = payout(replace(pool, sqrt_price_x96=pool.sqrt_price_x96 + 1), position)
        fees = Coins({"USDC": paid.fees0 / 10 ** DECIMALS[0], "ETH": paid.fees1 / 10 ** DECIMALS[1]})
        ticks = position.tick_lower, position.tick_upper
        exposure = Together((range_of(("USDC", "ETH"), position.stake.liquidity, ticks, DECIMALS), fees))
        total += float(exposure.value_usd(now)) + float(exposure.deltas(now)["ETH"])
    return total


def _must_agree(at_once: Worths, one_by_one: list[float]) -> None:
    off = np.abs(at_once.usd - np.array(one_by_one)) / np.array(one_by_one)
    if not off.max() <= WITHIN:
        raise RuntimeError(f"the two do not say the same: {off.max():.1e} apart")


def _took_ms(what: Callable[[], object]) -> float:
    began = time.thread_time()
    what()
    return (time.thread_time() - began) * 1e3
