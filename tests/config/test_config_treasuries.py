"""A treasury of which no source will say anything is warned of: it may still be fed by hand."""

from pathlib import Path

import pytest

from monitor.config import discover, load

POSITION = "positions: [{id: safe, kind: treasury, protocol: 'protocol:x'}]"
WALLETS = "sources.treasury-wallets.treasuries"
HOLDS = (
    f"position safe: no source is set up that says what protocol:x holds; list its wallets under {WALLETS}, "
    "the protocol under sources.defillama-treasury.treasuries, or feed treasury.stables_usd"
)
OWES = f"position safe: no source is set up that says what protocol:x owes; write its liabilities under {WALLETS}, or feed treasury.liabilities_usd"
FULL = f"{{liabilities: 5 USD, chain: base, wallets: ['0x{'1' * 40}'], tokens: {{}}}}"


@pytest.mark.parametrize(
    ("sources", "warned"),
    [
        ("{}", (HOLDS, OWES)),
        ("{defillama-treasury: {treasuries: [x]}}", (OWES,)),
        ("{defillama-treasury: {treasuries: [x], enabled: no}}", (HOLDS, OWES)),
        ("{defillama-treasury: {treasuries: [y]}}", (HOLDS, OWES)),
        ("{treasury-wallets: {treasuries: {'protocol:x': {liabilities: 5 USD}}}}", (HOLDS,)),
        (f"{{treasury-wallets: {{treasuries: {{'protocol:x': {FULL}}}}}}}", ()),
    ],
)
def test_what_no_source_will_say_is_warned_of(tmp_path: Path, sources: str, warned: tuple[str, ...]) -> None:
    file = tmp_path / "hedge-monitor.yaml"
    file.write_text(f"chains: {{base: {{rpc: 'http://x:1'}}}}\n{POSITION}\nsources: {sources}\n", encoding="utf-8")
    file.chmod(0o600)
    assert load(file, {}, discover()).warnings == warned


def test_other_positions_and_broken_files_are_not_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "hedge-monitor.yaml"
    file.write_text("positions: [{id: w, kind: tokens, amounts: {ETH: 1}}]\n", encoding="utf-8")
    file.chmod(0o600)
    assert load(file, {}, discover()).warnings == ()
