"""What is read of wallets: the chain's own coin and ERC-20s, in whole coins, whole or not at all.

A sum of what happened to answer would look like a loss.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from monitor.chain import MOST_DECIMALS, MULTICALL3, Answer, Call, output
from monitor.core.book import Chain
from monitor.core.tokens import CHAINS
from monitor.errors import BadPayload

COIN_OF_ID = dict(CHAINS.values())
NATIVE_DECIMALS = 18


def native_coin(chain: Chain, named: str = "") -> str:
    """The chain's own coin, as named or as known by the chain's id; empty where it is neither."""
    return named or COIN_OF_ID.get(chain.chain_id, "")


@dataclass(frozen=True, slots=True)
class Wallets:
    """Addresses whose balances are added up. `native` names the chain's own coin, empty where it is not asked; `tokens` the ERC-20s by asset.

    A token under the coin's own name is added to it.
    """

    addresses: Sequence[str]
    native: str
    tokens: Mapping[str, str]

    def calls(self) -> tuple[Call, ...]:
        """Every read that is needed, each once."""
        return (*self._native_calls(), *(call for token in self.tokens.values() for call in self._token_calls(token)))

    def amounts(self, held: Mapping[Call, Answer]) -> dict[str, float]:
        """By asset, in whole coins, to the nearest double. BadPayload that names the contract if any balance is missing."""
        found: dict[str, Fraction] = {}
        if self.native:
            found[self.native] = Fraction(sum(_values(held, self._native_calls())), 10**NATIVE_DECIMALS)
        decimals = self.decimals(held)
        for asset, token in self.tokens.items():
            _, *balances = self._token_calls(token)
            found[asset] = found.get(asset, Fraction(0)) + Fraction(sum(_values(held, balances)), 10 ** decimals[asset])
        return {asset: float(total) for asset, total in found.items()}

    def decimals(self, held: Mapping[Call, Answer]) -> dict[str, int]:
        """Those of each ERC-20, by asset. BadPayload for more than an amount can have."""
        found: dict[str, int] = {}
        for asset, token in self.tokens.items():
            [found[asset]] = _values(held, self._token_calls(token)[:1])
            if found[asset] > MOST_DECIMALS:
                raise BadPayload(f"{asset} says that it has {found[asset]} decimals, which no amount can have")
        return found

    def _native_calls(self) -> tuple[Call, ...]:
        return tuple(Call(MULTICALL3, "multicall3", "getEthBalance", (address,)) for address in self.addresses if self.native)

    def _token_calls(self, token: str) -> tuple[Call, ...]:
        return (Call(token, "erc20", "decimals"), *(Call(token, "erc20", "balanceOf", (address,)) for address in self.addresses))


def _values(held: Mapping[Call, Answer], calls: Iterable[Call]) -> list[int]:
    values = list[int]()
    for call in calls:
        try:
            values.append(int(output(held[call])))
        except BadPayload as problem:
            raise BadPayload(f"{problem} at {call.target}") from None
    return values
