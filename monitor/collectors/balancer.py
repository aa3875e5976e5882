"""Balancer v2 pools, weighted and stable: a position's share and what its pool holds, read from pool and Vault at one block hash a pass.

A share is of the supply that an exit divides by: getActualSupply where the pool tells it, which includes fees due to the protocol that are not
minted yet. Pools before that function pay such fees out of their balances at the next join or exit: by so much they are overstated.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from monitor.chain import Address, Answer, Call, amount, output, outputs, plausible, unless_absent
from monitor.chain_positions import ChainPositions, Place, Rounds
from monitor.core.book import Chain, Position
from monitor.core.observation import Reading
from monitor.core.weighted import MOST_DECIMALS, ONE, proportional_exit
from monitor.errors import BadPayload
from monitor.pool_shares import Share, coin_names, share_price, share_promises

# The same on every chain that has it: docs.balancer.fi, v2 deployment addresses.
VAULT = "0xBA12222222228d8Ba445958a75a0704d566BF2C8"
Value = TypeVar("Value")
ABI, VAULT_ABI = "balancer_v2_pool", "balancer_v2_vault"
NAMES = (
    "getPoolId",
    "totalSupply",
    "getActualSupply",
    "getVirtualSupply",
    "getNormalizedWeights",
    "getAmplificationParameter",
    "getRate",
    "getScalingFactors",
)


@dataclass(frozen=True, kw_only=True)
class Balancer(ChainPositions):
    """`vaults` names the Vault by chain, for forks. Shares that are staked in a gauge count only if the account is the gauge."""

    title = "Balancer v2"
    homepage = "https://docs-v2.balancer.fi/"
    kind = "balancer"
    rounds = 3

    vaults: Mapping[str, Address] = field(default_factory=dict)

    def promises(self, position: Position) -> Iterable[tuple[str, str]]:
        """Shares; amounts and balances where the position names its coins. Weights, or amplification and price of a share, come with them."""
        return share_promises(position)

    def asks(self, position: Position, chain: Chain, answers: Rounds) -> tuple[Call, ...]:
        pool = position.pool
        if not answers:
            return (*(Call(pool, ABI, name) for name in NAMES), Call(pool, "erc20", "balanceOf", (position.account,)))
        if len(answers) == 1:
            vault = self.vaults.get(position.chain, VAULT)
            return (Call(vault, VAULT_ABI, "getPoolTokens", (output(answers[0][0]),)),)
        tokens, _, _ = outputs(answers[1][0])
        return tuple(Call(token, "erc20", "decimals") for token in tokens if token != pool.lower())

    def parse(self, position: Position, place: Place, answers: Rounds) -> list[Reading]:
        about, held = dict(zip(NAMES, answers[0], strict=False)), answers[0][-1]
        tokens, balances, _ = outputs(answers[1][0])
        # A composable pool keeps its own unminted shares among its tokens: nobody's, and never paid out.
        own = [place for place, token in enumerate(tokens) if token == position.pool.lower()]
        supply, shares = parse_supply(about, bool(own)), amount(held)
        if shares > supply:
            raise BadPayload("the account has more shares than there are")
        coins = _without(own, tokens)
        decimals = tuple(int(output(answer)) for answer in answers[2])
        if max(decimals, default=MOST_DECIMALS + 1) > MOST_DECIMALS:
            raise BadPayload("the Vault names no coin of the pool, or one of more than 18 decimals: no pool has such")
        raw = tuple(plausible(balance) for balance in _without(own, balances))
        names = coin_names(position, coins)
        share = Share(names, decimals, raw, proportional_exit(raw, decimals, shares, supply), shares)
        return list(share.readings(position, place, _shape(about, names, decimals, own, shares)))


def _without(places: Sequence[int], values: Sequence[Value]) -> tuple[Value, ...]:
    return tuple(value for place, value in enumerate(values) if place not in places)


def parse_supply(about: Mapping[str, Answer], is_composable: bool) -> int:
    """The shares that an exit divides by. BadPayload where a pool that keeps its own shares does not tell how many are out."""
    actual = unless_absent(about["getActualSupply"])
    if actual is None and is_composable:
        actual = unless_absent(about["getVirtualSupply"])
        if actual is None:
            raise BadPayload("it keeps its own shares and does not tell how many are out: no such pool is known")
    return amount(about["totalSupply"]) if actual is None else plausible(actual[0])


def _shape(about: Mapping[str, Answer], names: Sequence[str], decimals: Sequence[int], own: Sequence[int], shares: int) -> dict[str, float]:
    """Weights of a weighted pool; amplification, rates and price of a share of a stable one. BadPayload for any other."""
    weights, amplification = unless_absent(about["getNormalizedWeights"]), unless_absent(about["getAmplificationParameter"])
    if weights is not None:
        if len(weights[0]) != len(names) or sum(weights[0]) != ONE:
            raise BadPayload("its weights are not one for each coin that together make 1")
        return {f"weight.{name}": weight / ONE for name, weight in zip(names, weights[0], strict=True)}
    if amplification is None:
        raise BadPayload("it has neither weights nor amplification: only weighted and stable pools of Balancer v2 are read")
    value, _, precision = amplification
    if precision == 0 or value < precision:
        raise BadPayload("its amplification is below 1, which no stable pool has")
    found = {"amplification": value / precision, **_rates(unless_absent(about["getScalingFactors"]), names, decimals, own)}
    return found | share_price(about["getRate"], shares)


def _rates(factors: tuple[Any, ...] | None, names: Sequence[str], decimals: Sequence[int], own: Sequence[int]) -> dict[str, float]:
    """What the pool counts one whole coin as: its scaling factor without the decimals."""
    if factors is None:
        return {}
    scales = _without(own, factors[0])
    if len(scales) != len(names):
        raise BadPayload(f"it scales {len(scales)} coins and the Vault keeps {len(names)} of it")
    return {f"rate.{name}": scale * 10**digits / 10**36 for name, scale, digits in zip(names, scales, decimals, strict=True)}
