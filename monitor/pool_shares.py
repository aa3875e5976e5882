"""What collectors of shares of pools have in common: the names of a pool's coins, and what one account has of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.chain import MOST_DECIMALS, Answer, output, unless_absent
from monitor.chain_positions import Place
from monitor.core.book import Position
from monitor.core.observation import Reading
from monitor.core.tokens import ASSET_OF, belied
from monitor.errors import BadPayload

# How contracts write the coin that pays for gas where a token's address is asked.
NATIVE = "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"


def pool_subject(position: Position) -> str:
    """The subject of a position's pool."""
    return f"pool:{position.chain}/{position.pool.lower()}"


def share_promises(position: Position) -> Iterator[tuple[str, str]]:
    """Shares; amounts and balances where the position names its coins."""
    yield "position.shares", position.id
    for name in position.assets:
        yield f"position.amount.{name}", position.id
        yield f"pool.balance.{name}", pool_subject(position)


def coin_names(position: Position, tokens: Sequence[str]) -> tuple[str, ...]:
    """The asset of each coin of a pool: as declared, in the pool's order, else as a well-known token. What a token calls itself is never asked.

    BadPayload, saying what to write, where one has no name or two have the same.
    """
    cure = f"add assets: [..] to position {position.id}, in the order of the pool"
    if position.assets and len(position.assets) != len(tokens):
        raise BadPayload(f"the pool has {len(tokens)} coins and the position names {len(position.assets)}: {cure}")
    names = position.assets or tuple(_well_known(position.chain, token) for token in tokens)
    nameless = [token for token, name in zip(tokens, names, strict=True) if not name]
    if nameless:
        raise BadPayload(f"its coin {nameless[0]} is not a well-known token: {cure}")
    for token, name in zip(tokens, names, strict=True):
        if known := belied(position.chain, _number(token), name):
            raise BadPayload(f"its coin {token} is {known}, position {position.id} declares {name}: correct assets, in the order of the pool")
    if len(set(names)) != len(names):
        raise BadPayload(f"two of its coins are called {max(names, key=names.count)}: {cure}")
    return names


def _well_known(chain: str, token: str) -> str:
    return ASSET_OF.get((chain, _number(token)), "")


def _number(token: str) -> int:
    return 0 if token.lower() == NATIVE else int(token, 16)


def share_price(answer: Answer, shares: int) -> dict[str, float]:
    """The virtual price, of 18 decimals. A pool that holds nothing or dust cannot tell it, which matters to nobody who has no share of it."""
    return {} if not shares and unless_absent(answer) is None else {"virtual_price": output(answer) / 10**18}


@dataclass(frozen=True, slots=True)
class Share:
    """What one account has of a pool, in raw units; `paid` is what leaving with all shares in proportion would pay."""

    names: tuple[str, ...]
    decimals: tuple[int, ...]
    balances: tuple[int, ...]
    paid: Sequence[int]
    shares: int

    def readings(self, position: Position, place: Place, pool: Mapping[str, float]) -> Iterator[Reading]:
        """Readings of the position and of its pool, `pool` adding to what is told of the latter."""
        if max(self.decimals) > MOST_DECIMALS:
            raise BadPayload(f"a coin says that it has {max(self.decimals)} decimals, which no amount can have")
        paid, held = (
            {name: raw / 10**digits for name, digits, raw in zip(self.names, self.decimals, told, strict=True)} for told in (self.paid, self.balances)
        )
        pinned = {f"decimals.{name}": digits for name, digits in zip(self.names, self.decimals, strict=True)}
        amounts = {f"amount.{name}": coins for name, coins in paid.items()}
        yield from place.readings("position", position.id, {"shares": self.shares, **amounts, **pinned})
        yield from place.readings("pool", pool_subject(position), {**{f"balance.{name}": coins for name, coins in held.items()}, **pool})
