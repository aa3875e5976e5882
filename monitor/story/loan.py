"""The loan of the story: bitcoin supplied on Base and dollars owed, as Aave would say of such an account at any price."""

from hashlib import sha256

from monitor.core.observation import Reading
from monitor.story.book import ACCOUNT, LOAN
from monitor.story.paths import paths

SUPPLIED_BTC, OWED_USDC, THRESHOLD = 1.0, 40_400.0, 0.78
"""A health of about 2.2 on the first day. USDC is not supplied, so it backs nothing."""


def readings(at_ms: int) -> list[Reading]:
    """The account in the block of this instant, under one block hash."""
    known = paths()
    row = known.row(at_ms)
    collateral_usd, debt_usd = SUPPLIED_BTC * float(known.price["BTC"][row]), OWED_USDC * float(known.stable[row])
    health = collateral_usd * THRESHOLD / debt_usd
    values = (health, collateral_usd, debt_usd, SUPPLIED_BTC, 0.0, 0.0, OWED_USDC, THRESHOLD, 0.0)
    block_hash = "0x" + sha256(f"block of base at {at_ms}".encode()).hexdigest()
    return [Reading(f"account.{name}", LOAN, value, at_ms, block_hash=block_hash) for name, value in zip(ACCOUNT, values, strict=True)]
