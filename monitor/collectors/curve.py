"""Curve stable pools: a position's share and what its pool holds, read from the contracts at one block hash a pass.

Shares are those of the account itself. What lies in a gauge belongs, for the token, to the gauge: it counts only if the account is the gauge.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from monitor.chain import Address, Answer, Call, Failed, amount, output, unless_absent
from monitor.chain_positions import ChainPositions, Place, Rounds
from monitor.core.book import Chain, Position
from monitor.core.observation import Reading
from monitor.core.stableswap import A_PRECISION, balanced_withdrawal
from monitor.errors import BadPayload
from monitor.pool_shares import NATIVE, Share, coin_names, pool_subject, share_price, share_promises

ABI, MOST_COINS = "curve_pool", 8
NAMES = ("N_COINS", "A", "A_precise", "gamma", "get_virtual_price", "stored_rates", "lp_token", "token")
# Pools that tell neither lp_token nor token: docs.curve.finance, Deployment Addresses.
LP_TOKENS: Mapping[str, str] = {"ethereum/0xbebc44782c7db0a1a60cb6fe97d0b483032ff1c7": "0x6c3F90f043a72FA612cbac8115EE7e52BDe6E490"}
Pool = Annotated[str, Field(pattern=r"^[a-z0-9\-]+/0x[0-9a-fA-F]{40}$")]


@dataclass(frozen=True, kw_only=True)
class Curve(ChainPositions):
    """`lp_tokens` gives the token of the shares of `chain/0xpool` where the pool itself does not tell it.

    Pools whose coins are counted as uint256 and kept at one peg: not those of early 2020 that count as int128, nor cryptoswap.
    """

    title = "Curve"
    homepage = "https://docs.curve.finance/"
    kind = "curve"
    rounds = 2

    lp_tokens: Mapping[Pool, Address] = field(default_factory=dict)

    def promises(self, position: Position) -> Iterable[tuple[str, str]]:
        """Shares and the pool's numbers; amounts and balances where the position names its coins. Well-known ones come with them."""
        yield from share_promises(position)
        yield from ((f"pool.{name}", pool_subject(position)) for name in ("amplification", "virtual_price"))

    def asks(self, position: Position, chain: Chain, answers: Rounds) -> tuple[Call, ...]:
        pool = position.pool
        if not answers:
            listed = [Call(pool, ABI, name, (place,)) for name in ("coins", "balances") for place in range(MOST_COINS)]
            return (*listed, *(Call(pool, ABI, name) for name in NAMES))
        coins, token = parse_coins(answers[0][: 2 * MOST_COINS])[0], self._share_token(position, answers[0])
        decimals = [Call(coin, "erc20", "decimals") for coin in coins if coin != NATIVE]
        return (Call(token, ABI, "totalSupply"), Call(token, "erc20", "balanceOf", (position.account,)), *decimals)

    def _share_token(self, position: Position, answers: Sequence[Answer]) -> str:
        named = {**LP_TOKENS, **{place.lower(): token for place, token in self.lp_tokens.items()}}
        told = [unless_absent(answer) for answer in answers[-2:]]
        place = f"{position.chain}/{position.pool.lower()}"
        return named.get(place) or next((str(answer[0]) for answer in told if answer is not None), position.pool)

    def parse(self, position: Position, place: Place, answers: Rounds) -> list[Reading]:
        coins, balances = parse_coins(answers[0][: 2 * MOST_COINS])
        about = dict(zip(NAMES, answers[0][2 * MOST_COINS :], strict=True))
        supply, shares = _shares(position, *answers[1][:2])
        told = iter(answers[1][2:])
        decimals = tuple(18 if coin == NATIVE else int(output(next(told))) for coin in coins)
        names = coin_names(position, coins)
        share = Share(names, decimals, balances, balanced_withdrawal(balances, shares, supply), shares)
        price = share_price(about["get_virtual_price"], shares)
        pool = {"amplification": parse_amplification(about), **_rates(about, names, decimals), **price}
        return list(share.readings(position, place, pool))


def _shares(position: Position, supply: Answer, held: Answer) -> tuple[int, int]:
    if isinstance(supply, Failed) and supply.reverted:
        place = f"{position.chain}/{position.pool}"
        raise BadPayload(f"the pool does not tell the token of its shares: add lp_tokens: {{{place}: 0x..}} to this source")
    if amount(held) > amount(supply):
        raise BadPayload("the account has more shares than there are")
    return amount(supply), amount(held)


def parse_coins(answers: Sequence[Answer]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Addresses in lower case and raw balances of a pool's coins: up to the first that it does not have, which reverts. BadPayload for gaps."""
    listed = [None if (answer := unless_absent(one)) is None else str(answer[0]).lower() for one in answers[:MOST_COINS]]
    count = listed.index(None) if None in listed else MOST_COINS
    coins = tuple(coin for coin in listed if coin is not None)
    held = [None if unless_absent(one) is None else amount(one) for one in answers[MOST_COINS:]]
    balances = tuple(balance for balance in held if balance is not None)
    if count < 2 or len(coins) != count or len(balances) != count or held[count - 1] is None:
        raise BadPayload("it does not list its coins and balances as a Curve pool with uint256 indexes does: is pool: the pool's address?")
    return coins, balances


def parse_amplification(about: Mapping[str, Answer]) -> float:
    """A() with the two digits of A_precise, where the pool has that. BadPayload for a pool that is not kept at one peg."""
    if unless_absent(about["gamma"]) is not None:
        raise BadPayload("it is a cryptoswap pool, which is not kept at one peg: only stable pools are read")
    whole, precise = int(output(about["A"])), unless_absent(about["A_precise"])
    if precise is None:
        return float(whole)
    if precise[0] // A_PRECISION != whole:
        raise BadPayload("its A() is not that of its A_precise()")
    return float(precise[0] / A_PRECISION)


def _rates(about: Mapping[str, Answer], names: Sequence[str], decimals: Sequence[int]) -> dict[str, float]:
    """What the pool counts one whole coin as, where it tells it; every pool of the newest generation, which has N_COINS, must."""
    count, stored = unless_absent(about["N_COINS"]), unless_absent(about["stored_rates"])
    if count is not None and count[0] != len(names):
        raise BadPayload(f"it says that it has {count[0]} coins and lists {len(names)}")
    if stored is None:
        if count is not None:
            output(about["stored_rates"])
        return {}
    if len(stored[0]) != len(names):
        raise BadPayload(f"it tells {len(stored[0])} rates for {len(names)} coins")
    return {f"rate.{name}": rate * 10**digits / 10**36 for name, rate, digits in zip(names, stored[0], decimals, strict=True)}
