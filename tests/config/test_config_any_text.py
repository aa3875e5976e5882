"""Whatever stands in a configuration: it loads, or it is refused with reasons of one line each."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.errors import ConfigError
from tests.config.catalogue import load_text, position

KEYWORDS = [
    "book",
    "rules",
    "tvl-drawdown",
    "threshold",
    "window",
    "positions",
    "id",
    "kind",
    "chains",
    "rpc",
    "alerts",
    "channels",
    "url",
    "secret",
]
KEYWORDS += [
    "sources",
    "tvl",
    "subjects",
    "spot",
    "fred",
    "api_key",
    "overrides",
    "enabled",
    "server",
    "port",
    "store",
    "gates",
    "governance",
    "size",
]
SCALARS = [
    "8%",
    "48h",
    "no",
    "~",
    "0x12",
    "-1",
    "1e999",
    "1e308d",
    "9" * 400,
    "${A}",
    "${",
    "'",
    "ETH",
    "chain:base",
    "https://[",
    "http://x:99999",
    "perp",
]
LEAVES = st.sampled_from(SCALARS) | st.text(max_size=8)
TREES = st.recursive(LEAVES, lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(KEYWORDS), below, max_size=4), max_leaves=20)
ANY_FOLDER = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def loads_or_explains(folder: Path, text: str, environ: dict[str, str] | None = None) -> None:
    told: tuple[str, ...] = ("",)
    try:
        load_text(folder, text, environ)
    except ConfigError as error:
        told = error.problems
    assert told
    assert all("\n" not in one for one in told)


@ANY_FOLDER
@given(text=st.text() | st.text(alphabet="ab:-[]{}'\"#&*!|>%@`\t\n ,?~<=0x", max_size=40))
def test_any_text_loads_or_is_refused_with_reasons_f_150(tmp_path: Path, text: str) -> None:
    loads_or_explains(tmp_path, text)


def flow(tree: object) -> str:
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key}: {flow(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(map(flow, tree)) + "]"
    return "'" + str(tree).replace("'", "''") + "'"


@ANY_FOLDER
@given(tree=st.dictionaries(st.sampled_from(KEYWORDS), TREES, max_size=5))
def test_any_tree_of_known_words_loads_or_is_refused_with_reasons_f_150(tmp_path: Path, tree: dict[str, object]) -> None:
    loads_or_explains(tmp_path, flow(tree))


@ANY_FOLDER
@given(
    path=st.lists(st.sampled_from([*KEYWORDS, "0", "", "tvl_drawdown"]), min_size=1, max_size=4),
    value=LEAVES | st.sampled_from(["[a]", "{a: 1}", "[", "{]"]),
)
def test_any_variable_loads_or_is_refused_with_reasons_f_150(tmp_path: Path, path: list[str], value: str) -> None:
    loads_or_explains(tmp_path, position(), {"HEDGE_MONITOR_" + "__".join(path).upper(): value})
