"""Compiles the contracts beside this file with solc-js at test time, so that no bytecode is kept in the repository."""

import json
import posixpath
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tests.integration.tools import node_package

SOURCES = Path(__file__).parent / "contracts"
COMPILE_SECONDS = 120.0
OUTPUTS = ("abi", "evm.bytecode.object", "evm.deployedBytecode.object")


@dataclass(frozen=True)
class Compiler:
    """A locked solc of npm, the program in it, and its settings."""

    package: str = "solc"
    program: str = "solc.js"
    settings: Mapping[str, Any] = field(default_factory=lambda: {"evmVersion": "paris"})


# Paris knows no PUSH0, so the code runs on whatever hard fork the chain is at. A folder whose contracts import published libraries is
# compiled as those were published.
FOLDERS = {
    "": Compiler(),
    "vaults": Compiler(),
    "v3": Compiler("solc-0.7", "solcjs", {"optimizer": {"enabled": True, "runs": 800}}),
    "v4": Compiler(settings={"evmVersion": "cancun"}),
}


@cache
def compiled(folder: str = "") -> dict[str, Any]:
    """Contract name to `{"abi", "bytecode", "runtime"}`, hex with its 0x, of one folder of contracts/; what they import of node packages too."""
    compiler = FOLDERS[folder]
    written = {path.name: path.read_text(encoding="utf-8") for path in sorted((SOURCES / folder).glob("*.sol"))}
    job = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in _with_imports(written).items()},
        "settings": {"outputSelection": {name: {"*": OUTPUTS} for name in written}, **compiler.settings},
    }
    command = ["node", str(node_package(compiler.package) / compiler.program), "--standard-json"]
    with TemporaryFile("w+") as asked, TemporaryFile("w+") as said:
        # Files and no pipes: solc-js neither waits for what is longer than a pipe's buffer, nor until all of its own has been taken.
        json.dump(job, asked)
        asked.seek(0)
        subprocess.run(command, stdin=asked, stdout=said, text=True, timeout=COMPILE_SECONDS, check=True)
        said.seek(0)
        text = said.read()
    # solc-js may print a notice before the document.
    answer = json.loads(text[text.index("{") :])
    broken = [error["formattedMessage"] for error in answer.get("errors", ()) if error["severity"] == "error"]
    if broken:
        raise RuntimeError("\n".join(broken))
    return {name: _artifact(body) for file in answer["contracts"].values() for name, body in file.items()}


def _with_imports(sources: dict[str, str]) -> dict[str, str]:
    """The sources and all that they import, by the name under which solc asks for it."""
    known, waiting = dict(sources), list(sources)
    while waiting:
        name = waiting.pop()
        for path in re.findall(r"^import [^;]*?[\"']([^\"']+)[\"'];", known[name], re.MULTILINE):
            wanted = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path.startswith(".") else path
            if wanted not in known:
                package, _, inside = wanted.partition("/")
                if package.startswith("@"):
                    of_scope, _, inside = inside.partition("/")
                    package = f"{package}/{of_scope}"
                known[wanted] = (node_package(package) / inside).read_text(encoding="utf-8")
                waiting.append(wanted)
    return known


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
