"""What TVL was made of at two instants, out of the market: amounts, the prices that may decide, parts counted apart, our own sum.

Only tokens count that a price source of ours knows (the allow-list): a token that nobody prices can be minted at will, so whatever TVL it makes
stays unexplained. Whatever is read is kept as evidence.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import fmean, median

from monitor.core.tvl import Amounts, Split, risen_apart, split, vouched_price_effect
from monitor.core.tvl_series import OWN, TVL
from monitor.core.units import DAY
from monitor.core.verdict import Unknown
from monitor.core.view import FRESH_CADENCES, PRICES, TWAP_MS, View, Window

TOKENS, APART = "tvl.tokens.", "tvl.apart."
REMEMBERED_MS = 3 * DAY
# Redeemed one for one; what earns interest or trades at a discount has a price of its own.
WRAPPED = {"WETH": "ETH", "WBTC": "BTC"}


@dataclass(frozen=True, slots=True)
class Instant:
    """A sample of TVL: its time, the time of the sample before (both epoch milliseconds), and its value in USD."""

    at: int
    after: int
    usd: float


@dataclass(frozen=True, slots=True)
class Fall:
    """From one sample to another. `change` is a fraction, 0 where the first is 0: what was nothing has not fallen."""

    before: Instant
    after: Instant
    change: float

    @staticmethod
    def of(points: Window, first: int, last: int) -> "Fall":
        before, after = _instant(points, first), _instant(points, last)
        return Fall(before, after, change(before.usd, after.usd))

    @property
    def usd(self) -> float:
        """How much was lost."""
        return self.before.usd - self.after.usd


def change(before_usd: float, after_usd: float) -> float:
    """As a fraction; 0 where there was nothing before."""
    # 92 / 100 - 1 is a binary hair above -8%: a fall of exactly the threshold must count.
    return round(after_usd / before_usd - 1, 12) if before_usd > 0 else 0.0


def _instant(points: Window, place: int) -> Instant:
    at = int(points.at[place])
    return Instant(at, int(points.at[place - 1]) if place else at - points.cadence_ms, float(points.value[place]))


@dataclass(frozen=True, slots=True)
class Parts:
    """What a fall is made of.

    `vouched_usd` is the price effect that two sources vouch for. `is_most`: the tokens that are followed make half of TVL or more at either end,
    so what they do not explain is not theirs. `unpriced` are tokens that no source of ours prices. Where an amount or a price is missing, `split`
    is None and `missing` says which.
    """

    split: Split | None
    vouched_usd: float = 0.0
    is_most: bool = False
    unpriced: tuple[str, ...] = ()
    missing: str = ""


def parts_of(view: View, subject: str, fall: Fall) -> Parts | None:
    """The parts of a fall; None where nobody tells amounts."""
    held = [_told(view, TOKENS, subject, instant) for instant in (fall.before, fall.after)]
    named = {asset for one in held for asset in one}
    if not named:
        return None
    listed = {asset for asset in named if any(view.sources(metric, _name(asset)) for metric in PRICES)}
    ends = [(instant.at, {a: q for a, q in one.items() if a in listed}) for instant, one in zip((fall.before, fall.after), held, strict=True)]
    unpriced = tuple(sorted(named - listed))
    try:
        before, after = (_amounts(view, tokens, at) for at, tokens in ends)
        parts = split(before, after, -fall.usd)
    except Unknown as why:
        return Parts(None, unpriced=unpriced, missing=why.reason)
    moves = {asset: _moves(view, asset, fall.before.at, fall.after.at) for asset in before.tokens}
    is_most = _is_half(before.worth_usd, fall.before.usd) or _is_half(after.worth_usd, fall.after.usd)
    return Parts(parts, vouched_price_effect(before.tokens, moves), is_most, unpriced)


def _is_half(worth_usd: float, tvl_usd: float) -> bool:
    return worth_usd > 0 and worth_usd >= 0.5 * tvl_usd


def apart_since(view: View, subject: str, fall: Fall) -> Mapping[str, float]:
    """By how much (USD) each part that is counted apart has grown while TVL fell."""
    before = replace(fall.before, after=fall.before.at - REMEMBERED_MS)
    return risen_apart(_told(view, APART, subject, before), _told(view, APART, subject, fall.after))


def own_change(view: View, subject: str, fall: Fall) -> float | None:
    """The change, as a fraction, of our own sum of the configured contracts; None where it is not known at both ends."""
    first, last = _own_usd(view, subject, fall.before.at), _own_usd(view, subject, fall.after.at)
    # Binary digits must not decide what is 3 points on paper.
    return round(last / first - 1, 12) if first and last is not None else None


def _own_usd(view: View, subject: str, at: int) -> float | None:
    """The sum as it is told, else amounts times prices; None where one of them is missing."""
    if (told := _value(view, TVL, subject, OWN, at)) is not None:
        return told
    held = {asset: _value(view, TOKENS + asset, subject, OWN, at) for asset, source in _family(view, TOKENS, subject) if source == OWN}
    amounts = {asset: amount for asset, amount in held.items() if amount is not None}
    try:
        return _amounts(view, amounts, at).worth_usd if amounts and len(amounts) == len(held) else None
    except Unknown:
        return None


def _told(view: View, family: str, subject: str, instant: Instant) -> dict[str, float]:
    """What providers say of each member of a family as of a sample: the newest value that came since the sample before."""
    told: dict[str, tuple[int, float]] = {}
    for member, source in _family(view, family, subject):
        found = _newest(view, (family + member, subject, source), instant.after + 1, instant.at) if source != OWN else None
        if found is not None and found > told.get(member, (0, 0.0)):
            told[member] = found
    return {member: value for member, (_, value) in sorted(told.items())}


def _amounts(view: View, tokens: Mapping[str, float], at: int) -> Amounts:
    prices = {asset: _price(view, asset, at) for asset in tokens}
    return Amounts(tokens, {asset: price for asset, price in prices.items() if price is not None})


def _price(view: View, asset: str, at: int) -> float | None:
    """As of an instant what View.price_usd is now: the median of at least two sources, or one source's mean over 30 minutes or more."""
    prices = _prices(view, asset, at)
    if len(prices) != 1:
        return median(prices.values()) if prices else None
    ((metric, source),) = prices
    series = view.market.series(metric, _name(asset), source)
    cadence_ms = view.cadence(metric, _name(asset), source)
    inside = series.between(at - max(TWAP_MS, 2 * cadence_ms), at) if series is not None else slice(0, 0)
    is_long = series is not None and series.at[inside.stop - 1] - series.at[inside.start] + cadence_ms >= TWAP_MS
    return fmean(series.value[inside]) if series is not None and is_long and inside.stop - inside.start >= 2 else None


def _moves(view: View, asset: str, before: int, after: int) -> list[float]:
    first, last = _prices(view, asset, before), _prices(view, asset, after)
    return [last[source] - first[source] for source in first.keys() & last.keys()]


def _prices(view: View, asset: str, at: int) -> dict[tuple[str, str], float]:
    """Prices by (metric, source); a source that gives both a price and a mark is one source."""
    prices: dict[tuple[str, str], float] = {}
    for metric in PRICES:
        for source in view.sources(metric, _name(asset)):
            value = _value(view, metric, _name(asset), source, at)
            if value is not None and (PRICES[0], source) not in prices:
                prices[metric, source] = value
    return prices


def _name(asset: str) -> str:
    return WRAPPED.get(asset, asset)


def _value(view: View, metric: str, subject: str, source: str, at: int) -> float | None:
    """The newest value as of an instant, if it was fresh then."""
    try:
        oldest = at - FRESH_CADENCES * view.cadence(metric, subject, source)
    except Unknown:
        return None
    found = _newest(view, (metric, subject, source), oldest, at)
    return found[1] if found is not None else None


def _newest(view: View, key: tuple[str, str, str], start: int, end: int) -> tuple[int, float] | None:
    """Time and value of the newest point from `start` to `end`, kept as evidence."""
    series = view.market.series(*key)
    inside = series.between(start, end) if series is not None else slice(0, 0)
    if series is None or inside.start == inside.stop:
        return None
    at = series.at[inside.stop - 1]
    view.note(*key, at)
    return at, float(series.value[inside.stop - 1])


def _family(view: View, family: str, subject: str) -> list[tuple[str, str]]:
    """(member, source) of each series of a metric family about a subject."""
    every = view.once(("tvl families", subject), lambda: tuple(filter(lambda key: key.subject == subject, view.market.keys())))
    return [(key.metric.removeprefix(family), key.source) for key in every if key.metric.startswith(family)]
