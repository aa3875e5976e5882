"""Aave v3: rates, use, caps and state of markets, and the health of accounts, read from the contracts at one block hash a pass.

Totals and balances are the contracts' own, interest until the block included. Rates are those that the next touch of the reserve would set
(`core.aave`): what is stored is as old as the last touch. Rewards are never part of a rate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NamedTuple

from monitor.aave_thresholds import POOL_ABI, read_thresholds
from monitor.chain import MOST_DECIMALS, Address, Answer, Block, BlockPinnedReader, Call, amount, output, outputs, plausible, unless_absent
from monitor.core import aave
from monitor.core.book import Position, Watch
from monitor.core.observation import Reading
from monitor.core.tokens import tokens_called
from monitor.core.units import HOUR, MINUTE, Duration
from monitor.errors import BadPayload, SourceError
from monitor.net import Net
from monitor.oracles import answer_ages
from monitor.rpc import json_rpc
from monitor.source import Collector, Harvest, Ports, each

# PoolAddressesProvider by chain id: github.com/bgd-labs/aave-address-book, one file for each chain.
PROVIDERS: Mapping[int, str] = {
    1: "0x2f39d218133AFaB8F2B819B1066c7E434Ad94E9e",
    10: "0xa97684ead0e402dC232d5A977953DF7ECBaB3CDb",
    56: "0xff75B6da14FfbbfD355Daf7a2731456b3562Ba6D",
    100: "0x36616cf17557639614c1cdDb356b1B83fc0B2132",
    137: "0xa97684ead0e402dC232d5A977953DF7ECBaB3CDb",
    8453: "0xe20fCBdBfFC4Dd138cE8b2E6FBb6CB49777ad64D",
    42161: "0xa97684ead0e402dC232d5A977953DF7ECBaB3CDb",
    43114: "0xa97684ead0e402dC232d5A977953DF7ECBaB3CDb",
    534352: "0x69850D0B276776781C063771b161bd8894BCdD04",
}
KIND = "aave-v3"
DATA_ABI, ORACLE_ABI = "aave_v3_data_provider", "aave_v3_oracle"
RATES = ("supply_apy", "borrow_apr")
ALWAYS = (*RATES, "utilisation", "supplied", "borrowed", "status")
ACCOUNT_PARTS = ("supplied", "borrowed", "liquidation_threshold")
CURVE_PARTS = 4
NOWHERE = "0x" + "0" * 40


@dataclass(frozen=True, kw_only=True)
class AaveV3(Collector):
    """`providers` names the PoolAddressesProvider by chain (another market, a fork), `reserves` the token of `chain/ASSET` where a symbol is not
    enough; `block` is where a pass reads. The health of an account whose oracle answer is older than `oracle_limit` is refused.
    """

    title = "Aave v3"
    homepage = "https://aave.com/docs/aave-v3/overview"

    cadence: Duration = MINUTE
    block: Literal["latest", "safe", "finalized"] = "latest"
    providers: Mapping[str, Address] = field(default_factory=dict)
    reserves: Mapping[str, Address] = field(default_factory=dict)
    oracle_limit: Duration = 26 * HOUR

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """Caps come where there are any, an oracle's age where it says its own; both are not promised."""
        pairs = {(f"lending.{name}", subject) for wanted in _wanted(watch).values() for subject in wanted.markets for name in ALWAYS}
        for position in (position for wanted in _wanted(watch).values() for position in wanted.accounts):
            pairs |= {(f"account.{name}", position.id) for name in ("health_factor", "collateral_usd", "debt_usd")}
            pairs |= {(f"account.{side}.{asset}", position.id) for side in ACCOUNT_PARTS for asset in position.assets}
        return frozenset(pairs)

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        wanted = _wanted(watch)
        return await each(partial(self._chain, ports.net, watch, name, of_chain) for name, of_chain in wanted.items())

    async def _chain(self, net: Net, watch: Watch, name: str, wanted: "Wanted") -> Harvest:
        chain = watch.chains[name]
        provider = self.providers.get(name) or PROVIDERS.get(chain.chain_id)
        if provider is None:
            raise SourceError(f"no Aave v3 is known on chain {name}: add providers: {{{name}: 0x..}} to this source", permanent=True)
        reader = BlockPinnedReader(json_rpc(net, self.endpoint or chain.rpc), chain.chain_id)
        block = await reader.pin(self.block)
        desk = await find_desk(reader, block, name, provider, self.reserves)
        states, refused = await read_markets(reader, block, desk, wanted.markets)
        markets = [_market_rows(subject, market, block) for subject, market in states.items()]
        accounts = [await self._account(reader, block, desk, position) for position in wanted.accounts]
        return Harvest.together([*markets, Harvest(rejected=refused), *accounts])

    async def _account(self, reader: BlockPinnedReader, block: Block, desk: "Desk", position: Position) -> Harvest:
        try:
            return await read_account(reader, block, desk, position, self.oracle_limit)
        except BadPayload as problem:
            return Harvest(rejected=[f"{position.id}: {problem}"])


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is read on one chain: market subjects by asset, and positions."""

    markets: dict[str, str] = field(default_factory=dict)
    accounts: list[Position] = field(default_factory=list)


def _wanted(watch: Watch) -> dict[str, Wanted]:
    """By chain, in the order in which they are watched. A chain without an endpoint is left out."""
    found: dict[str, Wanted] = {}
    for subject in watch.lending_subjects:
        chain, protocol, asset = subject.removeprefix("lending:").split("/")
        if protocol == KIND and chain in watch.chains:
            found.setdefault(chain, Wanted()).markets[subject] = asset
    for position in watch.positions:
        if position.kind == KIND and position.chain in watch.chains:
            found.setdefault(position.chain, Wanted()).accounts.append(position)
    return found


@dataclass(frozen=True, slots=True)
class Desk:
    """One deployment: where to ask, and its reserves as (symbol, token's address in lower case)."""

    chain: str
    pool: str
    data: str
    oracle: str
    listed: tuple[tuple[str, str], ...]
    named: Mapping[str, str]

    def token(self, asset: str) -> str:
        """The reserve of an asset. BadPayload unless there is exactly one."""
        found = tokens_called(asset, self.chain, self.listed, self.named)
        if len(found) != 1:
            raise BadPayload(f"{len(found)} reserves of this market are called {asset}: add reserves: {{{self.chain}/{asset}: 0x..}} to this source")
        return found[0]


async def find_desk(reader: BlockPinnedReader, block: Block, chain: str, provider: str, named: Mapping[str, str]) -> Desk:
    """The contracts behind a PoolAddressesProvider. BadPayload if it is none."""
    names = ("getPool", "getPoolDataProvider", "getPriceOracle")
    answers = await reader.read(block, [Call(provider, "aave_v3_addresses_provider", name) for name in names])
    try:
        pool, data, oracle = (str(output(answer)) for answer in answers)
        [listing] = await reader.read(block, [Call(data, DATA_ABI, "getAllReservesTokens")])
        listed = tuple((symbol, token.lower()) for symbol, token in output(listing))
    except BadPayload as problem:
        raise BadPayload(f"{provider} on {chain} is not the PoolAddressesProvider of an Aave v3: {problem}") from None
    return Desk(chain, pool, data, oracle, listed, named)


# --- markets ---


@dataclass(frozen=True, slots=True)
class Market:
    """One reserve at one block, in whole numbers. `curve` is None where its strategy does not show one, `lent` false where it is only minted."""

    settings: aave.Configuration
    stored: aave.Stored
    use: aave.Use
    supplied: int
    curve: aave.Curve | None
    lent: bool

    @property
    def rates(self) -> aave.Rates:
        """Those that the next touch would set; without a readable curve, those of the last touch."""
        if self.curve is None or not self.lent:
            return aave.Rates(self.stored.supply_rate, self.stored.borrow_rate)
        try:
            return aave.rates(self.curve, self.use, self.settings.reserve_factor)
        except ValueError as problem:
            raise BadPayload(f"its curve gives no rates: {problem}") from None


class MarketAnswers(NamedTuple):
    """What is asked of one reserve, in this order."""

    data: Answer
    settings: Answer
    tokens: Answer
    strategy: Answer
    virtual_balance: Answer
    is_virtual: Answer
    deficit: Answer


async def read_markets(reader: BlockPinnedReader, block: Block, desk: Desk, markets: Mapping[str, str]) -> tuple[dict[str, Market], list[str]]:
    """The state of each subject's reserve, and why one was refused."""
    tokens, refused = dict[str, str](), list[str]()
    for subject, asset in markets.items():
        try:
            tokens[subject] = desk.token(asset)
        except BadPayload as problem:
            refused.append(f"{subject}: {problem}")
    first = await reader.read_groups(block, {subject: market_calls(desk, token) for subject, token in tokens.items()})
    second_calls, answers = dict[str, tuple[Call, ...]](), {subject: MarketAnswers(*group) for subject, group in first.items()}
    for subject, given in answers.items():
        try:
            second_calls[subject] = curve_calls(tokens[subject], str(outputs(given.tokens)[0]), str(output(given.strategy)))
        except BadPayload as problem:
            refused.append(f"{subject}: {problem}")
    second = await reader.read_groups(block, second_calls)
    states: dict[str, Market] = {}
    for subject, group in second.items():
        try:
            states[subject] = parse_market(answers[subject], group)
        except BadPayload as problem:
            refused.append(f"{subject}: {problem}")
    return states, refused


def market_calls(desk: Desk, token: str) -> tuple[Call, ...]:
    """The virtual balance is there since v3.1, the deficit since v3.3: where they are not, the call fails and that is an answer."""
    from_data = (
        "getReserveData",
        "getReserveTokensAddresses",
        "getInterestRateStrategyAddress",
        "getVirtualUnderlyingBalance",
        "getIsVirtualAccActive",
    )
    data, tokens, strategy, balance, is_virtual = (Call(desk.data, DATA_ABI, name, (token,)) for name in from_data)
    settings, deficit = (Call(desk.pool, POOL_ABI, name, (token,)) for name in ("getConfiguration", "getReserveDeficit"))
    return (data, settings, tokens, strategy, balance, is_virtual, deficit)


def curve_calls(token: str, a_token: str, strategy: str) -> tuple[Call, ...]:
    """What lies in the reserve, and its curve in both spellings: since v3.1 one strategy serves all reserves."""
    parts = ("OPTIMAL_USAGE_RATIO", "getBaseVariableBorrowRate", "getVariableRateSlope1", "getVariableRateSlope2")
    return (
        Call(token, "erc20", "balanceOf", (a_token,)),
        Call(strategy, "aave_v3_rate_strategy_v2", "getInterestRateData", (token,)),
        *(Call(strategy, "aave_v3_rate_strategy", part) for part in parts),
    )


def parse_market(given: MarketAnswers, more: Sequence[Answer]) -> Market:
    """One reserve out of its answers. BadPayload if a part that every version has is missing."""
    unbacked, _, supplied, stable, variable, supply_rate, borrow_rate, _, stable_rate, income, debt, touched = outputs(given.data)
    balance, joint, *parts = more
    is_virtual, deficit = unless_absent(given.is_virtual), unless_absent(given.deficit)
    # A version that keeps a virtual balance does so whole: where it only reverts, what lies there is another number.
    available = amount(balance if unless_absent(given.virtual_balance) is None and is_virtual is None else given.virtual_balance)
    missing = 0 if deficit is None else amount(deficit)
    return Market(
        settings=parse_settings(given.settings),
        stored=aave.Stored(supply_rate, borrow_rate, income, debt, touched),
        use=aave.Use(available, plausible(variable), plausible(stable), stable_rate, plausible(unbacked) + missing),
        supplied=plausible(supplied),
        curve=_curve(joint, parts),
        lent=is_virtual is None or bool(output(is_virtual)),
    )


def parse_settings(answer: Answer) -> aave.Configuration:
    """BadPayload for shares above the whole or decimals beyond any amount, which no reserve has."""
    settings = aave.configuration(output(answer))
    if settings.decimals > MOST_DECIMALS:
        raise BadPayload(f"getConfiguration answers {settings.decimals} decimals, which no amount can have")
    if max(settings.ltv, settings.liquidation_threshold, settings.reserve_factor) > aave.PERCENT:
        raise BadPayload("getConfiguration answers shares of more than 100%")
    return settings


def _curve(joint: Answer, parts: Sequence[Answer]) -> aave.Curve | None:
    whole, single = unless_absent(joint), [unless_absent(part) for part in parts]
    known = whole if whole is not None else [output(part) for part in single if part is not None]
    if not known:
        return None
    if len(known) != CURVE_PARTS:
        raise BadPayload(f"its strategy shows {len(known)} of the {CURVE_PARTS} parts of its curve")
    curve = aave.Curve(*known)
    if curve.optimal > aave.RAY:
        raise BadPayload("its curve has an optimal use of more than 100%")
    return curve


def _market_rows(subject: str, market: Market, block: Block) -> Harvest:
    unit = 10**market.settings.decimals
    values: dict[str, float] = {"supplied": market.supplied / unit, "borrowed": market.use.debt / unit, "status": _status(market.settings)}
    caps = {"supply_cap": market.settings.supply_cap, "borrow_cap": market.settings.borrow_cap}
    values |= {name: float(cap) for name, cap in caps.items() if cap}
    rejected: list[str] = []
    if market.lent:
        values["utilisation"] = aave.fraction_of_ray(market.use.utilisation)
    else:
        rejected.append(f"{subject}: this token is minted, not lent out of a reserve: it has no utilisation")
    try:
        values |= market_rates(market)
    except BadPayload as problem:
        rejected.append(f"{subject}: {problem}")
    return Harvest(
        [Reading(f"lending.{name}", subject, value, block.timestamp_ms, block_hash=block.hash) for name, value in values.items()], rejected
    )


def _status(settings: aave.Configuration) -> float:
    return 2.0 if settings.paused or not settings.active else float(settings.frozen)


def market_rates(market: Market) -> dict[str, float]:
    """Supply yield and borrow rate as fractions a year, without rewards. BadPayload where the stored rate is beyond the market's own curve:
    full use is true and passes, more than that no market charges.
    """
    stored = market.stored.borrow_rate
    if market.curve is not None and stored > market.curve.maximum:
        most = aave.fraction_of_ray(market.curve.maximum)
        said = f"its borrow rate of {aave.fraction_of_ray(stored):.1%} is beyond the {most:.1%} that its own curve charges at full use"
        raise BadPayload(f"{said}; it is taken again once the reserve was touched")
    supply_apy = aave.apy(aave.fraction_of_ray(market.rates.supply))
    return dict(zip(RATES, (supply_apy, aave.fraction_of_ray(market.rates.borrow)), strict=True))


# --- accounts ---


async def read_account(reader: BlockPinnedReader, block: Block, desk: Desk, position: Position, oracle_limit_ms: int) -> Harvest:
    """Health, worth and amounts of one account. Whatever it holds is looked at, not only the assets that the position names."""
    declared = {asset: desk.token(asset) for asset in position.assets}
    every = [token for _, token in desk.listed]
    calls = {
        "account": tuple(Call(desk.pool, POOL_ABI, name, (position.account,)) for name in ("getUserAccountData", "getUserEMode")),
        "currency": tuple(Call(desk.oracle, ORACLE_ABI, name) for name in ("BASE_CURRENCY", "BASE_CURRENCY_UNIT")),
        "settings": tuple(Call(desk.pool, POOL_ABI, "getConfiguration", (token,)) for token in declared.values()),
        "held": tuple(Call(desk.data, DATA_ABI, "getUserReserveData", (token, position.account)) for token in every),
        "feeds": tuple(Call(desk.oracle, ORACLE_ABI, "getSourceOfAsset", (token,)) for token in every),
    }
    given = await reader.read_groups(block, calls)
    held = {token: parse_reserve(answer) for token, answer in zip(every, given["held"], strict=True)}
    used = [output(feed) for token, feed in zip(every, given["feeds"], strict=True) if held[token].counts]
    ages = await answer_ages(reader, block, [feed for feed in used if feed != NOWHERE])
    values = dict[str, float]()
    settings = {token: parse_settings(answer) for token, answer in zip(declared.values(), given["settings"], strict=True)}
    for asset, token in declared.items():
        unit = 10 ** settings[token].decimals
        values |= {f"supplied.{asset}": held[token].supplied / unit, f"borrowed.{asset}": held[token].owed / unit}
    unnamed = [symbol for symbol, token in desk.listed if held[token].used and token not in declared.values()]
    rejected = [f"{position.id}: the account also uses {symbol}, which its assets do not name: add it there" for symbol in unnamed]
    try:
        in_force = await read_thresholds(reader, block, desk.pool, given["account"][1], settings)
        values |= {f"liquidation_threshold.{asset}": in_force[token] / aave.PERCENT * held[token].is_collateral for asset, token in declared.items()}
    except BadPayload as problem:
        rejected.append(f"{position.id}: {problem}")
    if ages.oldest_seconds is not None:
        values["oracle_age_seconds"] = float(ages.oldest_seconds)
    if silence := ages.silence():
        rejected.append(f"{position.id}: {silence}")
    if reason := ages.too_old(oracle_limit_ms):
        rejected.append(f"{position.id}: {reason}")
    else:
        values |= parse_health(given["account"][0], given["currency"])
    rows = [Reading(f"account.{name}", position.id, value, block.timestamp_ms, block_hash=block.hash) for name, value in values.items()]
    return Harvest(rows, rejected)


@dataclass(frozen=True, slots=True)
class UserReserve:
    """What an account has in one reserve, in raw units, interest included."""

    supplied: int
    stable_debt: int
    variable_debt: int
    is_collateral: bool

    @property
    def owed(self) -> int:
        return self.stable_debt + self.variable_debt

    @property
    def used(self) -> bool:
        return self.supplied > 0 or self.owed > 0

    @property
    def counts(self) -> bool:
        """Whether the price of it moves the account's health."""
        return self.owed > 0 or (self.supplied > 0 and self.is_collateral)


def parse_reserve(answer: Answer) -> UserReserve:
    supplied, stable, variable, *_, is_collateral = outputs(answer)
    return UserReserve(supplied, stable, variable, is_collateral)


def parse_health(account: Answer, currency: Sequence[Answer]) -> dict[str, float]:
    """Health factor, collateral and debt in USD. BadPayload where the oracle does not count in USD."""
    base, unit = (output(answer) for answer in currency)
    if base != NOWHERE:
        raise BadPayload(f"this market's oracle counts in the token {base}, not in USD")
    collateral, debt, _, threshold, _, factor = outputs(account)
    # Versions round differently in the last unit; an answer that contradicts itself is off by more.
    reckoned = aave.health_factor(collateral, threshold, debt)
    if abs(factor - reckoned) > reckoned // 10**6:
        raise BadPayload("getUserAccountData contradicts itself: its health factor is not that of its collateral and debt")
    if str(unit).rstrip("0") != "1":
        raise BadPayload(f"this market's oracle counts in {unit} parts of a dollar, which is no power of ten")
    return {
        "health_factor": aave.shown_health(factor),
        "collateral_usd": collateral / unit,
        "debt_usd": debt / unit,
    }
