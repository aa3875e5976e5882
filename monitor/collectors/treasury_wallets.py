"""Treasuries read from their wallets: ERC-20 and native balances at one block hash, and what their owner declares beside them.

A treasury is read whole or not at all: the sum of the wallets that happened to answer would look like a loss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from monitor.chain import Answer, Block, BlockPinnedReader, Call
from monitor.core.book import Watch
from monitor.core.observation import Reading
from monitor.core.units import HOUR, Duration, Usd
from monitor.core.vocabulary import ASSET, PROTOCOL
from monitor.errors import BadPayload, SourceError
from monitor.rpc import json_rpc
from monitor.source import Collector, Harvest, Ports, each
from monitor.wallets import Wallets, native_coin

Address = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]
Asset = Annotated[str, Field(pattern=f"^{ASSET}$")]
Protocol = Annotated[str, Field(pattern=f"^(?:{PROTOCOL})$")]


@dataclass(frozen=True, kw_only=True)
class Treasury:
    """One protocol's treasury: what it owes and is owed within a year, as declared, and the wallets to read (none: the declared sums alone).

    `tokens` gives the ERC-20 of each asset on `chain`; `native` names the chain's own coin where that is not known by the chain's id;
    `own_token` is never read, since it pays no creditor.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid"}

    liabilities: Usd
    receivables: Usd = 0.0
    chain: str = ""
    wallets: tuple[Address, ...] = ()
    tokens: Mapping[Asset, Address] = field(default_factory=dict)
    native: Asset | Literal[""] = ""
    own_token: str = ""

    def __post_init__(self) -> None:
        if self.liabilities < 0 or self.receivables < 0:
            raise ValueError("liabilities and receivables must not be negative: write liabilities: 1_000_000 USD")
        if bool(self.wallets) != bool(self.chain):
            raise ValueError("wallets and chain go together: write chain: ethereum and wallets: [0x..]")
        for name, listed in (("wallets", self.wallets), ("tokens", tuple(self.tokens.values()))):
            if len({address.lower() for address in listed}) < len(listed):
                raise ValueError(f"{name} lists one address twice, which would count what it holds twice; leave one out")

    @property
    def read(self) -> dict[str, str]:
        """The assets to be read, own token left out, with their contracts."""
        return {asset: address for asset, address in self.tokens.items() if asset != self.own_token}


@dataclass(frozen=True, kw_only=True)
class TreasuryWallets(Collector):
    """`treasuries` by protocol: `{"protocol:x": {chain: ethereum, wallets: [0x..], tokens: {USDC: 0x..}, liabilities: 1_000_000 USD}}`.

    Token amounts stand under the time of their block, and so do the declared sums; `block` is where a pass reads. `endpoint` replaces the
    RPC URL of every chain.
    """

    title: ClassVar[str] = "Treasury wallets"
    homepage: ClassVar[str] = "https://www.multicall3.com"

    cadence: Duration = HOUR
    block: Literal["latest", "safe", "finalized"] = "safe"
    treasuries: Mapping[Protocol, Treasury] = field(default_factory=dict)

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """The declared sums of each treasury, and the amount of each token that is read of it."""
        found = set[tuple[str, str]]()
        for subject, treasury in self.treasuries.items():
            found |= {("treasury.liabilities_usd", subject), ("treasury.receivables_usd", subject)}
            if treasury.wallets:
                found |= {(f"treasury.{name}.{asset}", subject) for asset in treasury.read for name in ("tokens", "decimals")}
                found |= {(f"treasury.tokens.{native}", subject) for native in [_native(treasury, watch)] if native}
        return frozenset(found)

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        """Each treasury in turn; one that cannot be read spoils the pass only if no other can."""
        return await each([partial(self._treasury, ports, watch, subject, treasury) for subject, treasury in self.treasuries.items()])

    async def _treasury(self, ports: Ports, watch: Watch, subject: str, treasury: Treasury) -> Harvest:
        if not treasury.wallets:
            return Harvest(_declared(subject, treasury, ports.clock.now_ms()))
        chain, native = watch.chains.get(treasury.chain), _native(treasury, watch)
        if chain is None:
            raise SourceError(f"{subject}: chain {treasury.chain} is not among your chains: add it with its rpc", permanent=True)
        if not native:
            raise SourceError(f"{subject}: the coin of chain {treasury.chain} is not known: add native: and its symbol", permanent=True)
        reader = BlockPinnedReader(json_rpc(ports.net, self.endpoint or chain.rpc), chain.chain_id)
        block = await reader.pin(self.block)
        calls = wallets_of(treasury, native).calls()
        return Harvest(parse(subject, treasury, native, block, calls, await reader.read(block, calls)))


def wallets_of(treasury: Treasury, native: str) -> Wallets:
    """What is read of one treasury."""
    return Wallets(treasury.wallets, native, treasury.read)


def parse(subject: str, treasury: Treasury, native: str, block: Block, calls: Sequence[Call], answers: Sequence[Answer]) -> list[Reading]:
    """One treasury's readings, all of one block. BadPayload with a sentence if any balance is missing."""
    try:
        wallets, held = wallets_of(treasury, native), dict(zip(calls, answers, strict=True))
        values = {f"tokens.{asset}": amount for asset, amount in wallets.amounts(held).items()}
        values |= {f"decimals.{asset}": digits for asset, digits in wallets.decimals(held).items()}
    except BadPayload as problem:
        raise BadPayload(f"{subject}: {problem}; the treasury is left out of this pass, correct or remove that token") from None
    at = block.timestamp_ms
    readings = [Reading(f"treasury.{name}", subject, value, at, block_hash=block.hash) for name, value in values.items()]
    return [*readings, *_declared(subject, treasury, at)]


def _declared(subject: str, treasury: Treasury, at: int) -> list[Reading]:
    sums = {"liabilities": treasury.liabilities, "receivables": treasury.receivables}
    return [Reading(f"treasury.{name}_usd", subject, usd, at) for name, usd in sums.items()]


def _native(treasury: Treasury, watch: Watch) -> str:
    chain = watch.chains.get(treasury.chain)
    return native_coin(chain, treasury.native) if chain is not None else treasury.native
