"""A real Safe on a private chain: the published singleton behind the published proxy, whose owners and threshold change."""

import asyncio
import json
import random
from dataclasses import dataclass
from functools import cache
from typing import Any

from web3 import Web3

from monitor.clock import SystemClock
from monitor.collectors.safe import Safe
from monitor.core.book import Chain, Watch
from monitor.core.door import admit
from monitor.net import HttpNet
from monitor.source import Harvest, Ports
from tests.integration.anvil import Anvil
from tests.integration.solidity import compiled
from tests.integration.tools import node_package
from tests.integration.uniswap import MULTICALL3, Contract, deployed

NOWHERE = "0x" + "0" * 40
FIRST = "0x" + "0" * 39 + "1"  # stands before the first owner in the list


@cache
def published(path: str) -> dict[str, Any]:
    """The artifact of `@safe-global/safe-contracts` for one contract, for example `Safe`."""
    folder = node_package("@safe-global/safe-contracts") / "build" / "artifacts" / "contracts" / f"{path}.sol"
    artifact: dict[str, Any] = json.loads((folder / f"{path.rpartition('/')[2]}.json").read_text(encoding="utf-8"))
    return artifact


@dataclass(frozen=True)
class Multisig:
    """A Safe whose every owner approves by a call of its own; nothing is signed here."""

    chain: Anvil
    safe: Contract

    def change(self, name: str, *args: Any) -> None:
        """The Safe changes itself, agreed by as many owners as it needs."""
        owners = sorted(self.safe.read("getOwners"), key=lambda owner: int(owner, 16))
        agreeing = [self.chain.accounts[[a.lower() for a in self.chain.accounts].index(owner.lower())] for owner in owners]
        agreeing = agreeing[: self.safe.read("getThreshold")]
        deed = (self.safe.address, 0, bytes.fromhex(self.safe.payload(name, *args)[2:]), 0, 0, 0, 0, NOWHERE, NOWHERE)
        digest = self.safe.read("getTransactionHash", *deed, self.safe.read("nonce"))
        for owner in agreeing:
            self.safe.send(owner, "approveHash", digest)
        approvals = b"".join(int(owner, 16).to_bytes(32) + bytes(32) + b"\x01" for owner in agreeing)
        self.safe.send(agreeing[0], "execTransaction", *deed, approvals)


def multisig(chain: Anvil, owners: list[str], threshold: int) -> Multisig:
    chain.change("anvil_setCode", MULTICALL3, compiled()["BatchCaller"]["runtime"])
    singleton = deployed(chain, published("Safe"))
    factory = deployed(chain, published("proxies/SafeProxyFactory"))
    setup = singleton.payload("setup", owners, threshold, NOWHERE, b"", NOWHERE, NOWHERE, 0, NOWHERE)
    asked = (singleton.address, bytes.fromhex(setup[2:]), 7)
    address = factory.read("createProxyWithNonce", *asked)
    factory.send(chain.accounts[0], "createProxyWithNonce", *asked)
    return Multisig(chain, Contract(chain, Web3.to_checksum_address(address), singleton.abi))


def poll(one: Multisig) -> dict[str, int | float]:
    watch = Watch(chains={"local": Chain(rpc=one.chain.url, chain_id=one.chain.chain_id)})
    source = Safe(safes=(f"local/{one.safe.address}",), block="latest")

    async def once() -> Harvest:
        async with HttpNet() as net:
            return await source.poll(Ports(net, SystemClock(), random.Random(0)), watch)

    harvest = asyncio.run(once())
    assert harvest.rejected == []
    admission = admit(harvest.readings, source="safe", received_at=max(row.at or 0 for row in harvest.readings))
    assert admission.rejections == ()
    [block_hash] = {row.block_hash for row in admission.observations}
    at = {"blockHash": block_hash}
    seen = {row.metric.removeprefix("safe."): row.value for row in admission.observations}
    assert seen["threshold"] == one.safe.read("getThreshold", block=at)
    told = [int(owner, 16) for owner in one.safe.read("getOwners", block=at)]
    assert [seen[f"owner.{place}"] for place in range(1, int(seen["owner_count"]) + 1)] == told
    return seen


def test_owners_and_threshold_are_those_of_the_safe_after_each_change(chain: Anvil) -> None:
    people = chain.accounts
    one = multisig(chain, people[1:4], 2)
    assert (poll(one)["threshold"], poll(one)["owner_count"]) == (2, 3)
    one.change("addOwnerWithThreshold", people[4], 3)
    assert (poll(one)["threshold"], poll(one)["owner_count"]) == (3, 4)
    first = one.safe.read("getOwners")[0]
    one.change("swapOwner", FIRST, Web3.to_checksum_address(first), people[5])
    assert int(people[5], 16) in poll(one).values()
    assert int(first, 16) not in poll(one).values()
    one.change("changeThreshold", 1)
    second, third = one.safe.read("getOwners")[1:3]
    one.change("removeOwner", Web3.to_checksum_address(second), Web3.to_checksum_address(third), 1)
    assert (poll(one)["threshold"], poll(one)["owner_count"]) == (1, 3)
