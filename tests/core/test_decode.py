"""One hardened decoder (F-015, F-020, F-022, F-095): what is not plainly a value is refused, quickly and by name."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.decode import decode_json, field, items, number, parse_decimal, text, whole
from monitor.errors import BadPayload

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**256), 2**256) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON_VALUES)
def test_honest_json_comes_back_as_it_was_written(value: object) -> None:
    assert decode_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"<html><body>Maintenance</body></html>", "HTML, not JSON"),
        (b"\n <!DOCTYPE html>", "HTML, not JSON"),
        (b'{"a": 1', "cut short or malformed at character 7"),
        (b'{"a": 1} {"b": 2}', "malformed at character 9"),
        (b'{"a": "line\nbreak"}', "malformed"),
        (b"\xff\xfe", "not UTF-8: byte 0 is 0xff"),
        (b'{"a": NaN}', "NaN is not a number"),
        (b"[Infinity]", "Infinity is not a number"),
        (b"[-Infinity]", "-Infinity is not a number"),
        (b"[1e400]", "not a finite number"),
        (b"[-1e400]", "not a finite number"),
        (b"[1e-400]", "too small"),
        (b"[01]", "malformed"),
        (b"[1_000]", "malformed"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a' appears twice"),
        (b'[{"x": {"k": 1, "k": 1}}]', "'k' appears twice"),
        (b'{"a": 1, "\\u0061": 2}', "'a' appears twice"),
        (b"[" + b"9" * 401 + b"]", "401 digits"),
        (b"[-" + b"9" * 5000 + b"]", "5000 digits"),
    ],
)
def test_a_body_that_is_not_plain_json_is_refused_with_its_reason_F_015_F_020_F_095(body: bytes, sentence: str) -> None:
    with pytest.raises(BadPayload, match=sentence):
        decode_json(body)


def test_four_hundred_digits_are_still_a_whole_number() -> None:
    assert decode_json(b"[" + b"9" * 400 + b"]") == [10**400 - 1]


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_is_allowed_to_the_limit_and_refused_one_deeper_F_095(opening: bytes, closing: bytes) -> None:
    assert decode_json(opening * 63 + b"[7]" + closing * 63)
    with pytest.raises(BadPayload, match="deeper than 64"):
        decode_json(opening * 64 + b"[7]" + closing * 64)


@pytest.mark.parametrize("body", [b"[" * 100_000, b"[" * 4_000_000 + b"]" * 4_000_000, b'{"a":' * 1_000_000, b"[{" * 500_000 + b'"'])
def test_a_bottomless_body_is_refused_before_the_parser_recurses_F_095(body: bytes) -> None:
    started = time.process_time()
    with pytest.raises(BadPayload, match="deeper than 64"):
        decode_json(body)
    assert time.process_time() - started < 3.0


def test_brackets_inside_strings_are_not_nesting() -> None:
    value = {"a": "[" * 500 + '\\"' + "{" * 500, "b\\": ["]"]}
    assert decode_json(json.dumps(value).encode()) == value


def test_many_brackets_side_by_side_are_not_nesting() -> None:
    assert decode_json(b"[" + b"[],{}," * 1000 + b"[]]", max_depth=2) == [*([[], {}] * 1000), []]


def test_the_size_limit_is_exact() -> None:
    assert decode_json(b"[1]", max_bytes=3) == [1]
    with pytest.raises(BadPayload, match="3 bytes, more than the 2"):
        decode_json(b"[1]", max_bytes=2)


@pytest.mark.parametrize(
    ("written", "expected"),
    [("1", 1.0), ("-0.5", -0.5), ("1e-4", 1e-4), ("2E+3", 2000.0), ("007", 7.0), (3, 3.0), (0.25, 0.25), ("0.000", 0.0), ("0e999", 0.0)],
)
def test_plain_decimals_are_numbers(written: str | float, expected: float) -> None:
    assert parse_decimal(written) == expected


@pytest.mark.parametrize(
    "written",
    ["NaN", "nan", "Infinity", "-inf", "1e400", "1_000", "\u0661\u0662", "\uff11", " 1", "1 ", "1\n", "", "+1", ".5", "5.", "0x10", "1,5",
     "1e", "--1", "1e-400", "9" * 401, True, None, [1], {}, b"1", float("nan"), float("inf"), 10**400],
)  # fmt: skip
def test_what_only_looks_like_a_number_is_refused_F_015(written: object) -> None:
    with pytest.raises(BadPayload):
        parse_decimal(written)


ANSWER = {"result": {"price": "101.5", "size": 3, "name": "ETH", "legs": [{"iv": 0.61}], "wei": str(2**128), "ok": True}}


def test_fields_are_found_by_path_and_typed() -> None:
    assert number(ANSWER, "result", "price") == 101.5
    assert number(ANSWER, "result", "legs", 0, "iv") == 0.61
    assert whole(ANSWER, "result", "wei") == 2**128
    assert whole(ANSWER, "result", "size") == 3
    assert text(ANSWER, "result", "name") == "ETH"
    assert items(ANSWER, "result", "legs") == [{"iv": 0.61}]
    assert field(ANSWER, "result", "ok", kind=bool) is True
    assert field([7], 0, kind=int) == 7


@pytest.mark.parametrize(
    ("read", "sentence"),
    [
        (lambda: number(ANSWER, "result", "mark"), "^result.mark is missing$"),
        (lambda: number(ANSWER, "result", "name"), "^result.name: 'ETH' is not a decimal number$"),
        (lambda: number(ANSWER, "result", "ok"), "^result.ok: expected a number, got True$"),
        (lambda: number(ANSWER, "result", "legs"), "^result.legs: expected a number, got a list$"),
        (lambda: number(ANSWER, "result", "price", "usd"), "^result.price: expected an object with 'usd', got '101.5'$"),
        (lambda: number(ANSWER, "result", "legs", 1, "iv"), "^result.legs.1 is missing$"),
        (lambda: number(ANSWER, "result", "legs", -1, "iv"), "^result.legs.-1 is missing$"),
        (lambda: number(ANSWER, "result", 0), "^result: expected a list with 0, got a dict$"),
        (lambda: number([], "price"), "^the answer: expected an object with 'price', got a list$"),
        (lambda: text(ANSWER, "result", "size"), "^result.size: expected str, got 3$"),
        (lambda: items(ANSWER, "result"), "^result: expected list, got a dict$"),
        (lambda: field(ANSWER, "result", "ok", kind=int), "^result.ok: expected int, got True$"),
        (lambda: whole(ANSWER, "result", "price"), "^result.price: expected a whole number, got '101.5'$"),
        (lambda: whole(ANSWER, "result", "ok"), "^result.ok: expected a whole number, got True$"),
        (lambda: text({"n": 10**300}, "n"), "^n: expected str, got a whole number of 997 bits$"),
        (lambda: number({"n": "x" * 99}, "n"), r"^n: 'x{40}\.\.\.' is not"),
        (lambda: number({"n": "\u202e\ud800"}, "n"), r"^n: '\\u202e\\ud800' is not"),
        (lambda: text({"n": None}, "n"), "^n: expected str, got None$"),
    ],
)
def test_a_field_that_drifted_is_named_in_the_error_F_022(read: object, sentence: str) -> None:
    assert callable(read)
    with pytest.raises(BadPayload, match=sentence):
        read()
