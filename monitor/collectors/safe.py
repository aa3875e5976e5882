"""Safes: who may approve, and how many must agree, read from the contract at one block hash a pass.

What a Safe's owners were on a past day is not offered: no history is asked of a node.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from monitor.chain import Answer, Block, BlockPinnedReader, Call, output
from monitor.core.book import Watch
from monitor.core.observation import Reading
from monitor.core.units import MINUTE, Duration
from monitor.errors import BadPayload, SourceError
from monitor.net import Net
from monitor.rpc import json_rpc
from monitor.source import Collector, Harvest, Ports, each

Place = Annotated[str, Field(pattern=r"^[a-z0-9\-]+/0x[0-9a-fA-F]{40}$")]


@dataclass(frozen=True, kw_only=True)
class Safe(Collector):
    """`safes` lists them as `chain/0x..`. `block` is where a pass reads; owners are read where no reorganisation reaches."""

    title = "Safe"
    homepage = "https://docs.safe.global/advanced/smart-account-overview"

    cadence: Duration = 10 * MINUTE
    block: Literal["latest", "safe", "finalized"] = "safe"
    safes: tuple[Place, ...] = ()

    def provides(self, watch: Watch) -> frozenset[tuple[str, str]]:
        """A Safe's numbers. Its owners come with them, as many as there are."""
        subjects = [_subject(chain, address) for chain, addresses in self._by_chain().items() if chain in watch.chains for address in addresses]
        return frozenset((f"safe.{name}", subject) for name in ("threshold", "owner_count") for subject in subjects)

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        return await each(partial(self._chain, ports.net, watch, name) for name in self._by_chain())

    def _by_chain(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for place in self.safes:
            chain, _, address = place.partition("/")
            found.setdefault(chain, []).append(address.lower())
        return found

    async def _chain(self, net: Net, watch: Watch, name: str) -> Harvest:
        if (chain := watch.chains.get(name)) is None:
            raise SourceError(f"chain {name} of a Safe is not under `chains`: add it there with its `rpc`", permanent=True)
        reader = BlockPinnedReader(json_rpc(net, self.endpoint or chain.rpc), chain.chain_id)
        block = await reader.pin(self.block)
        calls = {address: [Call(address, "safe", "getThreshold"), Call(address, "safe", "getOwners")] for address in self._by_chain()[name]}
        answers = await reader.read_groups(block, calls)
        return Harvest.together(_harvest(_subject(name, address), block, *group) for address, group in answers.items())


def _subject(chain: str, address: str) -> str:
    return f"safe:{chain}/{address}"


def _harvest(subject: str, block: Block, threshold: Answer, owners: Answer) -> Harvest:
    try:
        values = parse(threshold, owners)
    except BadPayload as problem:
        return Harvest(rejected=[f"{subject}: {problem}"])
    return Harvest([Reading(f"safe.{name}", subject, value, block.timestamp_ms, block_hash=block.hash) for name, value in values.items()])


def parse(threshold: Answer, owners: Answer) -> Mapping[str, int]:
    """Threshold, number of owners and each owner's address as a number, counted from 1. BadPayload for what no Safe can be."""
    needed, who = int(output(threshold)), [int(owner, 16) for owner in output(owners)]
    if not 1 <= needed <= len(who) or len(set(who)) != len(who) or 0 in who:
        raise BadPayload(f"{needed} of {len(who)} owners is no Safe's answer: is the address a Safe?")
    return {"threshold": needed, "owner_count": len(who), **{f"owner.{place}": owner for place, owner in enumerate(who, start=1)}}
