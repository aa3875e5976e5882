"""Perpetual positions on GMX v2, by address, read from its Reader contract at one block hash a pass.

Prices, tokens and markets are those of its published API (https://docs.gmx.io/docs/api/rest-v2): the contract asks for prices, since those that it
settles at are signed outside of the chain. Sizes and fees are the contract's own.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Literal, NamedTuple

from monitor.accounts import AccountCollector, Held, checked, told
from monitor.chain import Address, Answer, Block, BlockPinnedReader, Call, output, plausible
from monitor.core.book import Position, Watch
from monitor.core.decode import items, text, whole
from monitor.core.endpoint import at_endpoint
from monitor.core.perpetual import Perpetual, liquidation_price
from monitor.core.tokens import STABLES, underlying
from monitor.core.units import MINUTE, SECOND, Duration
from monitor.errors import BadPayload, SourceError
from monitor.rpc import json_rpc
from monitor.source import Harvest, Ports, each

READER_ABI, STORE_ABI = "gmx_v2_reader", "gmx_v2_data_store"
USD_DIGITS = 30
MOST_POSITIONS = 100
MOST_DECIMALS = 30
OLDEST_PRICES_MS = 5 * MINUTE
NOBODY = "0x" + "0" * 40
ADDRESS = re.compile("0x[0-9a-f]{40}")


class Contracts(NamedTuple):
    """Where GMX v2 stands on a chain: github.com/gmx-io/gmx-synthetics, deployments/. The Reader is replaced with every release."""

    reader: str
    data_store: str
    referrals: str
    api: str


CONTRACTS: Mapping[int, Contracts] = {
    42161: Contracts(
        "0x470fbC46bcC0f16532691Df360A07d8Bf5ee0789",
        "0xFD70de6b91282D8017aA4E741e9Ae325CAb992d8",
        "0xe6fab3F0c7199b0d34d7FbE83394fc0e0D06e99d",
        "https://arbitrum-api.gmxinfra.io",
    ),
}


class Token(NamedTuple):
    """A token of the API: its asset, its decimals, and its USD price for one raw unit, least and most, with 30 digits."""

    asset: str
    decimals: int
    least: int
    most: int

    @property
    def usd(self) -> float:
        """The price of one whole token, in the middle."""
        return (self.least + self.most) / 2 * 10.0 ** (self.decimals - USD_DIGITS)


class Market(NamedTuple):
    """A market by its three tokens: what is traded, and the two that back it."""

    traded: str
    long: str
    short: str


@dataclass(frozen=True)
class Listing:
    """What the API lists, by address in small letters."""

    tokens: Mapping[str, Token]
    markets: Mapping[str, Market]

    def of(self, market: str) -> tuple[Market, Token]:
        """A market and the token that is traded there. BadPayload where the API does not tell them whole."""
        found = self.markets.get(market.lower())
        if found is None or found.traded not in self.tokens:
            raise BadPayload(f"the API lists no market {market:.42}, or not its token and price")
        return found, self.tokens[found.traded]


@dataclass(frozen=True, kw_only=True)
class GmxAccount(AccountCollector):
    """Positions with `venue: gmx` and an `account`, on `chain`, at its `block`. `reader`, `data_store` and `referrals` replace the known contracts.

    The margin is the collateral at the API's price, less the borrowing and funding fees that are due; only stablecoins as collateral are
    supported. The liquidation price is where what is left is the market's least share of the size
    at its entry, which is also the maintenance ratio; the fee and the price impact of closing are
    left aside, so that GMX liquidates somewhat earlier. Funding since the opening is not told.
    """

    title: ClassVar[str] = "GMX v2 account"
    homepage: ClassVar[str] = "https://docs.gmx.io"
    venue: ClassVar[str] = "gmx"
    tells: ClassVar[Sequence[str]] = ("size", "entry_price", "margin_usd", "unrealised_usd", "maintenance_ratio", "liquidation_price")

    cadence: Duration = MINUTE
    chain: str = "arbitrum"
    block: Literal["latest", "safe", "finalized"] = "latest"
    reader: Address | Literal[""] = ""
    data_store: Address | Literal[""] = ""
    referrals: Address | Literal[""] = ""
    api: str = field(default="", repr=False)

    def flaw_of(self, position: Position) -> str:
        """An address is needed."""
        known = ADDRESS.fullmatch(position.account.lower())
        return "" if known else "a position on gmx needs `account`, the address that holds it: 0x and 40 hexadecimal digits"

    def urls(self) -> tuple[str, ...]:
        """The API's, where it is another one."""
        return (self.endpoint, self.api)

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """The listing, then each account at one block; one that cannot be read does not take the others with it."""
        accounts = self.positions(watch)
        if not accounts:
            return Harvest()
        if self.chain not in watch.chains:
            raise SourceError(f"positions on gmx are read on chain {self.chain}: add it under `chains` with its `rpc`", permanent=True)
        chain = watch.chains[self.chain]
        contracts = self._contracts(chain.chain_id)
        reader = BlockPinnedReader(json_rpc(ports.net, chain.rpc), chain.chain_id)
        block = await reader.pin(self.block)
        listing = await self._listing(ports, contracts.api, block)
        return await each(partial(read_account, reader, block, contracts, listing, *one) for one in accounts.items())

    def _contracts(self, chain_id: int) -> Contracts:
        known = CONTRACTS.get(chain_id, Contracts("", "", "", ""))
        own = Contracts(self.reader, self.data_store, self.referrals, self.api)
        merged = Contracts(*(mine or theirs for mine, theirs in zip(own, known, strict=True)))
        if missing := [name for name, value in merged._asdict().items() if not value]:
            raise SourceError(f"where GMX v2 stands on chain {self.chain} is not known: add {', '.join(missing)} to this source", permanent=True)
        return merged

    async def _listing(self, ports: Ports, api: str, block: Block) -> Listing:
        tokens, tickers, markets = [
            await ports.net.get_json(at_endpoint(self.endpoint, f"{api}/{path}")) for path in ("tokens", "prices/tickers", "markets")
        ]
        return parse_listing(tokens, tickers, markets, block.timestamp_ms)


# --- the API ---


def parse_listing(tokens: object, tickers: object, markets: object, now_ms: int) -> Listing:
    """Tokens with their prices, and markets. What cannot be read is left out: who needs it finds it missing."""
    prices: dict[str, tuple[int, int]] = {}
    for row in items(tickers):
        try:
            least, most = whole(row, "minPrice"), whole(row, "maxPrice")
            if 0 < least <= most and abs(now_ms - whole(row, "timestamp") * SECOND) <= OLDEST_PRICES_MS:
                prices[_address(row, "tokenAddress")] = least, most
        except BadPayload:
            continue
    found: dict[str, Token] = {}
    for row in items(tokens, "tokens"):
        try:
            address, decimals = _address(row, "address"), whole(row, "decimals")
            if address in prices and 0 <= decimals <= MOST_DECIMALS:
                found[address] = Token(underlying(text(row, "symbol").upper()), decimals, *prices[address])
        except BadPayload:
            continue
    return Listing(found, _markets(markets))


def _markets(body: object) -> dict[str, Market]:
    found: dict[str, Market] = {}
    for row in items(body, "markets"):
        try:
            market, *tokens = (_address(row, name) for name in ("marketToken", "indexToken", "longToken", "shortToken"))
        except BadPayload:
            continue
        if tokens[0] != NOBODY:  # else it is for swaps alone
            found[market] = Market(*tokens)
    return found


def _address(row: object, name: str) -> str:
    address = text(row, name).lower()
    if ADDRESS.fullmatch(address) is None:
        raise BadPayload(f"{name} is no address")
    return address


# --- the contract ---


class Row(NamedTuple):
    """A position as the Reader tells it; USD with 30 digits, tokens in raw units."""

    addresses: tuple[str, str, str]
    numbers: tuple[int, ...]
    flags: tuple[bool]

    @property
    def key(self) -> bytes:
        """The name under which the contracts keep it."""
        return hashed(["address", "address", "address", "bool"], [*self.addresses, *self.flags])


def hashed(types: Sequence[str], values: Sequence[object]) -> bytes:
    """keccak256(abi.encode(..)), which GMX names everything by."""
    from eth_abi.abi import encode
    from eth_utils.crypto import keccak

    return keccak(encode(types, values))


def least_share_key(market: str) -> bytes:
    """Under which the data store keeps the least share of a position's size that must be left in this market."""
    return hashed(["bytes32", "address"], [hashed(["string"], ["MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION"]), market])


async def read_account(
    reader: BlockPinnedReader, block: Block, contracts: Contracts, listing: Listing, account: str, positions: Sequence[Position]
) -> Harvest:
    """Readings of one account's positions, all of this block."""
    [answer] = await reader.read(
        block, [Call(contracts.reader, READER_ABI, "getAccountPositions", (contracts.data_store, account, 0, MOST_POSITIONS))]
    )
    rows = [Row(*row) for row in output(answer)]
    if len(rows) >= MOST_POSITIONS:
        raise BadPayload(f"{account}: {len(rows)} positions in one answer: there may be more, which are not read")
    wanted = {underlying(position.asset) for position in positions}
    held: dict[str, list[Held]] = {}
    refused: list[str] = []
    others = set[str]()
    for place, row in enumerate(rows, 1):
        try:
            if row.addresses[0].lower() != account.lower():
                raise BadPayload("it is another account's")
            market, index = listing.of(row.addresses[1])
            if index.asset not in wanted:
                others.add(index.asset)
            else:
                answers = await reader.read(block, _calls(contracts, row, market, listing))
                held.setdefault(index.asset, []).append(parse_row(row, index, listing, answers))
        except BadPayload as problem:
            refused.append(f"gmx: position {place}: {problem}")
    priced = {listing.tokens[market.traded].asset for market in listing.markets.values() if market.traded in listing.tokens}
    missing = {asset: f"GMX has no market of {asset} with a price here" for asset in wanted - priced}
    return told(positions, held, refused, block.timestamp_ms, missing=missing, others=others, block_hash=block.hash)


def _calls(contracts: Contracts, row: Row, market: Market, listing: Listing) -> list[Call]:
    prices = []
    for token in market:
        if token not in listing.tokens:
            raise BadPayload(f"the API gives no price of {token:.42}")
        prices.append((listing.tokens[token].least, listing.tokens[token].most))
    asked = (contracts.data_store, contracts.referrals, row.key, tuple(prices), 0, NOBODY, True)
    return [
        Call(contracts.reader, READER_ABI, "getPositionInfo", asked),
        Call(contracts.data_store, STORE_ABI, "getUint", (least_share_key(row.addresses[1]),)),
    ]


def parse_row(row: Row, index: Token, listing: Listing, answers: Sequence[Answer]) -> Held:
    """One position, its fees that are due taken off its margin. BadPayload for collateral that moves with the market."""
    info, least = output(answers[0]), output(answers[1]) / 10**USD_DIGITS
    key, told_row, fees, _, _, profit, _ = info
    if key != row.key or Row(*told_row) != row:
        raise BadPayload("the Reader answered about another position")
    collateral = listing.tokens.get(row.addresses[2].lower())
    if collateral is None or collateral.asset not in STABLES:
        named = "not listed" if collateral is None else f"{collateral.asset!a:.20}"
        raise BadPayload(f"its collateral is {named}, which is no stablecoin: that is not supported, declare the position instead")
    size_usd, tokens, amount = row.numbers[:3]
    if not size_usd or not tokens:
        raise BadPayload("it has no size")
    coins, entry = tokens / 10**index.decimals, (size_usd / 10**USD_DIGITS) / (tokens / 10**index.decimals)
    size = coins if row.flags[0] else -coins
    due = plausible(fees[2][0]) + plausible(fees[3][1])
    margin_usd = (plausible(amount) - due) / 10**collateral.decimals * collateral.usd
    edge = liquidation_price(Perpetual(size, entry, margin_usd - least * size_usd / 10**USD_DIGITS), 0.0)
    return checked(
        Held(
            held=Perpetual(size, entry, margin_usd),
            mark=index.usd,
            unrealised_usd=profit / 10**USD_DIGITS,
            maintenance_ratio=least,
            liquidation_price=edge or 0.0,
        )
    )
