"""ERC-4626 vaults: a holder's shares and what redeeming them would pay, read from the vault at one block hash a pass.

The amount is `previewRedeem`, which EIP-4626 wants after the vault's own fees: what really arrives. `convertToAssets`, which is before them, gives
the price of a whole share. Neither says whether the vault could pay today: limits and queues are not in them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from monitor.chain import MOST_DECIMALS, Address, Answer, Call, output
from monitor.chain_positions import ChainPositions, Place, Rounds
from monitor.core.book import Chain, Position, PositionKind
from monitor.core.observation import Reading
from monitor.core.tokens import ASSET_OF, belied
from monitor.errors import BadPayload

ABI = "erc4626"
DUST = 1000
"""Raw units of the asset: what so little pays may be rounded down to nothing."""
AnyCase = Annotated[Address, AfterValidator(str.lower)]


@dataclass(frozen=True, kw_only=True)
class Erc4626(ChainPositions):
    """`by_request` lists vaults that pay later than they are asked (EIP-7540), whose `previewRedeem` reverts by rule: there `convertToAssets` counts,
    which is what the shares stand for and not what anybody pays now.
    """

    title: ClassVar[str] = "ERC-4626 vaults"
    homepage: ClassVar[str] = "https://eips.ethereum.org/EIPS/eip-4626"
    kind: ClassVar[PositionKind] = "erc-4626"
    rounds: ClassVar[int] = 2

    by_request: tuple[AnyCase, ...] = ()

    def promises(self, position: Position) -> Iterable[tuple[str, str]]:
        """Shares, their price, and the amount where the position names its asset: else only the chain knows which it is."""
        return ((f"position.{name}", position.id) for name in ("shares", "share_price", *(f"amount.{asset}" for asset in position.assets[:1])))

    def asks(self, position: Position, chain: Chain, answers: Rounds) -> tuple[Call, ...]:
        vault = position.pool
        if not answers:
            return (*(Call(vault, ABI, name) for name in ("asset", "decimals", "totalSupply")), Call(vault, ABI, "balanceOf", (position.account,)))
        [(asset, digits, *held)] = answers
        whole_share, (supply, shares) = 10 ** _digits("the vault", digits), (int(output(answer)) for answer in held)
        if shares > supply:
            raise BadPayload(f"{shares:.3e} shares of {supply:.3e} cannot be: ask another node")
        pays = "convertToAssets" if vault.lower() in self.by_request else "previewRedeem"
        token = str(output(asset))
        return (Call(token, "erc20", "decimals"), Call(vault, ABI, "convertToAssets", (whole_share,)), Call(vault, ABI, pays, (shares,)))

    def parse(self, position: Position, place: Place, answers: Rounds) -> list[Reading]:
        first, second = answers
        asset = asset_of(position, int(output(first[0]), 16))
        digits = _digits("the vault's asset", second[0])
        unit = 10**digits
        try:
            redeemed = int(output(second[2]))
        except BadPayload as problem:
            raise BadPayload(f"{problem}; a vault that pays by request is to be listed in by_request of this source") from None
        price_of_share, shares = int(output(second[1])), int(output(first[3]))
        if not redeemed and price_of_share * shares > DUST * 10 ** _digits("the vault", first[1]):
            raise BadPayload("the vault pays nothing for shares that stand for something: it is paused, or not what it seems")
        # Of two integers Python's quotient is the nearest double, whatever their size.
        values = {
            "shares": shares,
            "share_price": price_of_share / unit,
            f"amount.{asset}": redeemed / unit,
            f"decimals.{asset}": digits,
        }
        return list(place.readings("position", position.id, values))


def asset_of(position: Position, token: int) -> str:
    """What the vault holds: as declared, else as a well-known token. BadPayload for any other, and where these two disagree."""
    known = ASSET_OF.get((position.chain, token))
    if not position.assets:
        if known is None:
            raise BadPayload(f"its asset {token:#042x} is not a well-known token: add assets: [..] to this position")
        return known
    declared = position.assets[0]
    if belied(position.chain, token, declared):
        raise BadPayload(f"its asset is {known}, this position declares {declared}: correct assets, or the pool")
    return declared


def _digits(whose: str, answer: Answer) -> int:
    digits = int(output(answer))
    if digits > MOST_DECIMALS:
        raise BadPayload(f"{whose} says that it has {digits} decimals, which no amount can have")
    return digits
