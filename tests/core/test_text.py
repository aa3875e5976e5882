"""Foreign names are shown on one line, visibly and briefly (F-096)."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.text import safe_text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("WETH", "WETH"),
        ("", ""),
        ("Curve: 3pool [USDC/DAI]", "Curve: 3pool [USDC/DAI]"),
        ("a\nb\r\nc\x00\x1b[31m", "abc[31m"),
        ("US\u200bDC\u2060\ufeff", "USDC"),
        ("\u202eCDSU\u2066x\u2069", "CDSUx"),
        ("a\u2028b\u2029c\u0085d", "abcd"),
        ("e\u0301", "\u00e9"),
        ("e\u200b\u0301", "\u00e9"),
        ("\ud800x\udfff", "\ufffdx\ufffd"),
        ("\u3164\u2800\ufe0f\U000e0041", ""),
        ("\u0130stanbul \u20bf \U0001f98a", "\u0130stanbul \u20bf \U0001f98a"),
    ],
)
def test_text_is_normal_visible_and_on_one_line_F_096(raw: str, shown: str) -> None:
    assert safe_text(raw) == shown


def test_text_is_cut_at_exactly_the_limit_F_096() -> None:
    assert safe_text("x" * 64) == "x" * 64
    cut = safe_text("x" * 65)
    assert len(cut) == 64
    assert cut.startswith("x" * 55 + "~")


def test_two_long_names_with_the_same_start_stay_two_F_096() -> None:
    assert safe_text("x" * 100_000 + "a") != safe_text("x" * 100_000 + "b")


def test_a_name_padded_with_invisible_characters_is_marked_as_cut() -> None:
    assert safe_text("USDC" + "\u200b" * 100_000).startswith("USDC~")


@given(st.text(alphabet=st.characters(), max_size=200), st.integers(16, 64))
def test_any_text_comes_out_short_encodable_and_stable_F_096(raw: str, limit: int) -> None:
    shown = safe_text(raw, limit)
    assert len(shown) <= limit
    assert shown.encode("utf-8").decode() == shown
    assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in shown)
    assert safe_text(shown, limit) == shown
