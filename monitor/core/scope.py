"""Which subjects a rule has, and which positions are exposed to one of them."""

from collections.abc import Iterator

from monitor.core.book import Position
from monitor.core.market import Market
from monitor.core.rule import Scope
from monitor.core.settings import Settings
from monitor.core.tokens import ASSET_OF, STABLES, underlying

PROTOCOL_OF = {
    "uniswap-v2": "protocol:uniswap-v2",
    "uniswap-v3": "protocol:uniswap-v3",
    "uniswap-v4": "protocol:uniswap-v4",
    "curve": "protocol:curve-dex",
    "balancer": "protocol:balancer-v2",
    "aave-v3": "protocol:aave-v3",
    "compound-v3": "protocol:compound-v3",
}
LENDERS = ("aave-v3", "compound-v3")
MARKET, EQUITY, CRYPTO = "US", "SPX", "crypto"


def tvl_subjects(position: Position) -> tuple[str, ...]:
    """The protocol, the protocol on its chain and the chain that a position's kind implies, and those the user added (an asset is none).

    A treasury is exposed to its own protocol.
    """
    implied = [position.protocol] if position.protocol else list[str]()
    if position.chain:
        if (protocol := PROTOCOL_OF.get(position.kind)) is not None:
            implied += [protocol, f"{protocol}@{position.chain}"]
        implied.append(f"chain:{position.chain}")
    return tuple(dict.fromkeys([*implied, *(subject for subject in position.exposed_to if ":" in subject)]))


def lending_subjects(position: Position) -> tuple[str, ...]:
    """The lending markets that a position is in."""
    if position.kind not in LENDERS:
        return ()
    # A market of Compound v3 lends its base asset alone, which the position names first.
    lent = position.assets[:1] if position.kind == "compound-v3" else position.assets
    return tuple(f"lending:{position.chain}/{position.kind}/{asset}" for asset in lent)


def subjects_of(scope: Scope, settings: Settings) -> tuple[str, ...]:
    """The subjects for which a rule of this scope has an instance, in a stable order."""
    positions = settings.positions
    found = {
        Scope.POSITION: [p.id for p in positions],
        Scope.ASSET: settings.assets,
        Scope.TVL: [*(subject for p in positions for subject in tvl_subjects(p)), *settings.tvl_subjects],
        Scope.LENDING: [*(subject for p in positions for subject in lending_subjects(p)), *settings.lending_subjects],
        Scope.INDEX: [EQUITY, *settings.assets],
        Scope.EQUITY: [EQUITY],
        Scope.CRYPTO: [CRYPTO],
        Scope.MARKET: [MARKET],
    }
    return tuple(dict.fromkeys(found[scope]))


def exposed_positions(scope: Scope, subject: str, settings: Settings, market: Market) -> tuple[Position, ...]:
    """The positions that a layer of a fired instance would be for."""
    return tuple(p for p in settings.positions if _is_exposed(scope, subject, p, market))


def assets_held(position: Position, market: Market) -> frozenset[str]:
    """The assets a position is made of, as declared or as its tokens on the chain say."""
    declared = {underlying(asset) for asset in (*position.assets, position.asset, *position.amounts) if asset}
    return frozenset(declared or _assets_on_chain(position, market))


def _assets_on_chain(position: Position, market: Market) -> Iterator[str]:
    for metric in ("position.token0", "position.token1"):
        for source in market.sources(metric, position.id):
            series = market.series(metric, position.id, source)
            asset = ASSET_OF.get((position.chain, int(series.value[-1]))) if series else None
            if asset is not None:
                yield asset


def _is_exposed(scope: Scope, subject: str, position: Position, market: Market) -> bool:
    match scope:
        case Scope.POSITION:
            return position.id == subject
        case Scope.ASSET | Scope.INDEX:
            return subject in assets_held(position, market) - STABLES or subject in position.exposed_to
        case Scope.TVL:
            return subject in tvl_subjects(position)
        case Scope.LENDING:
            return subject in lending_subjects(position) and _may_owe(position, subject.rpartition("/")[2], market)
        case _:
            return False


def _may_owe(position: Position, asset: str, market: Market) -> bool:
    """A market's stress is that of its debtors: who is known to owe none of its asset is not exposed, who was never read may be."""
    metric = f"account.borrowed.{asset}"
    known = [market.series(metric, position.id, source) for source in market.sources(metric, position.id)]
    return not known or any(series is not None and series.value[-1] > 0 for series in known)
