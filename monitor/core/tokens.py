"""Well-known tokens by chain and address: facts from the issuers' own pages, so that a position's assets need no on-chain text.

Token names are never read from a contract: anyone can call a token anything.
"""

from collections.abc import Mapping, Sequence

# chain -> address -> asset of the vocabulary. Wrapped coins are named by the coin they redeem for.
# WETH by chain: docs.uniswap.org/contracts/v3/reference/deployments; USDC: developers.circle.com/stablecoins/usdc-contract-addresses;
# USDT, DAI and WBTC: github.com/Uniswap/default-token-list.
_ADDRESSES: dict[str, dict[str, str]] = {
    "ethereum": {
        "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2": "ETH",
        "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48": "USDC",
        "0xdac17f958d2ee523a2206206994597c13d831ec7": "USDT",
        "0x6b175474e89094c44da98b954eedeac495271d0f": "DAI",
        "0x2260fac5e5542a773aa44fbcfedf7c193bc2c599": "BTC",
    },
    "arbitrum": {
        "0x82af49447d8a07e3bd95bd0d56f35241523fbab1": "ETH",
        "0xaf88d065e77c8cc2239327c5edb3a432268e5831": "USDC",
        "0xfd086bc7cd5c481dcc9c85ebe478a1c0b69fcbb9": "USDT",
    },
    "base": {
        "0x4200000000000000000000000000000000000006": "ETH",
        "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913": "USDC",
    },
    "optimism": {
        "0x4200000000000000000000000000000000000006": "ETH",
        "0x0b2c639c533813f4aa9d7837caf62653d097ff85": "USDC",
    },
}
# Chains by name: the id, and the coin that pays for gas, which a pool of Uniswap v4 holds unwrapped under the address 0 (always as token0);
# that of a test net is worth nothing and has no name here. chainid.network.
CHAINS = {
    "ethereum": (1, "ETH"),
    "optimism": (10, "ETH"),
    "bsc": (56, "BNB"),
    "gnosis": (100, "XDAI"),
    "unichain": (130, "ETH"),
    "polygon": (137, "POL"),
    "sonic": (146, "S"),
    "zksync": (324, "ETH"),
    "worldchain": (480, "ETH"),
    "mantle": (5000, "MNT"),
    "base": (8453, "ETH"),
    "arbitrum": (42161, "ETH"),
    "celo": (42220, "CELO"),
    "avalanche": (43114, "AVAX"),
    "ink": (57073, "ETH"),
    "linea": (59144, "ETH"),
    "blast": (81457, "ETH"),
    "scroll": (534352, "ETH"),
    "sepolia": (11155111, ""),
}
ASSET_OF: dict[tuple[str, int], str] = {
    (chain, int(address, 16)): asset for chain, tokens in _ADDRESSES.items() for address, asset in tokens.items()
} | {(chain, 0): coin for chain, (_, coin) in CHAINS.items() if coin}

# The tokens of the table above that are named by the coin they redeem for, by their own names.
_WRAPPED = {"WETH": "ETH", "WBTC": "BTC"}
# One of these redeems for more than one coin, and for more each day: it counts as core/redemption.py says. Lido, Rocket Pool, Coinbase.
STAKED = {"WSTETH": "ETH", "CBETH": "ETH", "RETH": "ETH"}
# One of these redeems for one coin: WETH by its contract, stETH by growing in number; wrapped BTC by the word of who holds the coins.
_UNDERLYING = {**STAKED, "WETH": "ETH", "STETH": "ETH", "WBTC": "BTC", "CBBTC": "BTC", "TBTC": "BTC"}
# BTC and ETH, and what stands for them: sold in any size within a day.
MAJORS = frozenset({"BTC", "ETH", *_UNDERLYING})
STABLES = frozenset({"USDC", "USDT", "DAI", "USDS", "USDE", "FRAX", "LUSD", "GHO", "CRVUSD", "PYUSD", "FDUSD", "TUSD", "USDBC"})

LISTED = frozenset({"SPX", "ES", "VIX", "VXX", "UVXY"})
"""What trades at US exchanges: no coin, and with no perpetual or funding."""

COUNTER = frozenset({"VIX", "VXX", "UVXY"})
"""What rises as markets fall."""


def underlying(asset: str) -> str:
    """The asset whose price a wrapped or staked one follows, and whose perpetual hedges it; any other asset is its own."""
    return _UNDERLYING.get(asset.upper(), asset)


def belied(chain: str, token: int, declared: str) -> str:
    """What a well-known token is, where `declared` calls it by another name than its own or its coin's (WETH, ETH); empty where it does not.

    A chain's own coin, at address 0, has names enough (POL, MATIC) and is believed.
    """
    known = ASSET_OF.get((chain, token), "") if token else ""
    return known if known != _WRAPPED.get(declared.upper(), declared) else ""


def token_of(chain: str, asset: str) -> str:
    """The address of a well-known token, in lower case; empty for any other. ETH and BTC have none: what wraps them is WETH and WBTC."""
    if asset in _WRAPPED.values():
        return ""
    wanted = _WRAPPED.get(asset, asset)
    return next((address for address, name in _ADDRESSES.get(chain, {}).items() if name == wanted), "")


def tokens_called(asset: str, chain: str, listed: Sequence[tuple[str, str]], named: Mapping[str, str]) -> list[str]:
    """The tokens, of those that a market lists as (its symbol for it, address in lower case), that an asset can mean.

    As `named` says for `chain/ASSET`, else the well-known one, else all of that symbol: more than one is for the user to tell apart.
    """
    if (token := named.get(f"{chain}/{asset}")) is not None:
        return [address for _, address in listed if address == token.lower()]
    known = [address for _, address in listed if ASSET_OF.get((chain, int(address, 16))) == asset]
    return known or [address for symbol, address in listed if symbol.upper() == asset]
