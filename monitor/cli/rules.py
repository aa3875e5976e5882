"""`rules`: the catalogue, unit tests of rules, and what they did over a history."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.common import AsJson, example, print_json, print_table
from monitor.cli.rules_measure import measure_rules
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.core.rule import Rule

FORMAT = """\b
Example:
  hedge-monitor rules test tests/rules/tvl-drawdown.yaml

\b
tests:
  - name: a fall of 8% fires
    rule: tvl-drawdown
    settings: {threshold: 8%}
    series:
      - {metric: tvl.usd, subject: "chain:ethereum", start: 2024-01-01, every: 1h, values: "100x47 92"}
    expect:
      - {at: 2024-01-03, subject: "chain:ethereum", verdict: FIRED, distance: 0, reason: "-8.0%"}

\b
settings  of the rule; those of a rule that it needs stand under rules: {macro-rising: {variant: mom}}
series    values as promtool has them: 5x3 is 5 and three more of it, 5+2x3 is 5 7 9 11, _ is a missing sample,
          _x3 are three, stale at the end: nothing comes any more. every: 1h, 1d or month. source: who says so;
          known_after: 42d when each sample can be known (without it the metric's own rule holds)
expect    at, subject and verdict; optional value, threshold, distance, code, reason (a part of the sentence),
          episode (open or none). The verdict is what `explain --at` would say
book, positions  as in the configuration, where the rule looks at them
"""


def register(app: typer.Typer) -> None:
    rules = typer.Typer(
        help="The catalogue of rules, their unit tests, and what they did over a history.", epilog=example("hedge-monitor rules show tvl-drawdown")
    )
    rules.callback(invoke_without_command=True)(_by_itself)
    rules.command("list", epilog=example("hedge-monitor rules list"))(list_rules)
    rules.command("show", epilog=example("hedge-monitor rules show defi-layer --json"))(show_rule)
    rules.command("test", epilog=FORMAT)(run_tests)
    rules.command("measure", epilog=example("hedge-monitor rules measure --from 2022-01-01"))(measure_rules)
    app.add_typer(rules, name="rules")


def _by_itself(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_rules()


def list_rules(as_json: AsJson = False) -> None:
    """List every rule with its settings and their defaults."""
    described = [_described(cls) for cls in _catalogue().values()]
    if as_json:
        print_json(described)
        return
    rows = ((r["id"], r["title"], r["scope"], "+".join(r["groups"]), r["class"], _settings_line(r)) for r in described)
    print_table(("id", "title", "scope", "groups", "class", "settings"), rows)


def show_rule(rule: Annotated[str, typer.Argument(metavar="RULE", help="A rule's id, as `rules list` has it.")], as_json: AsJson = False) -> None:
    """Show one rule: what it says, needs and asks for, and its settings."""
    described = _described(_found(rule))
    if as_json:
        print_json(described)
        return
    typer.echo(f"{described['id']}: {described['title']}\n\n{described['text']}\n")
    for name in ("scope", "class"):
        typer.echo(f"{name}: {described[name]}")
    typer.echo(f"groups: {', '.join(described['groups'])} (T technical, F fundamental, O on-chain)")
    typer.echo(f"needs: {', '.join(described['needs']) or 'no other rule'}")
    typer.echo(f"asks for: {_intent_line(described['intent'])}")
    typer.echo("settings:" if described["settings"] else "settings: none")
    for one in described["settings"]:
        typer.echo(f"  {one['name']}: {one['default']}  ({one['unit']})")


def run_tests(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="YAML files of tests; the format stands below.")],
    as_json: AsJson = False,
) -> None:
    """Run unit tests of rules, through the real engine.

    Short series in, expected verdicts out. Exits 1 when one fails, 2 for a malformed file.
    """
    from monitor.cli.rule_file import read_tests
    from monitor.replay.rule_tests import failures

    tests, problems = [], list[str]()
    for file in files:
        try:
            tests += read_tests(file, _catalogue())
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(*problems)
    found = {id(test): list(failures(test)) for test in tests}
    failed = [line for lines in found.values() for line in lines]
    broken = sum(bool(lines) for lines in found.values())
    if as_json:
        print_json({"passed": len(tests) - broken, "failed": broken, "failures": failed})
    else:
        for line in failed:
            typer.echo(line)
        typer.echo(f"{len(tests) - broken} passed, {broken} failed")
    raise typer.Exit(1 if broken else 0)


def _catalogue() -> "dict[str, type[Rule]]":
    from monitor.registry import Catalogue

    return Catalogue().rules


def _found(rule: str) -> "type[Rule]":
    catalogue = _catalogue()
    if rule not in catalogue:
        raise ConfigError(f"there is no rule {rule!r}; there are: {', '.join(catalogue)}")
    return catalogue[rule]


def _described(cls: "type[Rule]") -> dict[str, Any]:
    from inspect import cleandoc

    from monitor.core.verdict import State, Verdict

    intent = cls().intent(Verdict(State.FIRED, ""))
    settings = [{"name": one.name, "default": _written(one.type, one.default), "unit": _unit(one.type)} for one in fields(cls)]
    described: dict[str, Any] = {"id": cls.id, "title": cls.title, "scope": cls.scope, "class": cls.kind}
    described |= {"groups": list(cls.groups), "needs": list(cls.needs)}
    return described | {"text": cleandoc(cls.__doc__ or ""), "settings": settings, "intent": intent}


def _settings_line(described: dict[str, Any]) -> str:
    return ", ".join(f"{one['name']} {one['default']}" for one in described["settings"])


def _intent_line(intent: Any) -> str:
    if intent is None:
        return "nothing: it votes or warns"
    share = "" if intent.share == 1 else f", {intent.share:.0%} of what sizing allows"
    return f"{'an' if intent.tier[0] in 'aeiou' else 'a'} {intent.tier} layer: {' or '.join(intent.actions)}{share}"


def _written(kind: Any, value: object) -> str:
    """A default as a configuration would have it."""
    from monitor.core.units import Duration, Fraction, Usd

    if kind is Duration and isinstance(value, int):
        return duration_text(value)
    if kind is Fraction and isinstance(value, float):
        return f"{round(value * 100, 10):g}%"
    if kind is Usd and isinstance(value, float):
        return f"{value:_.0f} USD"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _unit(kind: Any) -> str:
    from typing import Literal, get_args, get_origin

    from monitor.core.units import Duration, Fraction, Usd

    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    return {id(Duration): "a duration", id(Fraction): "a rate", id(Usd): "money"}.get(id(kind), "a number")


def duration_text(duration_ms: int) -> str:
    """`48h` of milliseconds: the largest unit that gives a whole number."""
    from monitor.core.units import DAY, HOUR, MINUTE, SECOND

    # Two days of hours read as hours, in which windows are spoken of.
    for unit, size, least in (("d", DAY, 3 * DAY), ("h", HOUR, HOUR), ("min", MINUTE, MINUTE), ("s", SECOND, SECOND)):
        if duration_ms >= least and duration_ms % size == 0:
            return f"{duration_ms // size}{unit}"
    return f"{duration_ms}ms"
