"""Uniswap v2 and its forks: a holder's share of a pair, read from the contracts at one block hash a pass.

What it is worth is what burning the shares would pay in that block, to the unit (`core.constant_product`): by the balances of the pair, after
the protocol's own shares. There are no fees apart: they are in the reserves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from monitor.chain import MOST_DECIMALS, Address, Answer, Call, amount, output, outputs
from monitor.chain_positions import ChainPositions, Place, Rounds
from monitor.core.book import Chain, Position, PositionKind
from monitor.core.constant_product import MOST_RESERVE, SIXTH, Pair, ProtocolShare, burned
from monitor.core.observation import Reading
from monitor.errors import BadPayload

PAIR_ABI = "uniswap_v2_pair"
POSITION_FIELDS = ("shares", "amount0", "amount1", "token0", "token1", "decimals0", "decimals1")
AnyCase = Annotated[Address, AfterValidator(str.lower)]


@dataclass(frozen=True, kw_only=True)
class UniswapV2(ChainPositions):
    """`protocol_shares`, by the address of a fork's factory, says what its protocol takes of the growth where that is not Uniswap's sixth:
    `{"0x..": {part: 8, whole: 25}}`.
    """

    title: ClassVar[str] = "Uniswap v2 and forks"
    homepage: ClassVar[str] = "https://docs.uniswap.org/contracts/v2/overview"
    kind: ClassVar[PositionKind] = "uniswap-v2"
    rounds: ClassVar[int] = 2

    protocol_shares: Mapping[AnyCase, ProtocolShare] = field(default_factory=dict)

    def promises(self, position: Position) -> Iterable[tuple[str, str]]:
        """Its metrics, and the reserves of its pair."""
        yield from ((f"position.{name}", position.id) for name in POSITION_FIELDS)
        yield from ((f"pool.reserve{side}", _subject(position)) for side in (0, 1))

    def asks(self, position: Position, chain: Chain, answers: Rounds) -> tuple[Call, ...]:
        if not answers:
            names = ("factory", "token0", "token1", "getReserves", "kLast", "totalSupply")
            return (*(Call(position.pool, PAIR_ABI, name) for name in names), Call(position.pool, PAIR_ABI, "balanceOf", (position.account,)))
        factory, *tokens = (str(output(answer)) for answer in answers[0][:3])
        decimals = (Call(token, "erc20", "decimals") for token in tokens)
        balances = (Call(token, "erc20", "balanceOf", (position.pool,)) for token in tokens)
        return (Call(factory, "uniswap_v2_factory", "feeTo"), *decimals, *balances)

    def parse(self, position: Position, place: Place, answers: Rounds) -> list[Reading]:
        first, second = answers
        pair, shares = parse_pair(first, second), amount(first[6])
        share = self.protocol_shares.get(str(output(first[0])).lower(), SIXTH)
        try:
            paid = burned(pair, shares, share)
        except ValueError as problem:
            raise BadPayload(str(problem)) from None
        tokens = [int(output(answer), 16) for answer in first[1:3]]
        values = dict(zip(POSITION_FIELDS, (shares, *paid, *tokens, *_decimals(second)), strict=True))
        reserves = {"reserve0": pair.reserve0, "reserve1": pair.reserve1}
        return [*place.readings("position", position.id, values), *place.readings("pool", _subject(position), reserves)]


def parse_pair(first: Sequence[Answer], second: Sequence[Answer]) -> Pair:
    """The pair's own numbers. BadPayload where one is missing or could not be."""
    reserve0, reserve1, _ = outputs(first[3])
    k_last, total_supply = int(output(first[4])), amount(first[5])
    if k_last > MOST_RESERVE**2:
        raise BadPayload("kLast of its pair is no product of two reserves")
    balance0, balance1 = (amount(answer) for answer in second[3:5])
    return Pair(reserve0, reserve1, balance0, balance1, total_supply, k_last, fee_on=int(output(second[0]), 16) != 0)


def _decimals(second: Sequence[Answer]) -> list[int]:
    decimals = [int(output(answer)) for answer in second[1:3]]
    for side, digits in enumerate(decimals):
        if digits > MOST_DECIMALS:
            raise BadPayload(f"token{side} says that it has {digits} decimals, which no amount can have")
    return decimals


def _subject(position: Position) -> str:
    return f"pool:{position.chain}/{position.pool.lower()}"
