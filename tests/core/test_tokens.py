"""Chains and their coins: one table, by name and by id."""

import pytest

from monitor.config.checks import CHAIN_IDS
from monitor.core.book import Chain
from monitor.core.tokens import ASSET_OF, CHAINS, belied
from monitor.wallets import native_coin

WETH = 0xC02AAA39B223FE8D0A0E5C4F27EAD9083C756CC2


def test_a_chains_coin_is_the_same_by_its_name_and_by_its_id():
    by_name = {name: ASSET_OF.get((name, 0), "") for name in CHAINS}

    assert by_name == {name: native_coin(Chain(chain_id=CHAIN_IDS[name])) for name in CHAINS}
    assert (by_name["base"], by_name["polygon"], by_name["gnosis"]) == ("ETH", "POL", "XDAI")


def test_no_two_chains_have_one_id():
    assert len(set(CHAIN_IDS.values())) == len(CHAINS) == 19


def test_the_coin_of_a_test_net_is_worth_nothing_and_has_no_name():
    assert ("sepolia", 0) not in ASSET_OF
    assert native_coin(Chain(chain_id=11155111)) == ""
    assert native_coin(Chain(chain_id=11155111), "ETH") == "ETH"


@pytest.mark.parametrize(
    ("chain", "token", "declared", "known"),
    [
        ("ethereum", WETH, "WETH", ""),
        ("ethereum", WETH, "ETH", ""),
        ("ethereum", WETH, "weth", ""),
        ("ethereum", WETH, "STETH", "ETH"),
        ("ethereum", WETH, "WSTETH", "ETH"),
        ("ethereum", WETH, "USDC", "ETH"),
        ("base", WETH, "USDC", ""),
        ("ethereum", 7, "USDC", ""),
        ("polygon", 0, "MATIC", ""),
    ],
)
def test_what_a_well_known_token_is_not_called(chain: str, token: int, declared: str, known: str):
    assert belied(chain, token, declared) == known
