"""The loan of the story: bitcoin supplied on Base and dollars owed, as Aave would say of such an account at any price."""

from hashlib import sha256

from monitor.core.observation import Reading
from monitor.story.book import ACCOUNT, LOAN, market
from monitor.story.paths import paths

SUPPLIED_BTC, OWED_USDC, THRESHOLD = 1.0, 40_400.0, 0.78
"""A health of about 2.2 on the first day. USDC is not supplied, so it backs nothing."""
RATES = {("lending.supply_apy", "BTC"): 0.0003, ("lending.borrow_apr", "USDC"): 0.056}
"""A year; they stay, since neither market is drained."""


def readings(at_ms: int) -> list[Reading]:
    """The account in the block of this instant, under one block hash."""
    known = paths()
    row = known.row(at_ms)
    collateral_usd, debt_usd = SUPPLIED_BTC * float(known.price["BTC"][row]), OWED_USDC * float(known.stable[row])
    health = collateral_usd * THRESHOLD / debt_usd
    values = (health, collateral_usd, debt_usd, SUPPLIED_BTC, 0.0, 0.0, OWED_USDC, THRESHOLD, 0.0)
    account = [Reading(f"account.{name}", LOAN, value, at_ms, block_hash=_block(at_ms)) for name, value in zip(ACCOUNT, values, strict=True)]
    return account + rates(at_ms)


def rates(at_ms: int) -> list[Reading]:
    """What the loan earns and costs a year."""
    return [Reading(metric, market(asset), rate, at_ms, block_hash=_block(at_ms)) for (metric, asset), rate in RATES.items()]


def _block(at_ms: int) -> str:
    return "0x" + sha256(f"block of base at {at_ms}".encode()).hexdigest()
