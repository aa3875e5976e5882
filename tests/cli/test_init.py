"""`init`: a file that loads, is its owner's alone, and never takes the place of another."""

import json
from pathlib import Path

import pytest

from monitor.config import discover, load
from tests.cli.speak import speak

OWNER = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"


def test_the_starter_is_written_for_its_owner_alone_and_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEDGE_MONITOR_SERVER__PORT", "no port")
    assert speak("init").code == 0
    file = tmp_path / "hedge-monitor.yaml"
    assert file.stat().st_mode & 0o777 == 0o600
    assert load(file, {}, discover()).book.capital == 10_000


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("book: {capital: 5 USD}\n", encoding="utf-8")
    said = speak("init", file)
    assert said.code == 2 and f"{file} exists already" in said.err
    assert file.read_text(encoding="utf-8") == "book: {capital: 5 USD}\n"


def test_a_dangling_link_is_not_followed(tmp_path: Path) -> None:
    link, target = tmp_path / "link.yaml", tmp_path / "target.yaml"
    link.symlink_to(target)
    assert speak("init", link).code == 2
    assert not target.exists()


def test_with_an_endpoint_the_chain_is_switched_on(tmp_path: Path) -> None:
    file = tmp_path / "base.yaml"
    assert speak("init", "--rpc", "https://base.example.org/key", "--chain", "base", file).code == 0
    chain = load(file, {}, discover()).chains["base"]
    assert (chain.rpc, chain.chain_id) == ("https://base.example.org/key", 8453)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--owner", OWNER], "--owner needs --rpc"),
        (["--owner", "0x1234", "--rpc", "https://x.org"], "--owner: an address is 0x and 40"),
        (["--owner", OWNER.replace("d8dA", "d8da"), "--rpc", "https://x.org"], "checksum"),
        (["--rpc", "x.org"], "--rpc: "),
        (["--rpc", "https://x.org", "--chain", "moon"], "--chain moon is not well known: give its --chain-id too"),
        (["--rpc", "https://x.org", "--manager", "uniswap"], "--manager: an address"),
        (["--rpc", "https://x.org", "--chain-id", "5"], "ethereum has the chain id 1, this says 5"),
        (["--owner", OWNER, "--rpc", "https://x.org", "--chain", "gnosis"], "no Uniswap v3 position manager is known on gnosis"),
    ],
)
def test_what_does_not_fit_is_a_usage_error_and_leaves_no_file(tmp_path: Path, words: list[str], told: str) -> None:
    file = tmp_path / "new.yaml"
    said = speak("init", *words, file)
    assert said.code == 2
    assert told in said.err
    assert not file.exists()


def test_three_slips_are_told_at_once(tmp_path: Path) -> None:
    said = speak("init", "--owner", "0x12", "--rpc", "nowhere", "--chain", "moon", tmp_path / "new.yaml")
    assert [line.partition(":")[0].split()[0] for line in said.err.splitlines()] == ["--owner", "--rpc", "--chain"]


def test_the_schema_is_printed_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    schema = json.loads(speak("init", "--schema").out)
    assert "threshold" in schema["properties"]["rules"]["properties"]["tvl-drawdown"]["properties"]
    assert list(tmp_path.iterdir()) == []
