"""Wallets of positions of kind `tokens`: the chain's own coin and ERC-20s, read at one block hash a pass."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from pydantic import Field

from monitor.chain import Address, Call
from monitor.chain_positions import ChainPositions, Place, Rounds
from monitor.core.book import Chain, Position, PositionKind
from monitor.core.observation import Reading
from monitor.core.tokens import token_of
from monitor.core.vocabulary import ASSET
from monitor.errors import BadPayload
from monitor.wallets import Wallets, native_coin

Named = Annotated[str, Field(pattern=rf"^[a-z0-9\-]+/{ASSET}$")]
Coin = Annotated[str, Field(pattern=f"^{ASSET}$")]


@dataclass(frozen=True, kw_only=True)
class WalletTokens(ChainPositions):
    """`tokens` gives the contract of an asset that is not well known, `{"base/CBETH": 0x..}`; `native` the chain's own coin by chain, where
    its id does not tell. An asset of that name is the coin itself, and not what wraps it.
    """

    title: ClassVar[str] = "Wallets"
    homepage: ClassVar[str] = "https://eips.ethereum.org/EIPS/eip-20"
    kind: ClassVar[PositionKind] = "tokens"
    rounds: ClassVar[int] = 1

    tokens: Mapping[Named, Address] = field(default_factory=dict)
    native: Mapping[str, Coin] = field(default_factory=dict)

    def promises(self, position: Position) -> Iterable[tuple[str, str]]:
        """The amount of each asset that it names."""
        return ((f"position.amount.{asset}", position.id) for asset in position.assets)

    def asks(self, position: Position, chain: Chain, answers: Rounds) -> tuple[Call, ...]:
        return self._wallet(position, chain).calls()

    def parse(self, position: Position, place: Place, answers: Rounds) -> list[Reading]:
        wallet = self._wallet(position, place.chain)
        held = dict(zip(wallet.calls(), *answers, strict=True))
        amounts = {f"amount.{asset}": amount for asset, amount in wallet.amounts(held).items()}
        pinned = {f"decimals.{asset}": digits for asset, digits in wallet.decimals(held).items()}
        return list(place.readings("position", position.id, {**amounts, **pinned}))

    def _wallet(self, position: Position, chain: Chain) -> Wallets:
        coin = native_coin(chain, self.native.get(position.chain, ""))
        native = coin if coin in position.assets else ""
        tokens = {asset: self._token(position.chain, asset) for asset in position.assets if asset != native}
        return Wallets((position.account,), native, tokens)

    def _token(self, chain: str, asset: str) -> str:
        token = self.tokens.get(f"{chain}/{asset}") or token_of(chain, asset)
        if not token:
            raise BadPayload(f"no contract of {asset} is known on chain {chain}: add tokens: {{{chain}/{asset}: 0x..}} to the source wallet-tokens")
        return token
