"""The configuration as users get it right."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from monitor.config import Catalogue, Config, decision_settings, discover, json_schema, load, rule_settings, starter
from monitor.core.book import Position
from monitor.core.rule import Scope
from monitor.core.scope import subjects_of
from monitor.core.settings import Settings
from monitor.core.units import DAY, HOUR, MINUTE
from monitor.errors import ConfigError
from tests.config.catalogue import CATALOGUE, SECRET, Drawdown, Funding, load_text, rule, source

WHOLE = f"""
book: {{capital: 10_000 USD, mode: promoter, layer_share: 25%}}
chains:
  ethereum: {{rpc: "https://rpc.example.org/v2/key"}}
  my-fork: {{rpc: "http://10.0.0.7:8545", chain_id: 31337}}
positions:
  - {{id: eth-usdc, kind: uniswap-v3, chain: ethereum, token_id: 12345, assets: [USDC, WETH], exposed_to: [protocol:aave-v3]}}
  - {{id: short, kind: perp, asset: SOL, size: -1.5}}
  - {{id: wallet, kind: tokens, amounts: {{WBTC: 1e-4, USDC: 5_000}}}}
sources:
  tvl: {{subjects: ["chain:base"]}}
  spot: [ETH]
  fred: {{api_key: abcdef, cadence: 1h}}
rules:
  tvl-drawdown: {{threshold: 800bp, overrides: {{"chain:base": {{threshold: 12%}}}}}}
  funding-spike: {{enabled: no}}
gates: {{cooldown: {{hours: 4h}}}}
alerts:
  channels:
    phone: {{kind: webhook, url: "https://hooks.example.org/x", secret: {SECRET}, types: [layer.proposed]}}
  unknown_pending: 20min
store: {{url: "sqlite:////var/lib/monitor.db"}}
server: {{port: 9000}}
"""


def test_a_whole_file_is_read_into_inner_units(tmp_path: Path) -> None:
    config = load_text(tmp_path, WHOLE)
    assert (config.book.capital, config.book.mode, config.book.layer_share) == (10_000.0, "promoter", 0.25)
    assert [p.id for p in config.positions] == ["eth-usdc", "short", "wallet"]
    assert (config.positions[0].token_id, config.positions[1].size, config.positions[2].amounts) == (
        12345,
        -1.5,
        {"WBTC": 1e-4, "USDC": 5000},
    )
    assert {name: chain.chain_id for name, chain in config.chains.items()} == {"ethereum": 1, "my-fork": 31337}
    assert config.rules["tvl-drawdown"].at("chain:base") == Drawdown(threshold=0.12)
    assert config.rules["tvl-drawdown"].at("chain:ethereum") == Drawdown(threshold=0.08)
    assert [name for name, entry in config.rules.items() if entry.enabled] == ["tvl-drawdown"]
    assert config.sources["fred"].cadence == HOUR
    assert (config.alerts.unknown_pending, config.alerts.heartbeat) == (20 * MINUTE, DAY)
    assert [config.alerts.channels["phone"].wants(t) for t in ("layer.proposed", "heartbeat")] == [True, False]
    assert (config.store.path, config.server.host, config.server.port) == ("/var/lib/monitor.db", "127.0.0.1", 9000)


def test_the_watch_is_what_is_declared_and_what_the_positions_imply(tmp_path: Path) -> None:
    config = load_text(tmp_path, WHOLE)
    watch = config.watch
    assert watch.assets == subjects_of(Scope.ASSET, Settings(book=config.book, positions=config.positions))
    assert "SOL" in watch.assets
    assert watch.spot_assets == ("ETH",)
    assert watch.tvl_subjects == ("protocol:uniswap-v3", "protocol:uniswap-v3@ethereum", "chain:ethereum", "protocol:aave-v3", "chain:base")


def test_without_a_file_the_defaults_watch_btc_eth_and_the_tvl_of_ethereum() -> None:
    config = load(None, {}, CATALOGUE)
    assert (config.watch.assets, config.watch.tvl_subjects, config.positions) == (("BTC", "ETH"), ("chain:ethereum",), ())
    assert list(config.enabled_sources) == ["defillama"], "a source that needs a key waits until it has one"
    assert config.rules["funding-spike"].rule == Funding()
    assert config.warnings == ()


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "{}"])
def test_an_empty_file_means_the_defaults(tmp_path: Path, text: str) -> None:
    assert load_text(tmp_path, text) == load(None, {}, CATALOGUE)


def test_yaml_never_types_a_scalar_f_150(tmp_path: Path) -> None:
    """YAML alone would read NO as false and 12:30 as 750."""
    text = "book: {assets: [NO]}\nrules: {funding-spike: {enabled: no, threshold: 5e-1}}\nsources: {fred: {api_key: 12:30}}\n"
    config = load_text(tmp_path, text)
    assert config.watch.assets == ("NO",)
    assert not config.rules["funding-spike"].enabled
    assert rule(config, "funding-spike").threshold == 0.5
    assert source(config, "fred").api_key.get_secret_value() == "12:30"


@pytest.mark.parametrize(
    ("variable", "value", "seen"),
    [
        ("STORE__URL", "sqlite:///other.db", lambda c: c.store.url == "sqlite:///other.db"),
        ("RULES__TVL_DRAWDOWN__THRESHOLD", "9%", lambda c: c.rules["tvl-drawdown"].rule.threshold == 0.09),
        (
            "RULES__TVL_DRAWDOWN__OVERRIDES__CHAIN_BASE__THRESHOLD",
            "20%",
            lambda c: c.rules["tvl-drawdown"].at("chain:base").threshold == 0.2,
        ),
        ("POSITIONS__SHORT__SIZE", "-2", lambda c: c.positions[1].size == -2),
        ("POSITIONS__0__TOKEN_ID", "7", lambda c: c.positions[0].token_id == 7),
        ("BOOK__ASSETS", "[SOL, BTC]", lambda c: c.watch.assets == ("SOL", "BTC")),
        ("SERVER__TOKEN", "0123456789abcdef", lambda c: c.server.token == SecretStr("0123456789abcdef")),
        ("CHAINS__MY_FORK__CHAIN_ID", "5", lambda c: c.chains["my-fork"].chain_id == 5),
    ],
)
def test_any_setting_can_come_from_the_environment(tmp_path: Path, variable: str, value: str, seen: object) -> None:
    assert callable(seen)
    assert not seen(load_text(tmp_path, WHOLE))
    assert seen(load_text(tmp_path, WHOLE, {f"HEDGE_MONITOR_{variable}": value}))


def test_variables_without_a_section_are_left_alone() -> None:
    assert load(None, {"HEDGE_MONITOR_CONFIG": "x.yaml", "HEDGE_MONITOR_RECORDED_DATA": "../data"}, CATALOGUE) == load(None, {}, CATALOGUE)


def test_rule_settings_are_complete_and_in_inner_units(tmp_path: Path) -> None:
    config = load_text(tmp_path, WHOLE)
    settings = rule_settings(config)["tvl-drawdown"]
    assert settings["settings"] == {"threshold": 0.08, "window": 48 * HOUR, "exit": 0.04, "measure": "usd"}
    assert settings["overrides"]["chain:base"]["threshold"] == 0.12
    assert decision_settings(config)["gates"] == {"cooldown": {"hours": 4 * HOUR}}
    assert "abcdef" not in repr(decision_settings(config))


def test_the_starter_loads_as_it_stands(tmp_path: Path) -> None:
    config = load_text(tmp_path, starter())
    assert (config.book.capital, config.watch) == (10_000.0, Config().watch)


def test_every_setting_the_starter_offers_is_valid_once_switched_on(tmp_path: Path) -> None:
    (tmp_path / "webhook.secret").write_text(SECRET)
    for name in ("server.token", "push.token"):
        (tmp_path / name).write_text("0123456789abcdef\n")
    file = tmp_path / "hedge-monitor.yaml"
    file.write_text("\n".join(line[1:] if re.match("#( {2}|[^ ])", line) else line for line in starter().splitlines()))
    config = load(file, {"VAULT_KEY": "0123456789"}, discover())
    assert len(config.positions) == 5
    assert list(config.alerts.channels) == ["phone"]
    assert config.server.token is not None and config.server.push_token is not None
    assert {"http-json", "prometheus", "folder"} <= config.working_sources.keys()


def test_the_starter_holds_the_positions_that_were_found(tmp_path: Path) -> None:
    found = [
        Position(id="lp-1", kind="uniswap-v3", chain="base", token_id=1, assets=("USDC", "WETH")),
        Position(id="lent", kind="tokens", chain="base", amounts={"ETH": 1.25}, exposed_to=("protocol:aave-v3@base",)),
    ]
    text = starter(owner="0x" + "ab" * 20, chain="base", rpc="https://rpc.example.org/#key", positions=found)
    config = load_text(tmp_path, text)
    assert config.positions == tuple(found)
    assert config.chains["base"].rpc == "https://rpc.example.org/#key"


def test_the_schema_knows_each_section_and_refuses_unknown_keys() -> None:
    schema = json_schema(CATALOGUE)
    drawdown = schema["properties"]["rules"]["properties"]["tvl-drawdown"]
    assert set(drawdown["properties"]) == {"threshold", "window", "exit", "measure", "enabled", "overrides"}
    assert drawdown["additionalProperties"] is False
    assert "secret_file" in schema["properties"]["alerts"]["properties"]["channels"]["additionalProperties"]["properties"]


def test_importing_the_configuration_stays_light() -> None:
    heavy = "{'aiohttp', 'pandas', 'ccxt', 'web3', 'numpy', 'eth_utils', 'talib'}"
    code = f"import sys, monitor.config; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_loading_without_a_file_is_quick() -> None:
    load(None, {}, CATALOGUE)
    spent = []
    for _ in range(5):
        start = time.perf_counter()
        load(None, {}, CATALOGUE)
        spent.append(time.perf_counter() - start)
    assert min(spent) < 0.05


def test_a_catalogue_refuses_names_that_the_file_gives_another_meaning() -> None:
    with pytest.raises(TypeError, match="spot"):
        Catalogue(collectors={"spot": Funding})


def test_the_installed_plug_ins_are_found_and_load() -> None:
    installed = discover()
    config = load(None, {}, installed)
    assert set(config.rules) == set(installed.rules)
    assert set(config.gates) == set(installed.gates)
    assert json_schema(installed)["properties"]["rules"]["properties"].keys() == installed.rules.keys()


def test_nothing_but_config_error_leaves_the_loader(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(tmp_path, "rules: {funding-spike: {threshold: x}}")
    assert not isinstance(caught.value.__context__, ValidationError)
