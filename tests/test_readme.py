"""What the README says exists: commands, ids, settings, files. The other way round nothing is asked: a plug-in touches no existing file."""

import ast
import math
import re
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.cli import app
from monitor.config import discover, load
from monitor.config.model import ALERT_TYPES
from monitor.core.amm import tick_at_sqrt_ratio
from monitor.core.book import FIELDS_OF
from monitor.core.proposal import NOT_BUILT
from monitor.core.vocabulary import find_metric

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CATALOGUE = discover()
PLANTED = re.findall(r"`((?:monitor|tests)/\S+/(?:deleveraging|bitget|test_bitget)\.\w+)`", README)


def fences(language: str) -> list[str]:
    """The code of every fence in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def section(heading: str) -> str:
    """The text under a heading, up to the next one of its rank or above."""
    rank = heading.partition(" ")[0]
    found = re.search(rf"^{heading}\n(.*?)(?=^#{{1,{len(rank)}}} |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found is not None, f"the README has no heading {heading!r}"
    return found[1]


def ids_of_table(text: str) -> list[str]:
    """The ids that stand first in the rows of a table."""
    return re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE)


def commands() -> list[tuple[str, ...]]:
    """Each `hedge-monitor ...` of the README as its words, without what stands before the command."""
    written = [line.partition("#")[0] for fence in fences("sh") for line in fence.splitlines()]
    written += re.findall(r"`(hedge-monitor [^`]+)`", README)
    calls = [re.sub(r"--(store|config) \S+ ", "", line).split() for line in written if re.search(r"\bhedge-monitor (?!=)", line)]
    return [tuple(words[next(i for i, word in enumerate(words) if word.endswith("hedge-monitor")) + 1 :]) for words in calls]


@cache
def help_of(*words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    return done.output


def named_in(text: str) -> set[str]:
    """The commands that a help lists."""
    return set(re.findall(r"^  ([a-z]+)  ", text.partition("Commands:")[2], re.MULTILINE))


def test_every_command_and_option_that_the_readme_names_exists():
    assert len(commands()) > 20
    for words in commands():
        path = [words[0]] if not words[0].startswith("--") else []
        assert set(path) <= named_in(help_of()), words
        if path and len(words) > 1 and words[1] in named_in(help_of(*path)):
            path.append(words[1])
        for option in (word for word in words if word.startswith("--")):
            assert option in help_of(*path), (words, option)


@pytest.mark.parametrize("command", sorted(named_in(help_of())))
def test_every_command_has_an_example_that_can_be_copied(command: str):
    for path in [(command,), *((command, one) for one in sorted(named_in(help_of(command))))]:
        assert re.search(rf"Example:\n +hedge-monitor .*{' '.join(path)}", help_of(*path)), path


@pytest.mark.parametrize(
    ("heading", "known"),
    [
        ("### Rules", CATALOGUE.rules),
        ("### Gates", CATALOGUE.gates),
        ("## Sources", CATALOGUE.collectors),
    ],
)
def test_every_id_in_a_table_exists(heading: str, known: dict[str, type]):
    ids = ids_of_table(section(heading))

    assert ids
    assert set(ids) <= set(known)


def test_each_kind_of_position_is_told_with_what_it_needs_and_may_have():
    told = {}
    for kinds, needed, optional in re.findall(r"^\| (`[^|]+) \| ([^|]+) \| ([^|]*)\|", section("### Positions"), re.MULTILINE):
        for kind in re.findall(r"`([a-z0-9-]+)`", kinds):
            told[kind] = (set(re.findall(r"`(\w+)`", needed)), set(re.findall(r"`(\w+)`", optional)))
    known = {kind: ({name for need in fields.needed for name in re.split(r"[|+]", need)}, set(fields.optional)) for kind, fields in FIELDS_OF.items()}
    assert told == known


def test_the_tick_of_a_price_is_the_one_that_the_pool_has():
    told = re.search(
        r"USDC \((\d+) decimals\)\nstands before WETH \((\d+)\), ([\d,]+) USDC for one ETH is p = 1/(\d+), tick (\d+)", section("### Positions")
    )
    assert told is not None
    decimals0, decimals1, usd, per_coin, tick = (int(number.replace(",", "")) for number in told.groups())

    assert usd == per_coin
    assert tick_at_sqrt_ratio(math.isqrt(2**192 * 10**decimals1 // (usd * 10**decimals0))) in (tick, tick - 1)
    assert round(math.log(1 / usd * 10 ** (decimals1 - decimals0)) / math.log(1.0001)) == tick


def test_what_is_told_as_not_built_is_not_built():
    (gates,) = re.findall(r"^- \*\*Gates\*\*: (.*?) do not exist", section("## What is not built yet"), re.MULTILINE | re.DOTALL)

    assert set(re.findall(r"`([a-z-]+)`", gates)) == set(NOT_BUILT)
    assert not set(NOT_BUILT) & set(CATALOGUE.gates)


def test_the_metrics_and_alert_types_that_are_named_exist():
    named = [
        name
        for row in re.findall(r"^\| ((?:`[a-z0-9_.]+`[^|]*)) \|", section("## Your own data"), re.MULTILINE)
        for name in re.findall(r"`([a-z0-9_]+\.[a-z0-9_.]+)`", row)
    ]
    types = re.findall(r"`([a-z]+\.[a-z]+)`", section("## Webhooks").partition("Types that are sent today")[2])

    assert len(named) > 8
    assert [name for name in named if find_metric(name) is None] == []
    assert types
    assert set(types) <= set(ALERT_TYPES)


def test_the_configuration_loads(tmp_path: Path):
    (text,) = [fence for fence in fences("yaml") if fence.startswith("book:")]
    file = tmp_path / "hedge-monitor.yaml"
    file.touch(0o600)
    file.write_text(text, encoding="utf-8")

    config = load(file, {}, CATALOGUE)

    assert [one.id for one in config.positions] == ["eth-usdc", "short-eth", "puts", "condor", "wallet"]
    assert config.warnings == ()


def test_the_feeds_load_and_have_work(tmp_path: Path):
    (text,) = [fence for fence in fences("yaml") if "http-json:" in fence]
    file = tmp_path / "hedge-monitor.yaml"
    file.touch(0o600)
    file.write_text(text, encoding="utf-8")

    config = load(file, {"VAULT_KEY": "0123456789", "PUSH_KEY": "0123456789abcdef"}, CATALOGUE)

    assert {"http-json", "prometheus", "folder"} <= config.working_sources.keys()
    assert config.server.push_token is not None and config.warnings == ()


@pytest.mark.parametrize("code", fences("python"), ids=lambda code: code.splitlines()[0][:40])
def test_code_is_python(code: str):
    assert ast.parse(code).body


def test_the_hand_made_verification_agrees_with_the_library():
    from datetime import UTC, datetime

    from standardwebhooks import Webhook

    (code,) = [fence for fence in fences("python") if "def is_ours" in fence]
    names: dict[str, object] = {}
    exec(code, names)  # the snippet is our own file
    secret, body = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", b'{"type":"heartbeat"}'
    sent_at = datetime(2026, 1, 1, tzinfo=UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": "v1,other " + Webhook(secret).sign("msg_1", sent_at, body.decode()),
    }

    is_ours = names["is_ours"]
    assert callable(is_ours)
    assert is_ours(secret, headers, body)
    assert not is_ours(secret, headers, body + b" ")


def test_every_file_that_is_named_is_there_but_for_those_that_the_reader_is_to_write():
    named = set(re.findall(r"`((?:monitor|tests|grafana)/[^`\s]*\.\w+)`", README))

    assert len(PLANTED) == 4
    assert {name for name in named if not (ROOT / name).exists()} <= set(PLANTED)


def test_every_link_inside_the_page_leads_to_a_heading():
    anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", README, re.MULTILINE)}

    assert set(re.findall(r"\]\(#([a-z0-9-]+)\)", README)) <= anchors
