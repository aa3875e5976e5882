"""Which subjects a rule has, and which positions are exposed to one of them."""

from collections.abc import Iterator

from monitor.core.book import Position
from monitor.core.market import Market
from monitor.core.rule import Scope
from monitor.core.settings import Settings
from monitor.core.tokens import ASSET_OF, STABLES, underlying

PROTOCOL_OF = {"uniswap-v3": "protocol:uniswap-v3"}
MARKET = "US"


def tvl_subjects(position: Position) -> tuple[str, ...]:
    """The protocol, the protocol on its chain and the chain that a position's kind implies, and those the user added (an asset is none)."""
    implied: list[str] = []
    if position.chain:
        if (protocol := PROTOCOL_OF.get(position.kind)) is not None:
            implied += [protocol, f"{protocol}@{position.chain}"]
        implied.append(f"chain:{position.chain}")
    return tuple(dict.fromkeys([*implied, *(subject for subject in position.exposed_to if ":" in subject)]))


def subjects_of(scope: Scope, settings: Settings) -> tuple[str, ...]:
    """The subjects for which a rule of this scope has an instance, in a stable order."""
    match scope:
        case Scope.POSITION:
            return tuple(p.id for p in settings.positions)
        case Scope.ASSET:
            return settings.assets
        case Scope.TVL:
            implied = [subject for p in settings.positions for subject in tvl_subjects(p)]
            return tuple(dict.fromkeys([*implied, *settings.tvl_subjects]))
        case _:
            return (MARKET,)


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
        case Scope.ASSET:
            return subject in assets_held(position, market) - STABLES or subject in position.exposed_to
        case Scope.TVL:
            return subject in tvl_subjects(position)
        case _:
            return False
