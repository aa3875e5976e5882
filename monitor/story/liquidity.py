"""The liquidity position of the story at any price, to the unit: what the contracts would say of such a pool (`core.amm`)."""

from functools import cache
from hashlib import sha256
from math import isqrt

import numpy as np

from monitor.core.amm import amounts_for_liquidity, tick_at_sqrt_ratio
from monitor.core.observation import Reading
from monitor.core.units import DAY
from monitor.story import plot
from monitor.story.book import LP, STATE
from monitor.story.paths import Floats, paths

# USDC and WETH on Ethereum, and their pool of 0.05%: facts. What the story's pool holds is not.
TOKEN0, DECIMALS0 = 0xA0B86991C6218B36C1D19D4A2E9EB0CE3606EB48, 6
TOKEN1, DECIMALS1 = 0xC02AAA39B223FE8D0A0E5C4F27EAD9083C756CC2, 18
POOL = "pool:ethereum/0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640"
TICKS = (192_200, 198_080)
"""From 4,500 down to 2,500 USD an ETH: this pool counts ETH per USDC."""
LIQUIDITY = 31_757_679_893_095_680
"""About 520,000 USD on the first day."""
POOL_LIQUIDITY = 9_412_000_000_000_000_000
MICRO_USD = 10**6
OPENED_MS = plot.START_MS - 9 * DAY
USUAL_ETH_USD = 3_400
FEE_USD_PER_MOVE = 2_400.0
"""Fees earned per unit of absolute log return: 0.05% of what trades through the range while the price moves."""


def readings(at_ms: int) -> list[Reading]:
    """The position and its pool in the block of this instant, under one block hash."""
    known = paths()
    row = known.row(at_ms)
    sqrt_price_x96 = sqrt_price(float(known.price["ETH"][row]))
    amount0, amount1 = amounts_for_liquidity(sqrt_price_x96, *TICKS, LIQUIDITY)
    earned_usd = FEE_USD_PER_MOVE * float(_moved()[row])
    fees0, fees1 = int(earned_usd / 2 * 10**DECIMALS0), int(earned_usd / 2 / USUAL_ETH_USD * 10**DECIMALS1)
    tick = tick_at_sqrt_ratio(sqrt_price_x96)
    values = (LIQUIDITY, amount0, amount1, fees0, fees1, TOKEN0, TOKEN1, DECIMALS0, DECIMALS1, sqrt_price_x96, tick, *TICKS)
    depth = int(POOL_LIQUIDITY * float(known.tvl["protocol:uniswap-v3@ethereum"][row]) / 3.1e9)
    block_hash = "0x" + sha256(f"block of {at_ms}".encode()).hexdigest()
    pool = {"sqrt_price_x96": sqrt_price_x96, "tick": tick, "liquidity": depth}
    rows = [(f"position.{name}", LP, value) for name, value in zip(STATE, values, strict=True)]
    rows += [(f"pool.{name}", POOL, value) for name, value in pool.items()]
    return [Reading(metric, subject, value, at_ms, block_hash=block_hash) for metric, subject, value in rows]


@cache
def _moved() -> Floats:
    """Absolute log returns of ETH, summed up since `OPENED_MS`, one row per row of the paths."""
    known = paths()
    steps = np.abs(np.diff(np.log(known.price["ETH"]), prepend=np.log(known.price["ETH"][0])))
    return np.asarray(np.cumsum(np.where(known.at > OPENED_MS, steps, 0.0)))


def sqrt_price(usd_per_eth: float) -> int:
    """Q64.96 square root of raw WETH per raw USDC at a price of ETH in USD (USDC taken at one dollar, as the pool does)."""
    micro_usd = round(usd_per_eth * MICRO_USD)
    return isqrt((10 ** (DECIMALS1 - DECIMALS0) * MICRO_USD << 192) // micro_usd)
