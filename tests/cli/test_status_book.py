"""`status` of a store in which no daemon has ever run: the book that its rows and the configuration make by themselves."""

import json
import time
from pathlib import Path

import pytest

from monitor.core.units import iso
from monitor.store.sqlite import SqliteStore
from tests.cli.speak import Said, speak

POSITIONS = """
positions:
  - {id: wallet, kind: tokens, amounts: {ETH: 2, USDC: 1000}}
  - {id: short, kind: perp, asset: ETH, size: -1.5, entry_price: 3000 USD, margin: 1000 USD}
  - {id: put, kind: option, asset: ETH, right: put, strike: 2800 USD, expiry: 2020-03-27, size: 4}
"""


def imported(folder: Path, *, without: str = "") -> tuple[Path, Path]:
    """A configuration, and a store with prices of two sources that are five minutes old at most."""
    config, store, rows = folder / "mine.yaml", folder / "mine.db", folder / "rows.csv"
    config.write_text(POSITIONS)
    now = int(time.time() * 1000)
    lines = ["metric,subject,source,at,known_at,value"]
    for asset, usd in (("ETH", 3200), ("USDC", 1)):
        lines += [f"price.usd,{asset},{source},{iso(now - n * 300_000)},,{usd}" for source in ("a", "b") for n in range(5) if asset != without]
    lines += [f"iv.index,ETH,a,{iso(now - n * 300_000)},,60" for n in range(5)]
    rows.write_text("\n".join(lines) + "\n")
    said = speak("import", rows, store=store, config=config)
    assert said.code == 0, said.err
    return config, store


def status(config: Path, store: Path, *more: str) -> Said:
    said = speak("status", *more, store=store, config=config)
    assert said.code == 0, said.err
    return said


def test_imported_rows_show_the_book_before_any_daemon_and_nothing_is_written(tmp_path: Path):
    config, store = imported(tmp_path)
    text = status(config, store).out
    for words in (
        "No daemon has run on this store",
        "Equity 8,100 USD",  # 2 x 3200 + 1000, and 1000 - 1.5 x 200
        "Net delta: ETH +1,600 USD",
        "in 7 days would cost",
        "Not known, liquidations: what is declared says nothing",
        "expired at 2020-03-27",
        "more have no source set up",
    ):
        assert words in text, text
    opened = SqliteStore(str(store), role="read")
    assert opened.last_settings() is None
    opened.close()


def test_what_is_known_of_a_book_is_not_taken_for_the_whole(tmp_path: Path):
    config, store = imported(tmp_path, without="USDC")
    said = status(config, store)
    assert "Equity not known, for want of wallet" in said.out
    assert "Net delta of 2 of 3 positions: ETH -4,800 USD" in said.out
    assert "Without wallet: a fall of 1.5 sigma in 7 days would bring " in said.out
    assert "layers left out; what wallet would add or take is not known" in said.out
    book = json.loads(status(config, store, "--json").out)["book"]
    assert book["unvalued"] == ["wallet"]
    # A short loses in a rise, which need not be what the whole book loses in: both are told, and no risk of the whole.
    part = book["valued_stress"]
    assert part["fall_usd"] < 0 < part["rise_usd"]
    assert part["rise_usd"] / 4800 + 1 == pytest.approx(1 / (part["fall_usd"] / 4800 + 1))
    assert "stress" not in book["risk"]
    assert "equity_usd" not in book
    # One position that is not known hides what is said of the whole, and says so once.
    assert sum("no fresh price of USDC" in sentence for sentence in book["says"]) == 1
