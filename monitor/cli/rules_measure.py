"""`rules measure`: how often each rule was true over the history in the store, and how far ahead of the next low."""

from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.common import AsJson, load_config, open_store, options_of, print_json, print_table, settings_for, when
from monitor.errors import MonitorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitor.replay.measure import Low, Measured

ASSET = "ETH"
HEADINGS = ("rule", "subjects", "episodes", "a year", "true", "lead to low", "fell", "had fallen", "n")


def measure_rules(
    context: typer.Context,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Count from this instant on; thinking begins at the first observation.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Stop at this instant; by default at the last observation.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure every rule on the history in the store, by replay.

    Per rule, over its subjects: episodes, episodes a year and the share of time in which it was true, both of the time in which it could be
    judged; medians over episodes of the hours from its beginning to the low of ETH's 4 h closes within the next 7 days (0 h: the low was in), of
    how far the price fell to it, and of how far it had fallen from its high of the 7 days before; n is how many episodes have these. The last row
    has the same of any time, from every close. Then each episode with its dates.
    """
    start, end = when(from_, "--from"), when(to, "--to")
    measured, lows = _measured(context, start, end)
    from monitor.replay.measure import median_of, together

    if as_json:
        print_json({"rules": [_fields(one) for one in measured], "any_time": {"median": median_of(lows), "n": len(lows)}})
        return
    any_time = ("(any time)", "", "", "", "", *_low(median_of(lows)), str(len(lows)))
    print_table(HEADINGS, [*(_row(together(list(own))) for _, own in groupby(measured, key=lambda one: one.rule)), any_time])
    typer.echo()
    print_table(("rule", "subject", "opened", "closed", "lead to low", "fell", "had fallen"), (row for one in measured for row in _episodes(one)))
    for one in measured:
        if not one.judged_ms:
            typer.echo(f"{one.rule} {one.subject}: {one.state}: {one.reason}")


def _measured(context: typer.Context, start: int | None, end: int | None) -> "tuple[list[Measured], list[Low]]":
    from monitor.cli.common import progress
    from monitor.core.engine import Engine
    from monitor.registry import Catalogue
    from monitor.replay.measure import CLOSE, closes_of, measure, of_any_time
    from monitor.replay.runner import by_knowledge

    options = options_of(context)
    config = load_config(options)
    store = open_store(config)
    try:
        first, last = store.known_span()
        if first is None or last is None or (start is not None and start > last) or (end is not None and end < first):
            raise MonitorError("there are no observations in this range: import or backfill some first, or widen --from and --to")
        start, end = max(first, start if start is not None else first), end if end is not None else last
        prices = closes_of(store.select(CLOSE, first, last), ASSET)
        steps = by_knowledge(Engine(Catalogue()), settings_for(options, config, store), store.history(), end, list(store.ticks()))
        return measure(progress(steps, "thinking"), prices, start, end), of_any_time(prices, start, end)
    finally:
        store.close()


def _row(one: "Measured") -> "Sequence[str]":
    if one.share_fired is None or one.episodes_a_year is None:
        return one.rule, str(one.state), "", "", "", "", "", "", ""
    numbers = (str(len(one.episodes)), f"{one.episodes_a_year:.1f}", f"{one.share_fired:.1%}")
    return one.rule, one.subject, *numbers, *_low(one.median_low), str(len(one.lows))


def _low(low: "Low | None") -> tuple[str, str, str]:
    return ("", "", "") if low is None else (f"{low.lead_ms / 3_600_000:.0f} h", f"{low.fell:.1%}", f"{low.had_fallen:.1%}")


def _episodes(one: "Measured") -> "Iterator[Sequence[str]]":
    from monitor.core.units import iso

    for episode in one.episodes:
        closed = "open" if episode.closed is None else iso(episode.closed)[:16]
        yield one.rule, one.subject, iso(episode.opened)[:16], closed, *_low(episode.low)


def _fields(one: "Measured") -> dict[str, Any]:
    said: dict[str, Any] = {"rule": one.rule, "subject": one.subject, "verdict": one.state, "reason": one.reason}
    said |= {"judged_ms": one.judged_ms, "fired_ms": one.fired_ms, "share_fired": one.share_fired, "episodes_a_year": one.episodes_a_year}
    episodes = [{"at": episode.opened, "until": episode.closed, "low": episode.low} for episode in one.episodes]
    return said | {"median": one.median_low, "n": len(one.lows), "episodes": episodes}
