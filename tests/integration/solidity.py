"""Compiles the contracts beside this file with solc-js at test time, so that no bytecode is kept in the repository."""

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tests.integration.tools import NODE_MODULES, node_package

SOURCES = Path(__file__).parent / "contracts"
SOURCES_OF_V4 = Path(__file__).parent / "contracts_v4"
# What the contracts over there import, with all that those import in turn.
V4_LIBRARIES = ("BitMath", "CustomRevert", "FixedPoint96", "FullMath", "SafeCast", "SqrtPriceMath", "TickMath", "UnsafeMath")
SOURCES_OF_0_7 = Path(__file__).parent / "contracts_v07"
# What the contracts over there import, with all that those import in turn.
LIBRARIES = (
    *(("v3-core", name) for name in ("FixedPoint96", "FullMath", "LowGasSafeMath", "SafeCast", "SqrtPriceMath", "TickMath", "UnsafeMath")),
    ("v3-periphery", "LiquidityAmounts"),
)
SOURCES_OF_VAULTS = Path(__file__).parent / "contracts_vaults"
OPENZEPPELIN = "@openzeppelin/contracts-5"
VAULT_LIBRARIES = (
    "interfaces/IERC1363",
    "interfaces/IERC165",
    "interfaces/IERC20",
    "interfaces/IERC4626",
    "interfaces/draft-IERC6093",
    "token/ERC20/ERC20",
    "token/ERC20/IERC20",
    "token/ERC20/extensions/ERC4626",
    "token/ERC20/extensions/IERC20Metadata",
    "token/ERC20/utils/SafeERC20",
    "utils/Context",
    "utils/Panic",
    "utils/introspection/IERC165",
    "utils/math/Math",
    "utils/math/SafeCast",
)
COMPILE_SECONDS = 120.0


@cache
def compiled() -> dict[str, Any]:
    """Contract name to `{"abi", "bytecode", "runtime"}`, hex with its 0x."""
    # Paris knows no PUSH0, so the code runs on whatever hard fork the chain is at.
    return _compile(node_package("solc") / "solc.js", _texts(SOURCES, SOURCES.glob("*.sol")), evmVersion="paris")


@cache
def compiled_for_uniswap_v4() -> dict[str, Any]:
    """The same of the contracts that import v4-core's own libraries."""
    own = _texts(SOURCES_OF_V4, SOURCES_OF_V4.glob("*.sol"))
    folder = node_package("@uniswap/v4-periphery") / "lib" / "v4-core" / "src" / "libraries"
    theirs = _texts(NODE_MODULES, (folder / f"{name}.sol" for name in V4_LIBRARIES))
    return _compile(node_package("solc") / "solc.js", {**own, **theirs}, wanted=tuple(own), evmVersion="cancun")


@cache
def compiled_vaults() -> dict[str, Any]:
    """The same of the contracts that import OpenZeppelin's vault."""
    own = _texts(SOURCES_OF_VAULTS, SOURCES_OF_VAULTS.glob("*.sol"))
    theirs = _texts(NODE_MODULES, (node_package(OPENZEPPELIN) / f"{name}.sol" for name in VAULT_LIBRARIES))
    return _compile(node_package("solc") / "solc.js", {**own, **theirs}, wanted=tuple(own), evmVersion="paris")


@cache
def compiled_for_uniswap() -> dict[str, Any]:
    """The same of the contracts that import Uniswap's own libraries, by the compiler and with the settings those were published for."""
    own = _texts(SOURCES_OF_0_7, SOURCES_OF_0_7.glob("*.sol"))
    theirs = _texts(NODE_MODULES, (node_package(f"@uniswap/{package}") / "contracts" / "libraries" / f"{name}.sol" for package, name in LIBRARIES))
    return _compile(node_package("solc-0.7") / "solcjs", {**own, **theirs}, wanted=tuple(own), optimizer={"enabled": True, "runs": 800})


def _texts(folder: Path, files: Iterable[Path]) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in sorted(files)}


def _compile(compiler: Path, sources: Mapping[str, str], wanted: Sequence[str] = ("*",), **settings: Any) -> dict[str, Any]:
    output = {name: {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]} for name in wanted}
    job = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources.items()},
        "settings": {"outputSelection": output, **settings},
    }
    with TemporaryFile("w+") as asked, TemporaryFile("w+") as said:
        # Files and no pipes: solc-js neither waits for what is longer than a pipe's buffer, nor until all of its own has been taken.
        json.dump(job, asked)
        asked.seek(0)
        command = ["node", str(compiler), "--standard-json"]
        subprocess.run(command, stdin=asked, stdout=said, text=True, timeout=COMPILE_SECONDS, check=True)
        said.seek(0)
        text = said.read()
    # solc-js may print a notice before the document.
    answer = json.loads(text[text.index("{") :])
    broken = [error["formattedMessage"] for error in answer.get("errors", ()) if error["severity"] == "error"]
    if broken:
        raise RuntimeError("\n".join(broken))
    return {name: _artifact(body) for file in answer["contracts"].values() for name, body in file.items()}


def _artifact(body: dict[str, Any]) -> dict[str, Any]:
    code = body["evm"]
    return {"abi": body["abi"], "bytecode": "0x" + code["bytecode"]["object"], "runtime": "0x" + code["deployedBytecode"]["object"]}


@cache
def built(name: str) -> dict[str, Any]:
    """The artifact of Uniswap v2 that `@uniswap/v2-core` ships, for example `built("UniswapV2Factory")`."""
    shipped = json.loads((node_package("@uniswap/v2-core") / "build" / f"{name}.json").read_text(encoding="utf-8"))
    return {"abi": shipped["abi"], "bytecode": "0x" + shipped["bytecode"]}


@cache
def published(package: str, path: str) -> dict[str, Any]:
    """The artifact a package ships, for example `published("v3-core", "UniswapV3Factory")`; `path` may name a folder of contracts/."""
    file = node_package(f"@uniswap/{package}") / "artifacts" / "contracts" / f"{path}.sol" / f"{path.rpartition('/')[2]}.json"
    artifact: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return artifact


@cache
def published_v4(name: str, profile: str = "") -> dict[str, Any]:
    """The artifact of Uniswap v4 that its periphery ships, for example `published_v4("PoolManager", "default")`: as deployed, by its settings."""
    built = node_package("@uniswap/v4-periphery") / "foundry-out"
    artifact = json.loads((built / f"{name}.sol" / f"{name}{'.' if profile else ''}{profile}.json").read_text(encoding="utf-8"))
    return {"abi": artifact["abi"], "bytecode": artifact["bytecode"]["object"]}
