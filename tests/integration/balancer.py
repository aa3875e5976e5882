"""The real Balancer v2 on a private chain, compiled from the published sources: Vault, a weighted and a stable pool, with tokens of our own."""

import json
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from tempfile import TemporaryFile
from typing import Any

from tests.integration.anvil import Anvil
from tests.integration.solidity import SOURCES, compiled
from tests.integration.tools import NODE_MODULES, node_package
from tests.integration.uniswap import MULTICALL3, NOBODY, OFFLINE, Contract, deployed

COMPILE_SECONDS = 300.0
RICH = 10**36
INIT, EXACT_SHARES_IN_FOR_TOKENS_OUT = 0, 1
SWAP_FEE = 3 * 10**15
WEIGHTS = (5 * 10**17, 3 * 10**17, 2 * 10**17)
DECIMALS = (6, 8, 18)
AMPLIFICATION = 200
IMPORT = re.compile(r'^import\s+(?:\{[^}]*\}\s+from\s+)?"([^"]+)";', re.MULTILINE)


# What is compiled together, each with its package; the newest library wants newer versions of its imports than the last published pools.
TOGETHER = (
    {"PoolMaths": "v2-pool-utils"},
    {
        "Authorizer": "v2-vault",
        "Vault": "v2-vault",
        "WeightedPool": "v2-pool-weighted",
        "StablePool": "v2-pool-stable",
        "StableMaths": "v2-pool-stable",
    },
)


def artifact(name: str) -> dict[str, Any]:
    """`{"abi", "bytecode"}` of a contract of the packages, or of a harness beside this file."""
    [place] = [place for place, group in enumerate(TOGETHER) if name in group]
    return _artifacts(place)[name]


@cache
def _artifacts(place: int) -> dict[str, dict[str, Any]]:
    roots, sources = dict[str, str](), dict[str, str]()
    for name, package in TOGETHER[place].items():
        node_package(f"@balancer-labs/{package}")
        harness = SOURCES / "balancer" / f"{name}.sol"
        roots[name] = harness.name if harness.is_file() else f"@balancer-labs/{package}/contracts/{name}.sol"
        if harness.is_file():
            sources[harness.name] = harness.read_text(encoding="utf-8")
        _gather(roots[name], package, sources)
    wanted = {root: {name: ["abi", "evm.bytecode.object"]} for name, root in roots.items()}
    made = _solc(
        {
            "language": "Solidity",
            "sources": {path: {"content": text} for path, text in sources.items()},
            "settings": {"optimizer": {"enabled": True, "runs": 200}, "outputSelection": wanted},
        }
    )["contracts"]
    found = {name: made[root][name] for name, root in roots.items()}
    return {name: {"abi": body["abi"], "bytecode": "0x" + body["evm"]["bytecode"]["object"]} for name, body in found.items()}


def _gather(path: str, package: str, sources: dict[str, str]) -> None:
    if path not in sources:
        nested = NODE_MODULES / "@balancer-labs" / package / "node_modules" / path
        sources[path] = (nested if nested.is_file() else NODE_MODULES / path).read_text(encoding="utf-8")
    for wanted in IMPORT.findall(sources[path]):
        found = _joined(PurePosixPath(path).parent, wanted) if wanted.startswith(".") else wanted
        if found not in sources:
            _gather(found, package, sources)


def _joined(folder: PurePosixPath, relative: str) -> str:
    parts = list(folder.parts)
    for part in PurePosixPath(relative).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _solc(job: dict[str, Any]) -> dict[str, Any]:
    command = ["node", str(node_package("solc-0.7") / "solcjs"), "--standard-json"]
    with TemporaryFile("w+") as asked, TemporaryFile("w+") as said:
        # From a file and into one: this compiler takes neither a pipe that is not full yet nor one that is full.
        json.dump(job, asked)
        asked.seek(0)
        subprocess.run(command, stdin=asked, stdout=said, text=True, timeout=COMPILE_SECONDS, check=True)
        said.seek(0)
        text = said.read()
    answer: dict[str, Any] = json.loads(text[text.index("{") :])
    broken = [error["formattedMessage"] for error in answer.get("errors", ()) if error["severity"] == "error"]
    if broken:
        raise RuntimeError("\n".join(broken))
    return answer


@dataclass(frozen=True)
class Balancer:
    """A Vault; `owner` holds plenty of every token and all shares but the first million units, which each pool locks."""

    chain: Anvil
    owner: str
    vault: Contract

    def opened(self, name: str, decimals: tuple[int, ...], *kind: Any) -> "BalancerPool":
        """A new pool of new tokens, empty; `kind` comes after the tokens in its constructor, around nothing but the swap fee."""
        made = [deployed(self.chain, compiled()["Token"], f"T{place}", digits) for place, digits in enumerate(decimals)]
        tokens = tuple(sorted(made, key=lambda token: int(token.address, 16)))
        for token in tokens:
            token.send(self.owner, "mint", self.owner, RICH)
            token.send(self.owner, "approve", self.vault.address, 2**256 - 1)
        addresses = [token.address for token in tokens]
        pool = deployed(self.chain, artifact(name), self.vault.address, "Pool", "P", addresses, *kind, SWAP_FEE, 0, 0, self.owner)
        return BalancerPool(self, tokens, pool)


@dataclass(frozen=True)
class BalancerPool:
    """One pool; `tokens` in the order of the Vault."""

    balancer: Balancer
    tokens: tuple[Contract, ...]
    pool: Contract

    @property
    def id(self) -> bytes:
        found: bytes = self.pool.read("getPoolId")
        return found

    @property
    def _assets(self) -> list[str]:
        return [token.address for token in self.tokens]

    def join(self, amounts: list[int]) -> None:
        """The first deposit."""
        owner, payload = self.balancer.owner, OFFLINE.codec.encode(["uint256", "uint256[]"], [INIT, amounts])
        self.balancer.vault.send(owner, "joinPool", self.id, owner, owner, (self._assets, amounts, payload, False))

    def exit(self, shares: int) -> list[int]:
        """Leave in proportion; what came, in raw units."""
        owner = self.balancer.owner
        payload = OFFLINE.codec.encode(["uint256", "uint256"], [EXACT_SHARES_IN_FOR_TOKENS_OUT, shares])
        before = [token.read("balanceOf", owner) for token in self.tokens]
        self.balancer.vault.send(owner, "exitPool", self.id, owner, owner, (self._assets, [0] * len(self.tokens), payload, False))
        return [token.read("balanceOf", owner) - held for token, held in zip(self.tokens, before, strict=True)]

    def would_pay(self, shares: int) -> list[int]:
        """What leaving in proportion with so many shares would pay: the pool's own query."""
        _, balances, changed = self.balancer.vault.read("getPoolTokens", self.id)
        payload = OFFLINE.codec.encode(["uint256", "uint256"], [EXACT_SHARES_IN_FOR_TOKENS_OUT, shares])
        owner = self.balancer.owner
        _, paid = self.pool.read("queryExit", self.id, owner, owner, list(balances), changed, 0, payload)
        return list(paid)

    def swap(self, sold: int, bought: int, amount: int) -> None:
        """Sell raw units of one token for another."""
        owner = self.balancer.owner
        order = (self.id, 0, self._assets[sold], self._assets[bought], amount, b"")
        self.balancer.vault.send(owner, "swap", order, (owner, False, owner, False), 0, 2**40)

    @property
    def balances(self) -> list[int]:
        return list(self.balancer.vault.read("getPoolTokens", self.id)[1])

    @property
    def supply(self) -> int:
        return int(self.pool.read("totalSupply"))


def deploy(chain: Anvil) -> Balancer:
    """A Vault on a chain that was started without a limit to the size of code."""
    chain.change("anvil_setCode", MULTICALL3, compiled()["BatchCaller"]["runtime"])
    owner = chain.accounts[0]
    authorizer = deployed(chain, artifact("Authorizer"), owner)
    # Wrapped ether is never asked for, so any address does.
    vault = deployed(chain, artifact("Vault"), authorizer.address, NOBODY, 0, 0)
    return Balancer(chain, owner, vault)


def weighted(balancer: Balancer) -> BalancerPool:
    """Three tokens of 6, 8 and 18 decimals."""
    return balancer.opened("WeightedPool", DECIMALS, list(WEIGHTS), [NOBODY_MANAGES] * 3)


def stable(balancer: Balancer) -> BalancerPool:
    """Two tokens, of 6 and 18 decimals."""
    return balancer.opened("StablePool", (6, 18), AMPLIFICATION)


NOBODY_MANAGES = "0x" + "0" * 40
