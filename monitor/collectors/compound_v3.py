"""Compound v3: rates, use, caps and state of its markets (Comets), and the health of accounts, read from the contracts at one block hash a pass.

A Comet lends one base asset against collateral that earns nothing. Totals and balances are the contract's own, interest until the block included;
rates are those that it charges at the utilisation that these totals make. COMP rewards are never part of a rate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NamedTuple

from monitor.chain import Address, Answer, Block, BlockPinnedReader, Call, Failed, amount, output, outputs, plausible
from monitor.core.aave import NO_DEBT, WAD, PerSecond, Wad, apr_of_second, apy, fraction_of_wad, shown_health
from monitor.core.book import Position, Watch
from monitor.core.observation import Reading
from monitor.core.tokens import ASSET_OF, STABLES, tokens_called
from monitor.core.units import HOUR, MINUTE, Duration
from monitor.errors import BadPayload
from monitor.net import Net
from monitor.oracles import answer_ages
from monitor.rpc import json_rpc
from monitor.source import Collector, Harvest, Ports, each

# Comet by chain id and base asset: github.com/compound-finance/comet, deployments/<chain>/<market>/roots.json.
COMETS: Mapping[tuple[int, str], str] = {
    (1, "USDC"): "0xc3d688B66703497DAA19211EEdff47f25384cdc3",
    (8453, "USDC"): "0xb125E6687d4313864e53df431d5425969c15Eb2F",
    (42161, "USDC"): "0x9c4ec768c28520B50860ea7a15bd7213a9fF58bf",
}
KIND, ABI = "compound-v3", "compound_v3_comet"
PRICE_UNIT = 10**8
MOST_USE = 2 * WAD
ACCOUNT_PARTS = ("supplied", "borrowed", "liquidation_threshold")
MARKET = ("supply_apy", "borrow_apr", "utilisation", "supplied", "borrowed", "status")


@dataclass(frozen=True, kw_only=True)
class CompoundV3(Collector):
    """`comets` names the market of `chain/BASE`, `tokens` the collateral token of `chain/ASSET` where a symbol is not enough; `block` is where a
    pass reads. The health of an account whose oracle answer is older than `oracle_limit` is refused.

    Collateral is told of as `lending:chain/compound-v3-base/ASSET`. Dollars are given for markets of a stablecoin alone: others count in
    their base asset.
    """

    title = "Compound v3"
    homepage = "https://docs.compound.finance/"

    cadence: Duration = MINUTE
    block: Literal["latest", "safe", "finalized"] = "latest"
    comets: Mapping[str, Address] = field(default_factory=dict)
    tokens: Mapping[str, Address] = field(default_factory=dict)
    oracle_limit: Duration = 26 * HOUR

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """What comes of markets whose Comet is known, and of accounts in them."""
        pairs = set[tuple[str, str]]()
        for name, wanted in _wanted(watch).items():
            for base in (base for base in wanted.bases if self._comet(watch, name, base) is not None):
                pairs |= {(f"lending.{each}", subject) for subject in wanted.markets.get(base, ()) for each in MARKET}
                for position in wanted.accounts.get(base, ()):
                    dollars = ("collateral_usd", "debt_usd") if base in STABLES else ()
                    pairs |= {(f"account.{each}", position.id) for each in ("health_factor", f"borrowed.{base}", *dollars)}
                    pairs |= {(f"account.{part}.{asset}", position.id) for asset in position.assets for part in ACCOUNT_PARTS}
        return frozenset(pairs)

    def has_work(self, watch: Watch) -> bool:
        """A market without a known Comet too: it promises nothing, and its poll says why."""
        return bool(_wanted(watch))

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        wanted = _wanted(watch)
        return await each(partial(self._chain, ports.net, watch, name, of_chain) for name, of_chain in wanted.items())

    def _comet(self, watch: Watch, chain: str, base: str) -> str | None:
        return self.comets.get(f"{chain}/{base}") or COMETS.get((watch.chains[chain].chain_id, base))

    async def _chain(self, net: Net, watch: Watch, name: str, wanted: "Wanted") -> Harvest:
        chain = watch.chains[name]
        reader = BlockPinnedReader(json_rpc(net, self.endpoint or chain.rpc), chain.chain_id)
        block = await reader.pin(self.block)
        return Harvest.together([await self._base(reader, block, watch, name, base, wanted) for base in wanted.bases])

    async def _base(self, reader: BlockPinnedReader, block: Block, watch: Watch, chain: str, base: str, wanted: "Wanted") -> Harvest:
        comet, what = self._comet(watch, chain, base), f"lending:{chain}/{KIND}/{base}"
        if comet is None:
            cure = f"add comets: {{{chain}/{base}: 0x..}} to this source"
            first = (
                ""
                if base not in wanted.accounts
                else f"{base} stands first in assets, where the base asset of the market belongs: put that first, or "
            )
            names = [position.id for position in wanted.accounts.get(base, ())] or [what]
            return Harvest(rejected=[f"{name}: no Comet of {base} is known there: {first}{cure}" for name in names])
        try:
            market = await read_market(reader, block, chain, base, comet)
        except BadPayload as problem:
            return Harvest(rejected=[f"{what}: {problem}"])
        parts = [_rows("lending", subject, market.values, block) for subject in wanted.markets.get(base, ())]
        parts += [_rows("lending", f"lending:{chain}/{KIND}-{base.lower()}/{one.asset}", one.values, block) for one in market.collateral if one.asset]
        parts += [Harvest(rejected=[f"{what}: {one.nameless}" for one in market.collateral if one.nameless])]
        parts += [await self._account(reader, block, market, position) for position in wanted.accounts.get(base, ())]
        return Harvest.together(parts)

    async def _account(self, reader: BlockPinnedReader, block: Block, market: "Market", position: Position) -> Harvest:
        try:
            return await read_account(reader, block, market, position, self.tokens, self.oracle_limit)
        except BadPayload as problem:
            return Harvest(rejected=[f"{position.id}: {problem}"])


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is read on one chain, by base asset: market subjects and positions."""

    markets: dict[str, list[str]] = field(default_factory=dict)
    accounts: dict[str, list[Position]] = field(default_factory=dict)

    @property
    def bases(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.markets, *self.accounts)))


def _wanted(watch: Watch) -> dict[str, Wanted]:
    """By chain. A chain without an endpoint is left out; of a position the first asset is the base."""
    found: dict[str, Wanted] = {}
    for subject in watch.lending_subjects:
        chain, protocol, asset = subject.removeprefix("lending:").split("/")
        if protocol == KIND and chain in watch.chains:
            found.setdefault(chain, Wanted()).markets.setdefault(asset, []).append(subject)
    for position in watch.positions:
        if position.kind == KIND and position.chain in watch.chains and position.assets:
            found.setdefault(position.chain, Wanted()).accounts.setdefault(position.assets[0], []).append(position)
    return found


# --- markets ---


class AssetInfo(NamedTuple):
    """What a Comet says of one collateral; factors in 18 decimals, the cap in raw units of the token."""

    offset: int
    token: str
    feed: str
    scale: int
    borrow_factor: int
    liquidation_factor: int
    penalty: int
    supply_cap: int


@dataclass(frozen=True, slots=True)
class Collateral:
    """One collateral of a market. `asset` is empty for a token that has no usable name, `nameless` says why where it does not tell any."""

    info: AssetInfo
    symbol: str
    asset: str
    supplied: int
    nameless: str = ""

    @property
    def values(self) -> dict[str, float]:
        scale = self.info.scale
        return {"supplied": self.supplied / scale, "supply_cap": self.info.supply_cap / scale}


@dataclass(frozen=True, slots=True)
class Market:
    """One Comet at one block, in whole numbers: rates a second in 18 decimals, totals in raw units of the base token."""

    chain: str
    base: str
    comet: str
    scale: int
    supplied: int
    borrowed: int
    supply_rate: PerSecond
    borrow_rate: PerSecond
    paused: bool
    feed: str
    collateral: tuple[Collateral, ...]

    @property
    def values(self) -> dict[str, float]:
        """Readings of the market: APY compounded every second, APR simple."""
        found = (
            apy(apr_of_second(self.supply_rate)),
            apr_of_second(self.borrow_rate),
            fraction_of_wad(utilisation(self.supplied, self.borrowed)),
            self.supplied / self.scale,
            self.borrowed / self.scale,
            2.0 if self.paused else 0.0,
        )
        return dict(zip(MARKET, found, strict=True))


def utilisation(supplied: int, borrowed: int) -> Wad:
    """Borrowed share of what is supplied as getUtilization answers it right after an accrual, rounded down; 0 where nothing is supplied.

    It can exceed 1: reserves are lent out too.
    """
    return Wad(borrowed * WAD // supplied if supplied else 0)


TOTALS = ("baseToken", "baseScale", "totalSupply", "totalBorrow", "isSupplyPaused", "isWithdrawPaused", "baseTokenPriceFeed", "numAssets")


async def read_market(reader: BlockPinnedReader, block: Block, chain: str, base: str, comet: str) -> Market:
    """One Comet whole. BadPayload if it is none, or lends another token."""
    answers = await reader.read(block, [Call(comet, ABI, name) for name in TOTALS])
    token, scale, supplied, borrowed, no_supply, no_withdrawal, feed, count = (output(answer) for answer in answers)
    known = ASSET_OF.get((chain, int(token, 16)))
    if known is not None and known != base:
        raise BadPayload(f"the Comet at {comet} lends {known}, not {base}: correct comets: {{{chain}/{base}: 0x..}}")
    plausible(supplied), plausible(borrowed)
    if str(scale).rstrip("0") != "1":
        raise BadPayload(f"the Comet at {comet} counts in {scale} parts of its token, which is no power of ten")
    share = utilisation(supplied, borrowed)
    if share > MOST_USE:
        raise BadPayload(f"the Comet at {comet} has lent more than twice of what was supplied to it")
    rates = [Call(comet, ABI, name, (share,)) for name in ("getSupplyRate", "getBorrowRate")]
    supply_rate, borrow_rate, *listed = await reader.read(block, [*rates, *(Call(comet, ABI, "getAssetInfo", (place,)) for place in range(count))])
    infos = [AssetInfo(*outputs(answer)) for answer in listed]
    asked = {info.token: (Call(comet, ABI, "totalsCollateral", (info.token,)), Call(info.token, "erc20", "symbol")) for info in infos}
    about = await reader.read_groups(block, asked)
    return Market(
        chain, base, comet, scale, supplied, borrowed, PerSecond(output(supply_rate)), PerSecond(output(borrow_rate)),
        no_supply or no_withdrawal, feed, tuple(_collateral(chain, info, about[info.token]) for info in infos),
    )  # fmt: skip


def _collateral(chain: str, info: AssetInfo, answers: Sequence[Answer]) -> Collateral:
    totals, symbol = answers
    said = "" if isinstance(symbol, Failed) else str(output(symbol))
    name = ASSET_OF.get((chain, int(info.token, 16)), said.upper())
    usable = name.isascii() and name.isalnum() and len(name) <= 16
    nameless = f"its collateral {info.token} has no name and so no reading: {symbol.reason}" if isinstance(symbol, Failed) and not name else ""
    return Collateral(info, said, name if usable else "", outputs(totals)[0], nameless)


# --- accounts ---


async def read_account(
    reader: BlockPinnedReader, block: Block, market: Market, position: Position, named: Mapping[str, str], oracle_limit_ms: int
) -> Harvest:
    """Health and amounts of one account in one market; whatever collateral it has there counts."""
    comet, account, every = market.comet, position.account, market.collateral
    given = await reader.read_groups(
        block,
        {
            "base": [Call(comet, ABI, name, (account,)) for name in ("balanceOf", "borrowBalanceOf")],
            "held": [Call(comet, ABI, "collateralBalanceOf", (account, one.info.token)) for one in every],
            "prices": [Call(comet, ABI, "getPrice", (feed,)) for feed in (market.feed, *(one.info.feed for one in every))],
        },
    )
    supplied, owed = (amount(answer) for answer in given["base"])
    if owed > market.borrowed or supplied > market.supplied:
        raise BadPayload("the account has more in this market than the market has in all")
    held = {one.info.token: amount(answer) for one, answer in zip(every, given["held"], strict=True)}
    listed = [(one.symbol, one.info.token.lower()) for one in every]
    values = {f"supplied.{market.base}": supplied / market.scale, f"borrowed.{market.base}": owed / market.scale}
    values[f"liquidation_threshold.{market.base}"] = 0.0  # what is lent out is no collateral here
    declared = {asset: _one_of(asset, market, listed, named) for asset in position.assets[1:]}
    for asset, one in declared.items():
        values |= {f"supplied.{asset}": held[one.info.token] / one.info.scale, f"borrowed.{asset}": 0.0}
        values |= {f"liquidation_threshold.{asset}": fraction_of_wad(Wad(one.info.liquidation_factor))}
    rejected = [
        f"{position.id}: the account also has {one.symbol} as collateral, which its assets do not name: add it there"
        for one in every
        if held[one.info.token] and one not in declared.values()
    ]
    feeds = [market.feed] if owed else []
    ages = await answer_ages(reader, block, [*feeds, *(one.info.feed for one in every if held[one.info.token])])
    if ages.oldest_seconds is not None:
        values["oracle_age_seconds"] = float(ages.oldest_seconds)
    if silence := ages.silence():
        rejected.append(f"{position.id}: {silence}")
    if reason := ages.too_old(oracle_limit_ms):
        rejected.append(f"{position.id}: {reason}")
    else:
        base_price, *prices = (amount(answer) for answer in given["prices"])
        pledges = [Pledge(held[one.info.token], price, one.info) for one, price in zip(every, prices, strict=True)]
        values |= parse_health(market, owed, base_price, pledges)
    return Harvest(_rows("account", position.id, values, block).readings, rejected)


def _one_of(asset: str, market: Market, listed: Sequence[tuple[str, str]], named: Mapping[str, str]) -> Collateral:
    found = tokens_called(asset, market.chain, listed, named)
    if len(found) != 1:
        cure = f"add tokens: {{{market.chain}/{asset}: 0x..}} to this source"
        raise BadPayload(f"{len(found)} collaterals of this market are called {asset}: {cure}")
    return next(one for one in market.collateral if one.info.token.lower() == found[0])


@dataclass(frozen=True, slots=True)
class Pledge:
    """Collateral of an account in raw units, at its price in the market's own unit of account."""

    balance: int
    price: int
    info: AssetInfo

    @property
    def worth(self) -> int:
        return self.balance * self.price // self.info.scale


def health(owed: int, base_price: int, scale: int, pledges: Sequence[Pledge]) -> Wad:
    """Collateral at its liquidation factors over debt: below 1 wad isLiquidatable says yes. NO_DEBT where nothing is owed."""
    debt = owed * base_price // scale
    if debt == 0:
        return NO_DEBT
    return Wad(sum(pledge.worth * pledge.info.liquidation_factor // WAD for pledge in pledges) * WAD // debt)


def parse_health(market: Market, owed: int, base_price: int, pledges: Sequence[Pledge]) -> dict[str, float]:
    values = {"health_factor": shown_health(health(owed, base_price, market.scale, pledges))}
    if market.base in STABLES:
        debt = owed * base_price // market.scale
        values |= {"collateral_usd": sum(pledge.worth for pledge in pledges) / PRICE_UNIT, "debt_usd": debt / PRICE_UNIT}
    return values


def _rows(family: str, subject: str, values: Mapping[str, float], block: Block) -> Harvest:
    return Harvest([Reading(f"{family}.{name}", subject, value, block.timestamp_ms, block_hash=block.hash) for name, value in values.items()])
