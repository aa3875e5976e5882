"""The configuration as users get it wrong: every mistake is named with its place and its cure, and no secret is ever repeated."""

from pathlib import Path

import pytest

from monitor.config import discover, load
from monitor.config.checks import checksummed
from monitor.errors import ConfigError
from tests.config.catalogue import CATALOGUE, channel, load_text, position, problems, whsec

VITALIK = "d8dA6BF26964aF9D7eEd9e03E53415D37aA96045"


def test_three_mistakes_are_three_lines_at_once_f_150(tmp_path: Path) -> None:
    text = "book:\n  capitol: 10 USD\nrules:\n  tvl-drawdown:\n    threshold: 8 apples\nserver:\n  port: 99999\n"
    assert problems(tmp_path, text) == [
        "hedge-monitor.yaml:2: book.capitol: there is no such setting; did you mean capital?",
        "hedge-monitor.yaml:5: rules.tvl-drawdown.threshold: '8 apples' is not a rate: write 8%, 80bp or 0.08",
        "hedge-monitor.yaml:7: server.port: must be a port from 0 (any free one) to 65535",
    ]


def test_a_typo_of_a_needed_setting_is_one_mistake_not_two_f_150(tmp_path: Path) -> None:
    assert problems(tmp_path, "sources: {fred: {api_kye: abcdefgh}}") == [
        "hedge-monitor.yaml:1: sources.fred.api_kye: there is no such setting; did you mean api_key?"
    ]


TOGETHER = """\
book:
  capital: 10 EUR
  layer_share: 125%
chains:
  ethereum: {rpc: "wss://x.example", chain_id: x}
positions:
  - {id: a, kind: perp, asset: ETH, size: 1}
  - {id: a, kind: perp, asset: BTC, size: two}
  - {id: a, kind: uniswp-v3, chain: etherum, token_id: -5, size: two}
  - {id: b, kind: option, asset: eth, right: putt, strike: -1800 USD, expiry: 2026-13-25, size: 2, margin: 5 EUR}
  - {kind: perp, asset: ETH, sise: 2}
  - {id: c, kind: perp, asset: ETH, size: ''}
sources:
  defillama: {cadence: 1ms, endpoint: "${X}"}
  fred: {api_key_file: nowhere}
rules: {funding-spike: {overrides: {SOL: {venues: 2}}}}
alerts:
  heartbeat: 1s
  unknown_pending: 5
  channels: {phone: {url: x, secret: y, types: [z]}}
server: {port: 99999, host: 0.0.0.0, token_file: nowhere}
"""


def test_stages_of_reading_tell_together_and_no_mistake_has_a_shadow_f_150(tmp_path: Path) -> None:
    """What is wrong of one setting hides nothing of its neighbours, and nothing is told of what only follows from it."""
    told = [line.removeprefix("hedge-monitor.yaml:").split(": ")[:2] for line in problems(tmp_path, TOGETHER)]
    assert [f"{line} {path}" for line, path in told] == [
        "2 book.capital",
        "3 book.layer_share",
        "5 chains.ethereum.chain_id",
        "5 chains.ethereum.rpc",
        "8 positions[1].size",
        "8 positions[1].id",
        "9 positions[2].kind",
        "9 positions[2].size",
        "9 positions[2].id",
        "9 positions[2].token_id",
        "9 positions[2].chain",
        "10 positions[3].margin",
        "10 positions[3].right",
        "10 positions[3].margin",
        "10 positions[3].asset",
        "10 positions[3].expiry",
        "10 positions[3].strike",
        "11 positions[4].sise",
        "11 positions[4].id",
        "12 positions[5].size",
        "14 sources.defillama.endpoint",
        "14 sources.defillama.cadence",
        "15 sources.fred.api_key_file",
        "18 alerts.heartbeat",
        "19 alerts.unknown_pending",
        "20 alerts.channels.phone.types[0]",
        "20 alerts.channels.phone.url",
        "20 alerts.channels.phone.secret",
        "21 server.token_file",
        "21 server.port",
    ]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("exit: 9%, window: 48", ["rules.tvl-drawdown.window", "rules.tvl-drawdown"]),
        ("exit: 9%, windw: 48h", ["rules.tvl-drawdown.windw", "rules.tvl-drawdown"]),
        ("exit: 9%, threshold: 12 apples", ["rules.tvl-drawdown.threshold"]),
        ("exit: 9%, treshold: 12%", ["rules.tvl-drawdown.treshold"]),
        ("exit: 9 apples, threshold: 3%", ["rules.tvl-drawdown.exit"]),
    ],
)
def test_what_two_settings_say_together_is_told_unless_one_of_them_cannot_be_read_f_150(tmp_path: Path, settings: str, told: list[str]) -> None:
    lines = problems(tmp_path, f"rules: {{tvl-drawdown: {{{settings}}}}}")
    assert [line.split(": ")[1] for line in lines] == told


def option(**more: str) -> str:
    return position(**({"kind": "option", "right": "put", "strike": "1800 USD", "expiry": "2026-12-25", "size": "2"} | more))


def condor(**more: str) -> str:
    strikes = "[1500 USD, 1700 USD, 2300 USD, 2500 USD]"
    return position(**({"kind": "iron-condor", "strikes": strikes, "expiry": "2026-12-25", "size": "2", "credit": "30 USD"} | more))


def test_options_and_condors_are_read_and_may_have_expired(tmp_path: Path) -> None:
    (bought,) = load_text(tmp_path, option(venue="deribit", size="-2")).positions
    assert (bought.right, bought.strike, bought.expiry, bought.size, bought.venue) == ("put", 1800.0, "2026-12-25", -2.0, "deribit")
    (sold,) = load_text(tmp_path, condor(asset="SPX", expiry="2020-01-17T14:30:00Z")).positions
    assert (sold.strikes, sold.expiry, sold.credit) == ((1500.0, 1700.0, 2300.0, 2500.0), "2020-01-17T14:30:00Z", 30.0)


LP = "{id: p, kind: uniswap-v3, chain: bse, token_id: 1}"
RANGE = "id: p, kind: uniswap-v3, chain: base, pool: '0x" + "a" * 40 + "', account: '0x" + "b" * 40 + "'"
CASES = {
    "F-150 typo in a section": ("boook: {}", 1, "boook", "did you mean book?"),
    "F-150 typo in a rule's id": ("rules:\n  tvl-drawdwn: {}", 2, "rules.tvl-drawdwn", "did you mean tvl-drawdown?"),
    "F-150 typo in a gate's id": ("gates: {cooldwn: {}}", 1, "gates.cooldwn", "did you mean cooldown?"),
    "F-150 typo in a source's id": ("sources: {defilama: {}}", 1, "sources.defilama", "did you mean defillama?"),
    "F-150 typo in a rule's field": (
        "rules:\n  tvl-drawdown:\n    treshold: 8%",
        3,
        "rules.tvl-drawdown.treshold",
        "did you mean threshold?",
    ),
    "F-150 typo in an override": ("rules: {tvl-drawdown: {overrides: {'chain:ethereum': {exti: 1%}}}}", 1, "exti", "did you mean exit?"),
    "F-150 typo in a channel": (channel(secrt_file="x"), 1, "phone.secrt_file", "did you mean secret_file?"),
    "F-150 dash for underscore": (position(**{"token-id": "1"}), 1, "positions[0].token-id", "did you mean token_id?"),
    "F-150 unknown enum": (position(kind="uniswap-3"), 1, "positions[0].kind", "did you mean uniswap-v3?"),
    "F-150 unknown enum of a rule": ("rules: {tvl-drawdown: {measure: tokns}}", 1, "measure", "did you mean tokens?"),
    "F-150 unknown alert type": (channel(types="[layer.propose]"), 1, "types[0]", "did you mean layer.proposed?"),
    "F-150 duplicate key": ("book:\n  capital: 1 USD\n  mode: steward\n  capital: 2 USD", 4, "book.capital", "in line 2 and in line 4"),
    "F-150 tab": ("book:\n\tcapital: 1 USD", 2, "", "a tab indents this line"),
    "F-150 wrong unit of money": ("book: {capital: 10 EUR}", 1, "book.capital", "write 10_000 USD"),
    "F-150 no unit of money": ("book: {capital: 10}", 1, "book.capital", "write 10_000 USD"),
    "F-150 no unit of time": ("rules: {tvl-drawdown: {window: 48}}", 1, "window", "such as 48h"),
    "F-150 negative duration": ("rules: {tvl-drawdown: {window: -48h}}", 1, "window", "cannot be negative"),
    "F-150 share above 100%": ("book: {envelope: 10}", 1, "book.envelope", "write 10% or 0.1"),
    "F-150 threshold inverted": ("rules:\n  tvl-drawdown: {exit: 9%}", 2, "rules.tvl-drawdown", "exit must lie inside threshold"),
    "F-150 threshold inverted by an override": (
        "rules:\n  tvl-drawdown:\n    overrides:\n      'chain:ethereum': {threshold: 3%}",
        4,
        "overrides.chain:ethereum",
        "exit must lie inside threshold",
    ),
    "F-150 override without effect": ("rules: {funding-spike: {overrides: {ETHE: {venues: 2}}}}", 1, "ETHE", "did you mean ETH?"),
    "F-150 override of a misspelt subject": ("rules: {tvl-drawdown: {overrides: {'chain:Base': {}}}}", 1, "chain:Base", "in lower case"),
    "F-150 address of another kind of chain": (
        "book: {assets: [bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq]}",
        1,
        "assets[0]",
        "another kind of chain",
    ),
    "F-150 chain id of another chain": (
        'chains: {base: {rpc: "https://x.example", chain_id: 1}}',
        1,
        "chains.base.chain_id",
        "base has the chain id 8453",
    ),
    "F-150 chain that nobody knows": ('chains: {bse: {rpc: "https://x.example"}}', 1, "chains.bse", "did you mean base?"),
    "F-150 position on an unknown chain": (
        f'chains: {{base: {{rpc: "https://x.example"}}}}\npositions: [{LP}]',
        2,
        "positions[0].chain",
        "did you mean base?",
    ),
    "F-067 wrong checksum": (
        f"positions: [{{id: p, kind: tokens, amounts: {{0x{VITALIK.replace('dA', 'Da')}: 1}}}}]",
        1,
        "amounts",
        "EIP-55",
    ),
    "F-067 address one digit short": (f"sources: {{tvl: {{subjects: ['pool:base/0x{VITALIK[:39]}']}}}}", 1, "subjects[0]", "this has 39"),
    "F-067 a private key": (f"book: {{assets: [0x{'ab' * 32}]}}", 1, "book.assets[0]", "private key"),
    "F-143 no webhook secret": (channel(secret=""), 1, "phone.secret", "or `secret_file`"),
    "F-143 empty webhook secret": (channel(secret="''"), 1, "phone.secret", "has no value"),
    "F-143 short webhook secret": (channel(secret=whsec(23)), 1, "phone.secret", "23 bytes, 24 to 64"),
    "F-143 long webhook secret": (channel(secret=whsec(65)), 1, "phone.secret", "65 bytes, 24 to 64"),
    "F-143 secret without its prefix": (channel(secret="hunter2"), 1, "phone.secret", "begins with whsec_"),
    "F-143 secret that is not base64": (channel(secret="whsec_%%%"), 1, "phone.secret", "not base64"),
    "F-143 short former secret": (channel(previous_secret=whsec(8)), 1, "phone.previous_secret", "8 bytes"),
    "alerts over plain http": (channel(url='"http://hooks.example.org/x"'), 1, "phone.url", "write https://"),
    "a webhook that is no URL": (channel(url="hooks"), 1, "phone.url", "write https://host/path"),
    "a websocket as rpc": ('chains: {base: {rpc: "wss://x.example"}}', 1, "chains.base.rpc", "http or https"),
    "an endpoint that is no URL": ("sources: {defillama: {endpoint: mirror}}", 1, "sources.defillama.endpoint", "https://host/path"),
    "a busy loop": ("sources: {defillama: {cadence: 999ms}}", 1, "sources.defillama.cadence", "at least 1s"),
    "no value": ("book:\n  capital:\n", 2, "book.capital", "has no value"),
    "null": ("store: {url: ~}", 1, "store.url", "has no value"),
    "secret field missing": ("sources: {fred: {}}", 1, "sources.fred.api_key", "is needed"),
    "both secret and file": ("sources: {fred: {api_key: a, api_key_file: b}}", 1, "api_key_file", "keep one"),
    "secret file missing": ("sources: {fred: {api_key_file: b}}", 1, "api_key_file", "there is no such file"),
    "variable in a plain setting": ("book: {capital: '${MONEY}'}", 1, "book.capital", "HEDGE_MONITOR_BOOK__CAPITAL"),
    "variable unset": ("sources: {fred: {api_key: '${FRED}'}}", 1, "sources.fred.api_key", "FRED is not set"),
    "malformed variable": ("sources: {fred: {api_key: '${FR-ED}'}}", 1, "sources.fred.api_key", "write ${NAME}"),
    "duplicate position": (
        "positions:\n" + "  - {id: a, kind: perp, asset: ETH, size: 1}\n" * 2,
        3,
        "positions[1].id",
        "hedge-monitor.yaml:2",
    ),
    "LP without token id": ("positions: [{id: p, kind: uniswap-v3}]", 1, "positions[0]", "needs `token_id`"),
    "LP without chain": ("positions: [{id: p, kind: uniswap-v3}]", 1, "positions[0]", "needs `chain`"),
    "perp without size": (position(size=""), 1, "positions[0]", "needs `size`"),
    "option of no size": (option(size="0"), 1, "positions[0]", "needs `size`"),
    "option without its right": (option(right=""), 1, "positions[0]", "a position of kind option needs `right`"),
    "option of a misspelt right": (option(right="putt"), 1, "positions[0].right", "must be one of put, call, this is 'putt'; did you mean put?"),
    "option below nil": (option(strike="-5 USD"), 1, "positions[0].strike", "must be above 0"),
    "option that never expires": (option(expiry=""), 1, "positions[0]", "needs `expiry`"),
    "expiry as venues write it": (option(expiry="25DEC26"), 1, "positions[0].expiry", "'25DEC26' is no date; write 2026-12-25 (08:00 UTC for crypto"),
    "condor of three strikes": (condor(strikes="[1 USD, 2 USD, 3 USD]"), 1, "positions[0].strikes", "must be four, these are 3"),
    "condor whose strikes fall": (
        condor(strikes="[1700 USD, 1500 USD, 2300 USD, 2500 USD]"),
        1,
        "positions[0].strikes",
        "each above the one before: bought put, sold put, sold call, bought call",
    ),
    "condor of no size": (condor(size="0"), 1, "positions[0]", "a position of kind iron-condor needs `size`"),
    "condor with a right": (condor(right="put"), 1, "positions[0].right", "does not belong to a position of kind iron-condor"),
    "half-spread of options above 100%": ("book: {option_half_spread: 5}", 1, "book.option_half_spread", "write 10% or 0.1"),
    "tokens without amounts": ("positions: [{id: p, kind: tokens}]", 1, "positions[0]", "needs `amounts`"),
    "field of another kind": (position(token_id="5"), 1, "positions[0].token_id", "does not belong to"),
    "token id in hexadecimal": (position(kind="uniswap-v3", token_id="0x12"), 1, "positions[0].token_id", "whole number"),
    "negative token id": (position(token_id="-1"), 1, "positions[0].token_id", "2^256"),
    "ticks upside down": (f"positions: [{{{RANGE}, tick_lower: 60, tick_upper: -60}}]", 1, "positions[0].tick_upper", "above tick_lower"),
    "no ticks between": (f"positions: [{{{RANGE}, tick_lower: 0, tick_upper: 0}}]", 1, "positions[0].tick_upper", "above tick_lower"),
    "a tick below all": (f"positions: [{{{RANGE}, tick_lower: -887273, tick_upper: 0}}]", 1, "positions[0].tick_upper", "from -887272"),
    "a tick above all": (f"positions: [{{{RANGE}, tick_lower: 0, tick_upper: 887273}}]", 1, "positions[0].tick_upper", "to 887272"),
    "range without its upper end": (f"positions: [{{{RANGE}, tick_lower: 0}}]", 1, "positions[0]", "needs `token_id` or `pool`"),
    "asset in lower case": (position(asset="eth"), 1, "positions[0].asset", "'eth' is not an asset's symbol; write ETH"),
    "asset as its issuer spells it": (
        "positions: [{id: p, kind: tokens, amounts: {wstETH: 2}}]",
        1,
        "positions[0].amounts",
        "'wstETH' is not an asset's symbol; write WSTETH",
    ),
    "asset that no capitals mend": (position(asset="'a b'"), 1, "positions[0].asset", "write it in capitals, such as ETH"),
    "prices for ticks": (
        f"positions: [{{{RANGE}, price_lower: 1500, tick_upper: 7}}]",
        1,
        "price_lower",
        "a range has ticks and no prices: write tick_lower",
    ),
    "the upper price for a tick": (f"positions: [{{{RANGE}, price_upper: 1500, tick_lower: 7}}]", 1, "price_upper", "write tick_upper; the README"),
    "a loan declared": (position(supplied="{WETH: 3}"), 1, "positions[0].supplied", "feed account.supplied.<ASSET> (README, Your own data)"),
    "a debt declared": (position(borrowed="{USDC: 3}"), 1, "positions[0].borrowed", "feed account.borrowed.<ASSET> (README, Your own data)"),
    "a debt as a wallet": (
        "positions: [{id: p, kind: tokens, amounts: {ETH: -2}}]",
        1,
        "positions[0].amounts.ETH",
        "must not be below 0; what is owed belongs to a lending position",
    ),
    "less than nothing put in": (
        position(kind="uniswap-v3", asset="", size="", chain="x", token_id="1", deposited="{ETH: -1}"),
        1,
        "positions[0].deposited.ETH",
        "must not be below 0",
    ),
    "ticks beside an NFT": (position(token_id="1", tick_lower="10"), 1, "positions[0].tick_lower", "belongs to a range without an NFT"),
    "the upper tick beside an NFT": (position(token_id="1", tick_upper="0"), 1, "positions[0].tick_upper", "delete `token_id`"),
    "exposed to nonsense": (position(exposed_to="[uniswap]"), 1, "exposed_to[0]", "protocol:aave-v3"),
    "bad id": (position(id="My Position"), 1, "positions[0].id", "lower-case"),
    "spot asset": ("sources: {spot: [eth]}", 1, "sources.spot[0]", "such as ETH"),
    "spot pair": ("sources: {spot: [ETH/USDC]}", 1, "sources.spot[0]", "the asset alone"),
    "rule as a switch": ("rules: {funding-spike: no}", 1, "rules.funding-spike", "{enabled: no}"),
    "switch that is none": ("rules: {funding-spike: {enabled: maybe}}", 1, "enabled", "yes or no"),
    "list for a mapping": ("book: [1]", 1, "book", "key: value"),
    "text for a list": ("book: {assets: ETH}", 1, "book.assets", "[a, b]"),
    "a number beyond all bounds": ("rules: {tvl-drawdown: {window: 1e999d}}", 1, "window", "larger than any"),
    "governance": ("governance: {threshold: 2}", 1, "governance.threshold", "not available yet"),
    "PostgreSQL": ("store: {url: 'postgresql://x/y'}", 1, "store.url", "not available yet"),
    "a store that is no URL": ("store: {url: monitor.db}", 1, "store.url", "sqlite:///path"),
    "off loopback without a token": ("server: {host: 0.0.0.0}", 1, "server.host", "needs a token"),
    "short token": ("server: {token: abc}", 1, "server.token", "at least 16"),
    "anchor": ("book: &b {}", 1, "", "anchors"),
    "alias": ("book: *b", 1, "", "aliases"),
    "tag": ("book: !!python/object:x {}", 1, "", "tags"),
    "merge key": ("book:\n  <<: {capital: 1 USD}", 2, "", "merge keys"),
    "two documents": ("book: {}\n---\nbook: {}", 2, "", "second document"),
    "a list at the top": ("- a", 1, "", "hedge-monitor init"),
    "nested too deep": ("book: " + "[" * 20 + "]" * 20, 1, "book", "16 levels"),
    "too large": ("#" * (1 << 20) + "\n", 1, "", "1 MiB"),
    "open bracket": ("book: {capital: 1 USD", 1, "", "never closed"),
    "bad indentation": ("book:\n   mode: steward\n  capital: 1 USD", 3, "", "indentation"),
    "control character": ("book: \x07", 1, "", "U+0007"),
}


@pytest.mark.parametrize(("text", "line", "path", "words"), CASES.values(), ids=CASES.keys())
def test_a_mistake_is_named_with_its_line_its_setting_and_its_cure(tmp_path: Path, text: str, line: int, path: str, words: str) -> None:
    told = problems(tmp_path, text)
    assert any(one.startswith(f"hedge-monitor.yaml:{line}: ") and path in one and words in one for one in told), told


NEAR_MISSES = {
    "24 bytes are enough": channel(secret=whsec(24)),
    "64 bytes are not too many": channel(secret=whsec(64)),
    "plain http to this machine": channel(url='"http://127.0.0.1:9/x"'),
    "cadence of a second": "sources: {defillama: {cadence: 1s}}",
    "token of 16 characters off loopback": "server: {host: 0.0.0.0, token: 0123456789abcdef}",
    "exit just inside": "rules: {tvl-drawdown: {exit: 7.999%}}",
    "all of the capital": "book: {envelope: 100%}",
    "highest port": "server: {port: 65535}",
    "token id 0": 'chains: {base: {rpc: "http://x:1"}}\npositions: [{id: p, kind: uniswap-v3, chain: base, token_id: 0}]',
    "largest token id": 'chains: {base: {rpc: "http://x:1"}}\npositions: [{id: p, kind: uniswap-v3, chain: base, token_id: ' + f"{2**256 - 1}}}]",
    "widest range": f'chains: {{base: {{rpc: "http://x:1"}}}}\npositions: [{{{RANGE}, tick_lower: -887272, tick_upper: 887272}}]',
    "range of one tick": f'chains: {{base: {{rpc: "http://x:1"}}}}\npositions: [{{{RANGE}, tick_lower: 0, tick_upper: 1}}]',
    "no governance": "governance: {}",
    "a mirror with a good address": f"sources: {{defillama: {{endpoint: 'https://x.example/0x{VITALIK}'}}}}",
}


@pytest.mark.parametrize("text", NEAR_MISSES.values(), ids=NEAR_MISSES.keys())
def test_what_is_just_right_loads(tmp_path: Path, text: str) -> None:
    load_text(tmp_path, text)


def test_checksums_are_those_of_eip_55_f_067() -> None:
    published = [
        "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "fB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "dbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        VITALIK,
    ]
    assert [checksummed(one.lower()) for one in published] == published


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("BOK__CAPITAL", "1 USD", "did you mean book?"),
        ("RULES__TVL_DRAWDOWN__TRESHOLD", "8%", "did you mean threshold?"),
        ("RULES__TVL_DRAWDOWN__THRESHOLD", "8 apples", "is not a rate"),
        ("STORE__URL", " ", "set but empty"),
        ("STORE__URL__PATH", "x", "nothing stands below it"),
        ("BOOK__ASSETS", "[ETH", "[a, b]"),
        ("BOOK__ASSETS", "[E: [TH]", "can be read"),
        ("POSITIONS__NONE__SIZE", "1", "no item 'none'"),
    ],
)
def test_a_mistake_in_the_environment_is_placed_at_the_variable(tmp_path: Path, variable: str, value: str, words: str) -> None:
    text = f"store: {{url: 'sqlite:///x.db'}}\n{position()}"
    told = problems(tmp_path, text, {f"HEDGE_MONITOR_{variable}": value})
    assert any(one.startswith(f"HEDGE_MONITOR_{variable}: ") and words in one for one in told), told


def test_a_flood_of_mistakes_is_cut_short(tmp_path: Path) -> None:
    told = problems(tmp_path, "".join(f"x{number}: 1\n" for number in range(201)))
    assert len(told) == 201
    assert told[-1].endswith("and 1 more; mend these first")
    assert len(problems(tmp_path, "".join(f"x{number}: 1\n" for number in range(200)))) == 200


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_cannot_be_read_is_said_in_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / name, {}, CATALOGUE)


def test_bytes_that_are_not_utf8_are_placed(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"book: {}\nstore: \xff\n")
    with pytest.raises(ConfigError, match=r"x\.yaml:2: .*UTF-8"):
        load(file, {}, CATALOGUE)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("safe: {safes: [wallet]}", "must be a chain and an address on it, such as ethereum/0x"),
        ("wallet-tokens: {tokens: {USDC: here}}", "must be a chain and an asset on it, such as base/CBETH, this is 'USDC'"),
        ("wallet-tokens: {native: {base: eth}}", "must be an asset in capitals, such as ETH, this is 'eth'"),
        ("erc4626: {by_request: [vault]}", "must be an address, 0x and 40 hexadecimal digits, this is 'vault'"),
        ("uniswap-v3: {managers: {base: here}}", "must be an address, 0x and 40 hexadecimal digits, this is 'here'"),
        ("defillama-treasury: {treasuries: [Uni Swap]}", "must be lower-case letters, digits, dashes and dots, this is 'Uni Swap'"),
    ],
)
def test_a_text_of_another_form_is_told_the_form_by_example(tmp_path: Path, written: str, said: str) -> None:
    file = tmp_path / "hedge-monitor.yaml"
    file.write_text(f"sources: {{{written}}}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, {}, discover())
    assert said in str(caught.value)
