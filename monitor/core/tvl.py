"""What a change of TVL is made of: prices, tokens that moved, and the rest.

ALVH: price effect = sum q0 (p1 - p0), outflow = sum (q1 - q0) p1, over tokens. Sums are made in rational numbers and rounded once, so the two
add up to the tokens' own change to the last digits, however near that is to nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from monitor.core.verdict import Unknown


@dataclass(frozen=True, slots=True)
class Amounts:
    """Tokens and prices at one instant, by asset. Amounts in whole tokens (exact integers are welcome), prices in USD."""

    tokens: Mapping[str, float]
    price_usd: Mapping[str, float]

    @property
    def worth_usd(self) -> float:
        """Raises Unknown where a token has no price."""
        return float(sum((q * p for q, p in self.rows()), Fraction()))

    def rows(self) -> Iterable[tuple[Fraction, Fraction]]:
        return [(self.amount(asset), self.price(asset)) for asset in sorted(self.tokens)]

    def amount(self, asset: str) -> Fraction:
        """Raises Unknown where it is not known: a token that nobody names is not a token of which there is none."""
        if asset not in self.tokens:
            raise Unknown("unconfirmed", f"the amount of {asset} is not known at both ends")
        return Fraction(self.tokens[asset])

    def price(self, asset: str) -> Fraction:
        """Raises Unknown where it is not known: it is neither 0 nor 1."""
        if asset not in self.price_usd:
            raise Unknown("unconfirmed", f"the price of {asset} is not known at both ends")
        return Fraction(self.price_usd[asset])


@dataclass(frozen=True, slots=True)
class Split:
    """A change of TVL in USD, all parts signed: a fall is negative.

    `price_usd` and `outflow_usd` add up to the tokens' own change, `change_usd`. `unexplained_usd` is what the reported TVL changed beyond it: tokens
    that are not followed, another composition, other prices.
    """

    price_usd: float
    outflow_usd: float
    change_usd: float
    unexplained_usd: float


def split(before: Amounts, after: Amounts, reported_change_usd: float | None = None) -> Split:
    """The parts of a change between two instants; without a reported one nothing is unexplained.

    Raises Unknown (unconfirmed) where an amount or a price of any token, at either end, is not known.
    """
    price = outflow = change = Fraction()
    for asset in sorted({*before.tokens, *after.tokens}):
        q0, q1, p0, p1 = before.amount(asset), after.amount(asset), before.price(asset), after.price(asset)
        price += q0 * (p1 - p0)
        outflow += (q1 - q0) * p1
        change += q1 * p1 - q0 * p0
    reported = change if reported_change_usd is None else Fraction(reported_change_usd)
    return Split(float(price), float(outflow), float(change), float(reported - change))


def vouched_price_effect(tokens: Mapping[str, float], moves_usd: Mapping[str, Sequence[float]]) -> float:
    """Price effect (USD, negative for a fall) that two price sources vouch for.

    `moves_usd` is p1 - p0 of each asset as each source says. Of a token's falls the second deepest counts, which two sources reach; a fall that one
    source alone has seen counts for nothing, a rise that one has seen counts whole.
    """
    return float(sum((Fraction(held) * Fraction(_vouched(moves_usd.get(asset, ()))) for asset, held in tokens.items()), Fraction()))


def _vouched(moves: Sequence[float]) -> float:
    return sorted(moves)[1] if len(moves) >= 2 else max([0.0, *moves])


def explains_half(part_usd: float, fall_usd: float) -> bool:
    """Whether a part (negative: a fall) is at least half of a fall (positive)."""
    # 8 percent of a round number is a binary hair beside its half: what is half on paper must count.
    return fall_usd > 0 and round(-part_usd / fall_usd, 12) >= 0.5


def risen_apart(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """By how much (USD) each part that is counted apart from TVL has grown; one that nobody told of before may have grown by all that it is."""
    grown = {part: value - before[part] if part in before else value for part, value in after.items()}
    return {part: usd for part, usd in grown.items() if usd > 0}
