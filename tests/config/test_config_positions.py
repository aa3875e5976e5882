"""Positions in pools, vaults, wallets and treasuries: what is missing, what belongs elsewhere, and what is just right."""

from pathlib import Path

import pytest

from tests.config.catalogue import held, load_text, problems


def two(kind: str, **more: str) -> str:
    """The same position under two ids, the second one with its addresses in capitals."""
    text = held(kind, **more)
    listed = text.rpartition("positions: [")[2].rstrip("]")
    return text[:-1] + ", " + listed.replace("id: p", "id: q").replace("0xa", "0xA") + "]"


MISTAKES = {
    "pair without pool": ("positions: [{id: p, kind: uniswap-v2}]", 1, "positions[0]", "a position of kind uniswap-v2 needs `pool`"),
    "pair without holder": ("positions: [{id: p, kind: uniswap-v2}]", 1, "positions[0]", "a position of kind uniswap-v2 needs `account`"),
    "pair with a token id": (held("uniswap-v2", token_id="4"), 2, "positions[0].token_id", "does not belong to a position of kind uniswap-v2"),
    "pair of one asset": (
        held("uniswap-v2", assets="[USDC]"),
        2,
        "positions[0].assets",
        "the two tokens of its pool, in the pool's order, this names 1",
    ),
    "range of three assets": (
        'chains: {base: {rpc: "http://x:1"}}\npositions: [{id: p, kind: uniswap-v3, chain: base, token_id: 1, assets: [A, B, C]}]',
        2,
        "positions[0].assets",
        "the two tokens of its pool, in the pool's order, this names 3",
    ),
    "pair at a name": (held("uniswap-v2", pool="here"), 2, "positions[0].pool", "must be an address, 0x and 40 hexadecimal digits"),
    "an NFT in the book by two accounts": (
        'chains: {base: {rpc: "http://x:1"}}\npositions: [{id: p, kind: uniswap-v3, chain: base, token_id: 1}, '
        f"{{id: q, kind: uniswap-v3, chain: base, token_id: 1, account: '0x{'a' * 40}'}}]",
        2,
        "positions[1]",
        "would count twice",
    ),
    "an NFT with a tick of its own": (
        'chains: {base: {rpc: "http://x:1"}}\npositions: [{id: p, kind: uniswap-v3, chain: base, token_id: 1, tick_lower: 0}]',
        2,
        "positions[0].tick_lower",
        "belongs to a range without an NFT",
    ),
    "a dYdX subaccount under its two names": (
        f"positions: [{{id: p, kind: perp, asset: ETH, venue: dydx, account: dydx1{'q' * 38}}}, "
        f"{{id: q, kind: perp, asset: ETH, venue: dydx, account: dydx1{'q' * 38}/0}}]",
        1,
        "positions[1]",
        "would count twice",
    ),
    "F-067 the zero address": (held("uniswap-v2", account="'0x" + "0" * 40 + "'"), 2, "positions[0].account", "is the zero address"),
    "F-067 the zero address at a venue": (
        f"positions: [{{id: p, kind: perp, asset: ETH, venue: hyperliquid, account: '0x{'0' * 40}'}}]",
        1,
        "positions[0].account",
        "is the zero address",
    ),
    "F-067 a name of ENS": (held("uniswap-v2", account="vitalik.eth"), 2, "positions[0].account", "must be an address, 0x and 40"),
    "vault without holder": ("positions: [{id: p, kind: erc-4626}]", 1, "positions[0]", "a position of kind erc-4626 needs `account`"),
    "vault without vault": ("positions: [{id: p, kind: erc-4626}]", 1, "positions[0]", "a position of kind erc-4626 needs `pool`"),
    "vault with amounts": (held("erc-4626", amounts="{ETH: 1}"), 2, "positions[0].amounts", "does not belong to a position of kind erc-4626"),
    "vault of two assets": (held("erc-4626", assets="[A, B]"), 2, "positions[0].assets", "the one asset of its vault, this names 2"),
    "wallet without assets": (held("tokens", pool=""), 2, "positions[0]", "needs `amounts` or `chain`, `account` and `assets`"),
    "wallet read and declared": (
        held("tokens", pool="", amounts="{ETH: 1}"),
        2,
        "positions[0]",
        "declares `amounts` and names an `account` or `assets` to read; keep the one or the other",
    ),
    "amounts and assets": (
        "positions: [{id: p, kind: tokens, amounts: {ETH: 1}, assets: [USDC]}]",
        1,
        "positions[0]",
        "keep the one or the other",
    ),
    "treasury of nobody": ("positions: [{id: p, kind: treasury}]", 1, "positions[0]", "a position of kind treasury needs `protocol`"),
    "treasury of a name": (
        "positions: [{id: p, kind: treasury, protocol: uniswap}]",
        1,
        "positions[0].protocol",
        "'uniswap' is not a protocol; write protocol:uniswap, in lower case",
    ),
    "treasury with an account": (
        "positions: [{id: p, kind: treasury, protocol: 'protocol:x', account: me}]",
        1,
        "positions[0].account",
        "does not belong to a position of kind treasury",
    ),
    "the same asset twice": (
        held("tokens", pool="", assets="[ETH, USDC, ETH]"),
        2,
        "positions[0].assets",
        "'ETH' is named twice and would count twice",
    ),
    "one reserve by two names": (held("aave-v3", pool="", assets="[ETH, WETH]"), 2, "positions[0].assets", "'ETH' is named twice"),
    **{
        f"{name} twice": (
            two(kind, **more),
            2,
            "positions[1]",
            "hedge-monitor.yaml:2 holds already, and would count twice; delete one of the two",
        )
        for name, kind, more in [
            ("the same pool", "curve", {}),
            ("a wallet's asset", "tokens", {"pool": "", "assets": "[ETH, USDC]"}),
            ("a reserve", "aave-v3", {"pool": "", "assets": "[ETH]"}),
            ("a range", "uniswap-v3", {"pool": "", "account": "", "token_id": "7"}),
        ]
    },
    "a perpetual twice": (
        "positions: [{id: p, kind: perp, asset: ETH, venue: x}, {id: q, kind: perp, asset: WETH, venue: x}]",
        1,
        "positions[1]",
        "would count twice",
    ),
    "a treasury twice": (
        "positions: [{id: p, kind: treasury, protocol: 'protocol:x'}, {id: q, kind: treasury, protocol: 'protocol:x'}]",
        1,
        "positions[1]",
        "would count twice",
    ),
}
JUST_RIGHT = {
    "a pair": held("uniswap-v2"),
    "a pair of tokens that are not well known": held("uniswap-v2", assets="[AAA, BBB]", deposited="{AAA: 1}"),
    "a vault": held("erc-4626", assets="[USDC]"),
    "a wallet": held("tokens", pool="", assets="[ETH, USDC]"),
    "two declared amounts of one asset": "positions: [{id: p, kind: tokens, amounts: {ETH: 1}}, {id: q, kind: tokens, amounts: {ETH: 1}}]",
    "two declared perpetuals of one asset": "positions: [{id: p, kind: perp, asset: ETH, size: 1}, {id: q, kind: perp, asset: ETH, size: 1}]",
    "a coin and what wraps it, in one wallet": held("tokens", pool="", assets="[ETH, WETH]"),
    "two names of one asset in a pair": held("uniswap-v2", assets="[ETH, ETH]"),
    "two assets of one wallet": two("tokens", pool="", assets="[ETH]").replace("[ETH]", "[USDC]", 1),
    "declared tokens on a chain": 'chains: {base: {rpc: "http://x:1"}}\npositions: [{id: p, kind: tokens, chain: base, amounts: {ETH: 1}}]',
    "a treasury": "positions: [{id: p, kind: treasury, protocol: 'protocol:x'}]",
}


@pytest.mark.parametrize(("text", "line", "path", "words"), MISTAKES.values(), ids=MISTAKES.keys())
def test_every_mistake_is_told_with_its_line_and_what_to_do(tmp_path: Path, text: str, line: int, path: str, words: str) -> None:
    told = problems(tmp_path, text)
    assert any(one.startswith(f"hedge-monitor.yaml:{line}: ") and path in one and words in one for one in told), told


@pytest.mark.parametrize("text", JUST_RIGHT.values(), ids=JUST_RIGHT.keys())
def test_what_is_just_right_loads(tmp_path: Path, text: str) -> None:
    assert load_text(tmp_path, text).warnings == () or "treasury" in text
