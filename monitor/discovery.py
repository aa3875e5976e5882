"""Finds what an owner holds: Uniswap v3 positions and an account of Aave v3, read from the contracts at one block hash."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitor.chain import Answer, Block, BlockPinnedReader, Call, Failed
from monitor.collectors import aave_v3
from monitor.core.book import Position
from monitor.core.tokens import ASSET_OF
from monitor.core.vocabulary import ASSET
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


async def positions_of(reader: BlockPinnedReader, chain: str, manager: str, provider: str, owner: str) -> Found:
    """All that is found at one block: `manager` is the Uniswap v3 position manager, `provider` the PoolAddressesProvider of an Aave v3, or empty.

    Raises SourceError or BadPayload when the chain cannot be read.
    """
    block = await reader.pin()
    found = await _uniswap(reader, block, chain, manager, owner)
    if not provider:
        note = f"no Aave v3 is known on {chain}: give the address of its PoolAddressesProvider with --aave to look there too"
        return replace(found, notes=(*found.notes, note))
    lent, notes = await _aave(reader, block, chain, provider, owner)
    return replace(found, positions=(*found.positions, *lent), notes=(*found.notes, *notes))


async def _aave(reader: BlockPinnedReader, block: Block, chain: str, provider: str, owner: str) -> tuple[list[Position], list[str]]:
    """The owner's account, where it supplies or owes anything; an asset is named as a well-known token, else as the market calls it."""
    desk = await aave_v3.find_desk(reader, block, chain, provider, {})
    answers = await reader.read(block, [Call(desk.data, aave_v3.DATA_ABI, "getUserReserveData", (token, owner)) for _, token in desk.listed])
    used = [listed for listed, answer in zip(desk.listed, answers, strict=True) if aave_v3.parse_reserve(answer).used]
    names = {token: ASSET_OF.get((chain, int(token, 16)), symbol.upper()) for symbol, token in used}
    odd = [token for token, name in names.items() if re.fullmatch(ASSET, name) is None or list(names.values()).count(name) > 1]
    notes = [f"the Aave v3 account also uses {token} on {chain}, which has no name of its own: add it to `assets` under one" for token in odd]
    assets = tuple(name for token, name in names.items() if token not in odd)
    return [Position(id=f"aave-{chain}", kind="aave-v3", chain=chain, account=owner, assets=assets)] if assets else [], notes


async def _uniswap(reader: BlockPinnedReader, block: Block, chain: str, manager: str, owner: str) -> Found:
    """The owner's NFTs that still hold liquidity or owe something."""
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
    positions = tuple(_position(chain, owner, token_id, holding) for token_id, holding in alive.items())
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


def _position(chain: str, owner: str, token_id: int, holding: Holding) -> Position:
    return Position(id=f"lp-{token_id}", kind="uniswap-v3", chain=chain, account=owner, token_id=token_id, assets=_assets(chain, holding))
