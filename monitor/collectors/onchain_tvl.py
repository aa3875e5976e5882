"""Our own sum of what configured contracts hold: ERC-20 balances of each holder, at one block hash a pass.

It gives amounts and no dollars: a collector sees no prices, and the rule that weighs a fall multiplies by the prices that may decide, so that
its evidence shows both. A chain's own coin outside an ERC-20, debts and whatever a contract merely may claim are not counted. History is not
offered: a node finds blocks by number, not by time, and most have forgotten the balances of old ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from monitor.chain import MOST_DECIMALS, Answer, Block, BlockPinnedReader, Call, Failed
from monitor.core.book import Watch
from monitor.core.observation import Reading
from monitor.core.units import MINUTE, Duration
from monitor.core.vocabulary import ASSET, PROTOCOL
from monitor.errors import BadPayload, SourceError
from monitor.rpc import json_rpc
from monitor.source import Collector, Harvest, Ports, each

Address = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]
Asset = Annotated[str, Field(pattern=rf"^{ASSET}$")]
Protocol = Annotated[str, Field(pattern=rf"^{PROTOCOL}(@[a-z0-9\-]+)?$")]


@dataclass(frozen=True, kw_only=True)
class Contracts:
    """Who holds what of one protocol on one chain: addresses of the holders, and of each token by its asset."""

    # A misspelt key would be a token that is silently left out.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    chain: str
    holders: tuple[Address, ...]
    tokens: Mapping[Asset, Address]

    def __post_init__(self) -> None:
        for name, addresses in (("holders", self.holders), ("tokens", tuple(self.tokens.values()))):
            if not addresses:
                raise ValueError(f"{name} is empty: write at least one address")
            if len({address.lower() for address in addresses}) < len(addresses):
                raise ValueError(f"{name} names one address twice, which would count it twice: take one out")


@dataclass(frozen=True, kw_only=True)
class OnchainTvl(Collector):
    """`contracts` says, by TVL subject, what is summed: `{"protocol:x": {chain: ethereum, holders: [0x..], tokens: {USDC: 0x..}}}`.

    `block` is where a pass reads: `safe` is not taken back, `latest` can be. `endpoint` replaces the RPC URL of every chain.
    """

    title: ClassVar[str] = "Own sum of contracts"
    homepage: ClassVar[str] = "https://eips.ethereum.org/EIPS/eip-20"

    cadence: Duration = 10 * MINUTE
    block: Literal["latest", "safe", "finalized"] = "safe"
    contracts: Mapping[Protocol, Contracts] = field(default_factory=dict)

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """The amount of each configured token; nothing where no contracts are."""
        return frozenset((f"tvl.tokens.{asset}", subject) for subject, one in self.contracts.items() for asset in one.tokens)

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """One pass over each chain; a chain that cannot be read spoils the pass only if no other can."""
        return await each(partial(self._chain, ports, watch, chain) for chain in sorted({one.chain for one in self.contracts.values()}))

    async def _chain(self, ports: Ports, watch: Watch, name: str) -> Harvest:
        if name not in watch.chains:
            raise SourceError(f"contracts are on chain {name}, which is not set up: add chains: {{{name}: {{rpc: ..}}}}", permanent=True)
        chain = watch.chains[name]
        reader = BlockPinnedReader(json_rpc(ports.net, self.endpoint or chain.rpc), chain.chain_id)
        block = await reader.pin(self.block)
        sums = [one for subject, contracts in self.contracts.items() if contracts.chain == name for one in sums_of(subject, contracts)]
        answers = iter(await reader.read(block, [call for one in sums for call in one.calls]))
        return parse(block, [(one, list(islice(answers, len(one.calls)))) for one in sums])


@dataclass(frozen=True, slots=True)
class Sum:
    """One token of one subject: the calls are its decimals, then its balance of each holder."""

    subject: str
    asset: str
    calls: tuple[Call, ...]


def sums_of(subject: str, contracts: Contracts) -> Iterator[Sum]:
    """What must be asked for each token."""
    for asset, token in contracts.tokens.items():
        balances = (Call(token, "erc20", "balanceOf", (holder,)) for holder in contracts.holders)
        yield Sum(subject, asset, (Call(token, "erc20", "decimals"), *balances))


def parse(block: Block, answered: Sequence[tuple[Sum, Sequence[Answer]]]) -> Harvest:
    """`tvl.tokens.<asset>` of each sum. A token of which one answer is missing is refused whole: part of a sum is no sum."""
    readings, rejected = list[Reading](), list[str]()
    for one, answers in answered:
        try:
            total, decimals = total_of(answers)
        except BadPayload as problem:
            rejected.append(f"{one.subject}: {one.asset}: {problem}")
            continue
        # Of two integers Python's quotient is the nearest double, whatever their size.
        amount = total / 10**decimals
        readings.append(Reading(f"tvl.tokens.{one.asset}", one.subject, amount, block.timestamp_ms, block_hash=block.hash))
    return Harvest(readings, rejected)


def total_of(answers: Sequence[Answer]) -> tuple[int, int]:
    """(sum of the balances in raw units, decimals). BadPayload if a call has no value, or the decimals are none."""
    values = list[int]()
    for answer in answers:
        if isinstance(answer, Failed):
            raise BadPayload(answer.reason)
        values.append(int(answer[0]))
    decimals, *balances = values
    if decimals > MOST_DECIMALS:
        raise BadPayload(f"it says that it has {decimals} decimals, which no amount can have")
    return sum(balances), decimals
