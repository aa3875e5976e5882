"""Perpetual positions that are read from a venue or an account: what a configuration must say of them, and that it never shows a key."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from monitor.config import Config, discover, load
from monitor.config.model import decision_settings
from monitor.config.schema import json_schema
from monitor.errors import ConfigError

HYPER = "account: '0x1111111111111111111111111111111111111111'"
ACCOUNTS = "sources: {venue-account: {accounts: {main: {venue: bybit, api_key: '${KEY}', secret: '${SECRET}'}}}}\n"
KEYS = {"KEY": "canary-key-31415926", "SECRET": "canary-secret-27182818", "PHRASE": "canary-phrase-16180339"}


def loaded(folder: Path, text: str, environ: Mapping[str, str] = KEYS) -> Config:
    file = folder / "hedge-monitor.yaml"
    file.write_text(text)
    file.chmod(0o600)
    return load(file, environ, discover())


def perp(more: str) -> str:
    return f"positions: [{{id: p, kind: perp, asset: ETH, {more}}}]\n"


@pytest.mark.parametrize(
    "text",
    [
        perp("size: 1"),
        perp(f"venue: hyperliquid, {HYPER}"),
        perp("venue: dydx, account: dydx1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq/3"),
        ACCOUNTS + perp("venue: main"),
    ],
)
def test_a_position_is_declared_or_read(tmp_path: Path, text: str) -> None:
    config = loaded(tmp_path, text)
    readers = [name for name, one in config.working_sources.items() if ("position.size", "p") in one.provides(config.watch)]
    assert len(readers) == ("venue" in text)


MISTAKES = {
    "typo of a venue": (perp(f"venue: hyperliqid, {HYPER}"), "positions[0].venue", "did you mean hyperliquid?"),
    "typo of an account": (ACCOUNTS + perp("venue: mian"), "positions[0].venue", "did you mean main?"),
    "an account that is nowhere": (perp("venue: bybit"), "positions[0].venue", "add it to sources.venue-account.accounts"),
    "no address": (perp("venue: hyperliquid"), "positions[0].account", "needs `account`, the address"),
    "an address of another kind": (perp(f"venue: dydx, {HYPER}"), "positions[0].account", "dydx1 and 38 characters"),
    "an account twice": (ACCOUNTS + perp(f"venue: main, {HYPER}"), "positions[0].account", "delete `account`"),
    "a size beside": (perp(f"venue: hyperliquid, {HYPER}, size: 1"), "positions[0].size", "is read from hyperliquid; delete it"),
    "an entry beside": (perp(f"venue: hyperliquid, {HYPER}, entry_price: 9 USD"), "positions[0].entry_price", "is read from hyperliquid"),
    "a margin beside": (perp(f"venue: hyperliquid, {HYPER}, margin: 9 USD"), "positions[0].margin", "is read from hyperliquid"),
    "an account called like a venue": (ACCOUNTS.replace("main", "dydx"), "sources.venue-account", "'dydx' is also what dydx-account reads"),
    "a venue in capitals": (ACCOUNTS.replace("bybit", "Bybit"), "sources.venue-account.accounts.main", "as ccxt spells it"),
    "an account without a key": (
        "sources: {venue-account: {accounts: {main: {venue: okx, secret: abcdefgh}}}}",
        "accounts.main.api_key",
        "is needed",
    ),
    "a key that is not set": (ACCOUNTS.replace("${KEY}", "${NONE}") + perp("venue: main"), "accounts.main.api_key", "NONE is not set"),
    "coin margin": (ACCOUNTS.replace("bybit,", "bybit, settle: BTC,"), "accounts.main", "margined in the coin itself are not supported"),
}


@pytest.mark.parametrize(("text", "path", "advice"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_its_place_and_its_cure(tmp_path: Path, text: str, path: str, advice: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, text)
    [line] = refused.value.problems
    assert f": {path}" in line or path in line
    assert advice in line
    assert "canary" not in line


def test_the_place_is_that_of_the_position_though_another_could_not_be_read(tmp_path: Path) -> None:
    text = "positions:\n  - {id: a, kind: prep}\n  - {id: b, kind: perp, asset: ETH, venue: nowhere}\n"
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, text)
    assert [line.partition(": ")[2].partition(":")[0] for line in refused.value.problems] == ["positions[0].kind", "positions[1].venue"]


def test_no_key_is_ever_shown_and_all_are_known_to_the_redactor(tmp_path: Path) -> None:
    (tmp_path / "phrase").write_text("canary-phrase-16180339\n")
    text = ACCOUNTS.replace("secret:", "passphrase_file: phrase, secret:") + perp("venue: main")
    config = loaded(tmp_path, text)
    source: Any = config.sources["venue-account"]
    account = source.accounts["main"]
    assert [account.api_key.reveal(), account.secret.reveal(), account.passphrase.reveal()] == list(KEYS.values())
    shown = [repr(config), str(config.sources), f"{account}", json.dumps(decision_settings(config)), json.dumps(json_schema(discover()))]
    assert not [text for text in shown if "canary" in text]
    assert set(KEYS.values()) <= {one.get_secret_value() for one in config.secrets}
