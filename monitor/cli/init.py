"""`init`: a commented starter configuration, with the positions of an owner if one is named."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.common import DEFAULT_FILE, example
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.core.book import Position
    from monitor.discovery import Found

EXAMPLE = "hedge-monitor init --owner 0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045 --rpc https://ethereum-rpc.publicnode.com"


def register(app: typer.Typer) -> None:
    app.command(epilog=example(EXAMPLE))(init)


def init(
    file: Annotated[Path, typer.Argument(help="Where to write it; an existing file is never overwritten.")] = DEFAULT_FILE,
    owner: Annotated[str, typer.Option(help="Whose Uniswap v3 and Aave v3 positions to look for; needs --rpc.")] = "",
    rpc: Annotated[str, typer.Option(help="JSON-RPC endpoint of the chain.")] = "",
    chain: Annotated[str, typer.Option(help="The chain's name, such as ethereum or base.")] = "ethereum",
    chain_id: Annotated[int | None, typer.Option(help="Needed for a chain that is not well known.")] = None,
    manager: Annotated[str, typer.Option(help="Uniswap v3 position manager, where it is not at the usual address.")] = "",
    aave: Annotated[str, typer.Option(help="PoolAddressesProvider of an Aave v3, where it is not at the usual address.")] = "",
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of a configuration, for editors, and write nothing.")] = False,
) -> None:
    """Write a commented starter configuration.

    It is readable by you alone (mode 600). With --owner and --rpc it holds the owner's Uniswap v3 positions and
    account of Aave v3."""
    if schema:
        _print_schema()
        return
    if file.exists():
        raise ConfigError(f"{file} exists already and is not overwritten: name another file")
    _must_fit({"--owner": owner, "--manager": manager, "--aave": aave}, rpc, chain, chain_id)
    import asyncio

    found = asyncio.run(_look(owner, rpc, chain, chain_id, manager, aave)) if owner else None
    from monitor.config import starter

    positions: tuple[Position, ...] = found.positions if found else ()
    text = starter(owner=owner, chain=chain, rpc=rpc, chain_id=chain_id, manager=manager, aave=aave, positions=positions)
    _write(file, text)
    typer.echo(f"wrote {file}; look it over, then: hedge-monitor --config {file} check")
    if found is not None:
        _tell(found, owner)


def _print_schema() -> None:
    import json

    from monitor.config import discover, json_schema

    typer.echo(json.dumps(json_schema(discover()), indent=2, sort_keys=True))


def _must_fit(addresses: dict[str, str], rpc: str, chain: str, chain_id: int | None) -> None:
    from monitor.config.checks import CHAIN_IDS, address_flaw, url_flaw

    problems = [f"{name}: {flaw}" for name, text in addresses.items() if text and (flaw := address_flaw(text))]
    for name, text in addresses.items():
        if text and not re.fullmatch("0x[0-9a-fA-F]{40}", text) and not address_flaw(text):
            problems.append(f"{name}: an address is 0x and 40 hexadecimal digits")
    if addresses["--owner"] and not rpc:
        problems.append("--owner needs --rpc: the positions are read from the chain")
    if rpc and (flaw := url_flaw(rpc)):
        problems.append(f"--rpc: {flaw}")
    if rpc and chain not in CHAIN_IDS and chain_id is None:
        problems.append(f"--chain {chain} is not well known: give its --chain-id too, or one of: {', '.join(CHAIN_IDS)}")
    if problems:
        raise ConfigError(*problems)


async def _look(owner: str, rpc: str, chain: str, chain_id: int | None, manager: str, aave: str) -> "Found":
    from urllib.parse import urlsplit

    from monitor.chain import BlockPinnedReader
    from monitor.collectors.aave_v3 import PROVIDERS
    from monitor.collectors.uniswap_v3 import MANAGERS
    from monitor.config.checks import CHAIN_IDS
    from monitor.discovery import positions_of
    from monitor.net import EgressPolicy, HttpNet
    from monitor.rpc import json_rpc

    number = chain_id if chain_id is not None else CHAIN_IDS[chain]
    address = manager or MANAGERS.get(number, "")
    if not address:
        raise ConfigError(f"no Uniswap v3 position manager is known on {chain}: give its address with --manager")
    async with HttpNet(EgressPolicy(allowed_hosts=frozenset({(urlsplit(rpc).hostname or "").lower()}))) as net:
        return await positions_of(BlockPinnedReader(json_rpc(net, rpc), number), chain, address, aave or PROVIDERS.get(number, ""), owner)


def _write(file: Path, text: str) -> None:
    """Create the file for its owner alone, and read it back: what does not load is not left behind."""
    from monitor.config import discover, load
    from monitor.config.environment import PREFIX

    try:
        with open(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written: {error.strerror}") from None
    # Settings from the environment are another matter: only what the file itself refers to (`${NAME}`) is needed here.
    environ = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    try:
        load(file, environ, discover())
    except ConfigError:
        file.unlink()
        raise


def _tell(found: "Found", owner: str) -> None:
    empty = f", {found.empty} empty ones left out" if found.empty else ""
    kinds = [position.kind for position in found.positions]
    typer.echo(f"{kinds.count('uniswap-v3')} Uniswap v3 positions of {owner} at block {found.block.number}{empty}")
    for position in found.positions:
        if position.kind == "aave-v3":
            typer.echo(f"an account of Aave v3 with {', '.join(position.assets)}")
    for note in found.notes:
        typer.echo(f"  {note}")
    typer.echo("Other kinds of positions are not looked for: the commented examples of the file name what each needs.")
