"""Finds what an owner holds: Uniswap v3 positions, read from the position manager at one block hash."""

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.chain import Answer, Block, BlockPinnedReader, Call, Failed
from monitor.core.book import Position
from monitor.core.tokens import ASSET_OF
from monitor.errors import BadPayload, SourceError
from monitor.v3_contracts import MANAGER_ABI, Holding, parse_holding

MOST_POSITIONS = 200


@dataclass(frozen=True)
class Found:
    """What an owner holds at a block: positions to watch, how many empty ones were left out, and sentences for the operator."""

    block: Block
    positions: tuple[Position, ...]
    empty: int
    notes: tuple[str, ...]


async def uniswap_positions(reader: BlockPinnedReader, chain: str, manager: str, owner: str) -> Found:
    """The owner's NFTs that still hold liquidity or owe something. Raises SourceError or BadPayload when the chain cannot be read."""
    block = await reader.pin()
    [held] = await reader.read(block, [Call(manager, MANAGER_ABI, "balanceOf", (owner,))])
    count = _whole(held, f"no position manager answers at {manager}")
    listed = range(min(count, MOST_POSITIONS))
    answers = await reader.read(block, [Call(manager, MANAGER_ABI, "tokenOfOwnerByIndex", (owner, index)) for index in listed])
    ids = [_whole(answer, "the position manager does not list what it says it holds") for answer in answers]
    records = await reader.read(block, [Call(manager, MANAGER_ABI, "positions", (token_id,)) for token_id in ids])
    holdings = dict(zip(ids, map(parse_holding, records), strict=True))
    alive = {token_id: holding for token_id, holding in holdings.items() if _holds_anything(holding)}
    notes = [_unnamed(chain, token_id, holding) for token_id, holding in alive.items() if not _assets(chain, holding)]
    if count > MOST_POSITIONS:
        notes.append(f"{owner} holds {count} positions, of which the first {MOST_POSITIONS} were read: add the others by hand")
    positions = tuple(_position(chain, token_id, holding) for token_id, holding in alive.items())
    return Found(block, positions, len(holdings) - len(alive), tuple(notes))


def _whole(answer: Answer, otherwise: str) -> int:
    if isinstance(answer, Failed):
        raise SourceError(f"{otherwise} ({answer.reason})", permanent=True)
    [value] = answer
    if not isinstance(value, int) or value < 0:
        raise BadPayload(otherwise)
    return value


def _holds_anything(holding: Holding) -> bool:
    stake = holding.position.stake
    return stake.liquidity > 0 or stake.owed0 > 0 or stake.owed1 > 0


def _assets(chain: str, holding: Holding) -> tuple[str, ...]:
    """Both assets, or none: what a token calls itself is not asked, anyone can call a token anything."""
    named: Sequence[str | None] = [ASSET_OF.get((chain, int(token, 16))) for token in (holding.token0, holding.token1)]
    return tuple(name for name in named if name) if all(named) else ()


def _unnamed(chain: str, token_id: int, holding: Holding) -> str:
    tokens = f"{holding.token0} and {holding.token1}"
    return f"lp-{token_id} on {chain}: {tokens} are not both known: add `assets: [A, B]` to this position, in that order"


def _position(chain: str, token_id: int, holding: Holding) -> Position:
    return Position(id=f"lp-{token_id}", kind="uniswap-v3", chain=chain, token_id=token_id, assets=_assets(chain, holding))
