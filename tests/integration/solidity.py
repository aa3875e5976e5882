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


def _texts(folder: Path, files: Iterable[Path]) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in sorted(files)}


def _compile(compiler: Path, sources: Mapping[str, str], wanted: Sequence[str] = ("*",), **settings: Any) -> dict[str, Any]:
    output = {name: {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]} for name in wanted}
    job = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources.items()},
        "settings": {"outputSelection": output, **settings},
    }
    with TemporaryFile("w+") as said:
        # Into a file: solc-js ends without waiting for a pipe, and what is longer than the pipe's buffer is cut off.
        command = ["node", str(compiler), "--standard-json"]
        subprocess.run(command, input=json.dumps(job), stdout=said, text=True, timeout=COMPILE_SECONDS, check=True)
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
