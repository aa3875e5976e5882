"""Compiles the contracts beside this file with solc-js at test time, so that no bytecode is kept in the repository."""

import json
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tests.integration.tools import node_package

SOURCES = Path(__file__).parent / "contracts"
COMPILE_SECONDS = 120.0


@cache
def compiled() -> dict[str, Any]:
    """Contract name to `{"abi", "bytecode", "runtime"}`, hex with its 0x."""
    job = {
        "language": "Solidity",
        "sources": {path.name: {"content": path.read_text(encoding="utf-8")} for path in sorted(SOURCES.glob("*.sol"))},
        # Paris knows no PUSH0, so the code runs on whatever hard fork the chain is at.
        "settings": {"evmVersion": "paris", "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]}}},
    }
    command = ["node", str(node_package("solc") / "solc.js"), "--standard-json"]
    with TemporaryFile("w+") as said:
        # Into a file: solc-js ends without waiting for a pipe, and what is longer than the pipe's buffer is cut off.
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
