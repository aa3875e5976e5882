"""`init --owner` against the real position manager on a private chain."""

import asyncio
import random
from pathlib import Path

import pytest

from monitor.clock import SystemClock
from monitor.config import discover, load
from monitor.net import HttpNet
from monitor.source import Ports
from tests.cli.speak import Said, speak
from tests.integration import aave
from tests.integration.uniswap import FOREVER, NOBODY, RICH, Uniswap


@pytest.fixture(scope="module")
def holder(uniswap: Uniswap) -> tuple[str, int, int]:
    """An account with two positions, and with one that was emptied."""
    account = uniswap.chain.accounts[2]
    for token in uniswap.tokens:
        token.send(uniswap.owner, "mint", account, RICH)
        token.send(account, "approve", uniswap.manager.address, 2**256 - 1)
    first, emptied, second = (uniswap.mint(-600, 600, 10**15, account) for _ in range(3))
    liquidity = uniswap.manager.read("positions", emptied)[7]
    uniswap.manager.send(account, "decreaseLiquidity", (emptied, liquidity, 0, 0, FOREVER))
    uniswap.manager.send(account, "collect", (emptied, account, 2**128 - 1, 2**128 - 1))
    return account, first, second


def init(uniswap: Uniswap, file: Path, owner: str, *more: str, chain_id: int | None = None, manager: str = "") -> Said:
    chain = ["--rpc", uniswap.chain.url, "--chain", "local", "--chain-id", str(chain_id or uniswap.chain.chain_id)]
    return speak("init", "--owner", owner, *chain, "--manager", manager or uniswap.manager.address, *more, file)


def test_the_owners_positions_stand_in_a_file_that_loads_and_can_be_polled(uniswap: Uniswap, holder: tuple[str, int, int], tmp_path: Path) -> None:
    account, *held = holder
    file = tmp_path / "mine.yaml"
    said = init(uniswap, file, account)
    assert said.code == 0, said.err
    assert f"2 Uniswap v3 positions of {account} at block " in said.out
    assert "1 empty ones left out" in said.out
    assert "no Aave v3 is known on local: give the address of its PoolAddressesProvider with --aave" in said.out
    assert f"lp-{held[0]} on local: " in said.out and "add `assets: [A, B]`" in said.out
    config = load(file, {}, discover())
    assert [(one.token_id, one.chain) for one in config.positions] == [(token_id, "local") for token_id in held]

    async def poll() -> set[str]:
        async with HttpNet() as net:
            harvest = await config.sources["uniswap-v3"].poll(Ports(net, SystemClock(), random.Random(0)), config.watch)
            assert harvest.rejected == []
            return {reading.subject for reading in harvest.readings if reading.metric == "position.liquidity"}

    assert asyncio.run(poll()) == {f"lp-{token_id}" for token_id in held}


def test_an_owner_of_nothing_gets_a_file_without_positions(uniswap: Uniswap, tmp_path: Path) -> None:
    file = tmp_path / "none.yaml"
    said = init(uniswap, file, NOBODY)
    assert (said.code, load(file, {}, discover()).positions) == (0, ())
    assert f"0 Uniswap v3 positions of {NOBODY}" in said.out


def test_another_chain_than_it_says_is_refused_and_no_file_is_left_F_053(uniswap: Uniswap, tmp_path: Path) -> None:
    said = init(uniswap, tmp_path / "new.yaml", NOBODY, chain_id=31337)
    assert said.code == 1 and "not 31337" in said.err
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_is_no_position_manager_is_refused_and_no_file_is_left(uniswap: Uniswap, tmp_path: Path) -> None:
    said = init(uniswap, tmp_path / "new.yaml", NOBODY, manager=uniswap.pool.address)
    assert said.code == 1 and f"no position manager answers at {uniswap.pool.address}" in said.err
    assert list(tmp_path.iterdir()) == []


def test_the_owners_account_of_aave_is_found_with_what_it_uses(uniswap: Uniswap, tmp_path: Path) -> None:
    world = aave.deploy(uniswap.chain)
    lender, owner = world.users[0], world.users[1]
    world.supply(lender, "USDC", 10_000 * 10**6)
    world.supply(owner, "WETH", 10**18)
    world.borrow(owner, "USDC", 500 * 10**6)
    file = tmp_path / "mine.yaml"
    said = init(uniswap, file, owner, "--aave", world.provider.address)
    assert said.code == 0, said.err
    assert "an account of Aave v3 with WETH, USDC" in said.out
    config = load(file, {}, discover())
    [account] = [one for one in config.positions if one.kind == "aave-v3"]
    assert (account.account, account.assets, account.chain) == (owner, ("WETH", "USDC"), "local")

    async def poll() -> dict[str, float]:
        async with HttpNet() as net:
            harvest = await config.sources["aave-v3"].poll(Ports(net, SystemClock(), random.Random(0)), config.watch)
            assert harvest.rejected == []
            return {reading.metric: float(reading.value) for reading in harvest.readings if reading.subject == account.id}

    read = asyncio.run(poll())
    assert read["account.supplied.WETH"] == 1.0
    assert read["account.borrowed.USDC"] == pytest.approx(500)


def test_an_address_that_is_no_aave_is_refused_and_no_file_is_left(uniswap: Uniswap, tmp_path: Path) -> None:
    said = init(uniswap, tmp_path / "new.yaml", NOBODY, "--aave", uniswap.pool.address)
    assert said.code == 1 and "is not the PoolAddressesProvider of an Aave v3" in said.err
    assert list(tmp_path.iterdir()) == []
