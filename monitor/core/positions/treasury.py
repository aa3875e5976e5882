"""Treasuries: what they hold and are owed, less what they owe, by the arithmetic of the quick ratio."""

from monitor.core.book import Position
from monitor.core.exposure import Coins
from monitor.core.redemption import followed
from monitor.core.treasury import PARTS, TOKENS, Held, holdings, sheet_of, worth
from monitor.core.units import DAY
from monitor.core.verdict import Evidence
from monitor.core.view import View
from monitor.core.worth import Valuation, of_one_block

OTHERS = "treasury.others_usd"
BACK_MS = DAY


def value(view: View, position: Position) -> Valuation:
    """Its equity: stables, majors and others, and receivables less liabilities as USD. The protocol's own tokens are left out.

    Amounts by asset come of wallets. Each token counts at its own price: what that is off the coin that it follows moves with no price. A
    provider's USD sums do not say which coins they are of: then there are none, and no delta. Raises Unknown where nobody says what it holds
    or owes, or its holdings are not of one instant.
    """
    subject = position.protocol
    assets = [name.removeprefix(TOKENS) for name in view.market.metrics(TOKENS, subject)]
    held = holdings(view, subject, BACK_MS, assets)
    parts, block_hash = worth(held, -1, view.price_usd), _block(view, subject, held)
    if held.in_usd and (others := _others(view, subject, held)) is not None:
        parts["others"] = float(others.value)
    sheet = sheet_of(view, subject, held, BACK_MS)
    amounts = followed(view, () if held.in_usd else held.amounts(-1).items())
    delta_usd = {asset: amount * view.price_usd(asset) for asset, amount in amounts.items()}
    equity_usd = sheet.equity_usd(parts["others"])
    exposure = Coins(amounts, equity_usd - sum(delta_usd.values()))
    return Valuation(equity_usd, amounts, delta_usd, exposure, {}, block_hash)


def _block(view: View, subject: str, held: Held) -> str:
    """The block of the holdings. Raises Unknown where they are of several instants."""
    names = PARTS if held.in_usd else held.amounts(-1)
    points = [view.newest(held.metric(name), subject, held.source) for name in names]
    others = _others(view, subject, held) if held.in_usd else None
    points += [others] if others is not None else []
    return of_one_block(points, f"the holdings of {subject}")[0] if points else ""


def _others(view: View, subject: str, held: Held) -> Evidence | None:
    return view.newest(OTHERS, subject, held.source) if held.source in view.sources(OTHERS, subject) else None
