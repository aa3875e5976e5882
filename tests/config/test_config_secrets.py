"""Secrets in a configuration: from variables and files, never too short, never repeated."""

import copy
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import AfterValidator, SecretStr

from monitor.config import Catalogue, load
from monitor.errors import ConfigError
from monitor.source import Collector
from tests.config.catalogue import CATALOGUE, channel, load_text, problems, source, whsec

CANARY = "canary7f3e9b51d2"
SECRETIVE = f"""
chains: {{base: {{rpc: "https://rpc.example.org/v3/{CANARY}"}}}}
sources: {{fred: {{api_key: {CANARY}a}}}}
alerts: {{channels: {{phone: {{url: "https://hooks.example.org/{CANARY}", secret: {whsec(24)}}}}}}}
server: {{token: {CANARY}}}
"""


def test_a_configuration_never_shows_its_secrets_f_151(tmp_path: Path) -> None:
    config = load_text(tmp_path, SECRETIVE)
    shown = [
        repr(config),
        str(config),
        repr(copy.copy(config.chains["base"])),
        repr(config.watch),
        f"{config.alerts} {config.server} {config.sources}",
    ]
    assert not [text for text in shown if CANARY in text or whsec(24) in text]
    assert {f"{CANARY}a", CANARY, whsec(24)} <= {one.get_secret_value() for one in config.secrets}


LEAKS = [
    "sources: {fred: {api_key: [CANARY]}}",
    "sources: {fred: {api_key: CANARY, cadence: CANARY}}",
    "alerts: {channels: {phone: {url: 'ftp://CANARY', secret: CANARY}}}",
    "alerts: {channels: {phone: {url: 'http://u:CANARY@x.example/CANARY', secret: whsec_CANARY}}}",
    "chains: {base: {rpc: 'CANARY'}}",
    "chains: {base: {rpc: ['https://x.example/CANARY']}}",
    "sources: {defillama: {endpoint: 'ws://x.example/CANARY'}}",
    "sources: {fred: {api_key: '${KEY}', cadence: CANARY}}",
    "server: {token: CANARY, host: [CANARY]}",
    "server: {token: 'CANARY",
    "server:\n  token: CANARY\n x",
    "server: {token: *CANARY}",
    "server: {token: !CANARY x}",
]


@pytest.mark.parametrize("text", LEAKS)
def test_no_error_repeats_a_secret_f_151(tmp_path: Path, text: str) -> None:
    try:
        load_text(tmp_path, text.replace("CANARY", CANARY) + "\nbook: {capital: none}\n", {"KEY": CANARY})
    except ConfigError as error:
        told = "".join(traceback.format_exception(error)) + repr(error.problems) + repr(error.__context__)
    assert CANARY not in told


def talkative(secret: SecretStr) -> SecretStr:
    raise ValueError(f"{secret.get_secret_value()} is too short")


@dataclass(frozen=True, kw_only=True)
class Talkative(Collector):
    pin: Annotated[SecretStr, AfterValidator(talkative)]


def test_a_source_that_repeats_a_secret_too_short_to_blot_is_not_quoted_f_151(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("sources: {talkative: {pin: q7}}")
    with pytest.raises(ConfigError, match=r"x\.yaml:1: sources\.talkative\.pin: is not a value that can stand here") as caught:
        load(file, {}, Catalogue(collectors={"talkative": Talkative}))
    assert "q7" not in str(caught.value)


def test_a_secret_can_stand_in_a_file_and_loses_its_newline(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("abc\n")
    (tmp_path / "key").chmod(0o600)
    config = load_text(tmp_path, "sources: {fred: {api_key_file: key}}")
    assert source(config, "fred").api_key.get_secret_value() == "abc"
    assert config.warnings == ()


def test_a_secret_that_everyone_can_read_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("abc")
    (tmp_path / "key").chmod(0o644)
    warnings = load_text(tmp_path, "sources: {fred: {api_key_file: key}}").warnings
    assert len(warnings) == 1
    assert "hedge-monitor.yaml:1: sources.fred.api_key_file" in warnings[0]
    file = tmp_path / "open.yaml"
    file.write_text("sources: {fred: {api_key: abc}}")
    file.chmod(0o644)
    assert "chmod 600" in load(file, {}, CATALOGUE).warnings[0]
    file.write_text("book: {}")
    assert load(file, {}, CATALOGUE).warnings == ()


def test_an_empty_secret_file_is_refused_f_143(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n")
    assert "is empty" in problems(tmp_path, channel(secret="", secret_file="key"))[0]


def test_a_flaw_of_a_secret_from_a_file_is_placed_at_the_file_f_143(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("short")
    assert "phone.secret_file: a webhook secret begins with whsec_" in problems(tmp_path, channel(secret="", secret_file="key"))[0]


def test_secrets_come_from_variables_too(tmp_path: Path) -> None:
    config = load_text(tmp_path, 'chains: {base: {rpc: "https://x.example/${KEY}"}}', {"KEY": CANARY})
    assert config.chains["base"].rpc == f"https://x.example/{CANARY}"
    assert CANARY not in repr(config)
