"""The commented starter configuration that `init` writes. A line that begins with `#` and no space is a setting to switch on."""

import json
from collections.abc import Sequence

from monitor.core.book import Position

_HEAD = """\
# Configuration of hedge-monitor. Check it with: hedge-monitor check
# Every setting has a default; without this file the monitor watches BTC, ETH and the TVL of Ethereum on public endpoints.
# Durations are written 48h, 15min or 7d, rates 8% or 80bp, money 10_000 USD. Values need no quotes.
# Any setting can come from the environment: HEDGE_MONITOR_STORE__URL is store.url.
# Secrets: ${NAME} takes an environment variable, `secret_file` or `token_file` a file of mode 600.

# What is protected, and how much may be spent on it.
book:
  capital: 10_000 USD
  # steward or promoter; the gates that will tell them apart are not built yet, so both decide alike
  mode: steward
  # drawdown (protect dollars) or il (offset impermanent loss); no strangle is proposed yet, so both size alike
  objective: drawdown
  # without this line: the assets of the positions, else BTC and ETH
#  assets: [BTC, ETH]
"""

_CHAINS = """
# Chains the positions live on; `chain_id` is needed only for names that are not well known.
#chains:
#  ethereum: {rpc: "https://ethereum-rpc.publicnode.com"}
"""

_POSITIONS = """
# Positions: liquidity (uniswap-v2, uniswap-v3, uniswap-v4, curve, balancer), vaults (erc-4626), loans (aave-v3, compound-v3), perp, option,
# iron-condor, tokens, treasury. Sizes are in coins, negative is short. The README says what each kind needs.
#positions:
#  - {id: eth-usdc, kind: uniswap-v3, chain: ethereum, token_id: 12345, assets: [USDC, WETH], exposed_to: [protocol:uniswap-v3]}
#  - {id: loan, kind: aave-v3, chain: ethereum, account: 0x00000000219ab540356cBB839Cbe05303d7705Fa, assets: [WETH, USDC]}
#  - {id: short-eth, kind: perp, asset: ETH, size: -1.5, entry_price: 2000 USD, margin: 900 USD}
#  - {id: eth-put, kind: option, asset: ETH, right: put, strike: 1800 USD, expiry: 2027-03-26, size: 5}
#  - {id: wallet, kind: tokens, amounts: {ETH: 2, USDC: 5000}}
"""

_REST = """
# Where facts come from. Public endpoints need no key; `hedge-monitor check` lists every source.
sources:
  tvl:
    subjects: [chain:ethereum]
#  spot: [ETH]
  # Your own data can stand in for any of them, in the units of the README's table.
#  http-json:
#    feeds:
#      vault:
#        url: https://vault.example.org/tvl
#        headers: {Authorization: "Bearer ${VAULT_KEY}"}
#        series: [{metric: tvl.usd, subject: "protocol:my-vault", value: "$.points[*].usd", at: "$.points[*].time"}]
#  prometheus:
#    url: http://127.0.0.1:9090
#    queries: [{metric: tvl.usd, subject_label: chain, query: "sum by (chain) (vault_tvl_dollars)"}]
#  folder: {path: inbox}

# The catalogue, with the default of every threshold: hedge-monitor rules list
#rules:
#  tvl-drawdown:
#    threshold: 8%
#    overrides:
#      "chain:ethereum": {threshold: 12%}
#  funding-spike: {enabled: no}

# Signed webhooks (Standard Webhooks). Make a secret with: echo whsec_$(openssl rand -base64 32)
#alerts:
#  channels:
#    phone: {kind: webhook, url: "https://hooks.example.org/hedge", secret_file: webhook.secret, types: [layer.proposed, source.down]}
#  unknown_pending: 10min
#  heartbeat: 24h

store:
  url: sqlite:///hedge-monitor.db

# The page, the API and /metrics. Off this machine it asks for a token.
server:
  host: 127.0.0.1
  port: 9464
#  token_file: server.token
  # opens POST /api/v1/observations for rows of your own
#  push_token_file: push.token
"""


def starter(
    *,
    owner: str = "",
    chain: str = "ethereum",
    rpc: str = "",
    chain_id: int | None = None,
    manager: str = "",
    aave: str = "",
    positions: Sequence[Position] = (),
) -> str:
    """The starter configuration's text, valid as it stands.

    With `rpc` the chain is switched on, and `positions`, those found for `owner`, stand in it ready to use. `chain_id` is needed for a chain
    that is not well known, `manager` (the Uniswap v3 position manager's address) and `aave` (the PoolAddressesProvider's) for one where they
    stand elsewhere.
    """
    identity = f", chain_id: {chain_id}" if chain_id is not None else ""
    chains = f"\nchains:\n  {chain}: {{rpc: {json.dumps(rpc)}{identity}}}\n" if rpc else _CHAINS
    listed = "".join(f"  - {_line(position)}\n" for position in positions)
    found = f"\n# Found for {owner or 'the owner'}.\npositions:\n{listed}" if positions else _POSITIONS
    elsewhere = [
        (f"uniswap-v3: {{managers: {{{chain}: {json.dumps(manager)}}}}}", manager),
        (f"aave-v3: {{providers: {{{chain}: {json.dumps(aave)}}}}}", aave),
    ]
    sources = "\nsources:" + "".join(f"\n  {line}" for line, address in elsewhere if address)
    return _HEAD + chains + found + _REST.replace("\nsources:", sources, 1)


def _line(position: Position) -> str:
    parts = [f"id: {position.id}", f"kind: {position.kind}"]
    parts += [f"{name}: {value}" for name in ("chain", "account", "asset") if (value := getattr(position, name))]
    parts += [f"token_id: {position.token_id}"] if position.token_id is not None else []
    parts += [f"size: {position.size!r}"] if position.size else []
    parts += [f"{name}: [{', '.join(map(json.dumps, value))}]" for name in ("assets", "exposed_to") if (value := getattr(position, name))]
    amounts = ", ".join(f"{name}: {amount!r}" for name, amount in position.amounts.items())
    return "{" + ", ".join([*parts, *([f"amounts: {{{amounts}}}"] if amounts else [])]) + "}"
