"""`explain`: why a rule fired, or why not."""

from typing import Annotated

import typer

from monitor.cli.common import AsJson, example, load_config, open_store, options_of, print_json, settings_for, when


def register(app: typer.Typer) -> None:
    app.command(epilog=example("hedge-monitor explain tvl-drawdown --subject chain:ethereum --at 2022-05-10"))(explain)


def explain(
    context: typer.Context,
    rule: Annotated[str, typer.Argument(metavar="RULE", help="A rule's id, such as tvl-drawdown; `rules list` has them all.")],
    subject: Annotated[str | None, typer.Option(help="One subject; without it the worst of several, the rest in `others`.")] = None,
    position: Annotated[str | None, typer.Option(help="A position's id: the subjects it is exposed to.")] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="An instant, ISO-8601; by default the last one the store has seen.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say why a rule fired, or why not.

    Each condition with its value, threshold, distance and evidence. It is replay, stopped at an instant. Exits 0 for every verdict.
    """
    from monitor.commands import wall_ms
    from monitor.replay.explain import explain as explained
    from monitor.replay.explain import sentences

    moment = when(at, "--at")
    options = options_of(context)
    config = load_config(options)
    store = open_store(config)
    try:
        moment = moment if moment is not None else store.newest() or wall_ms()
        answer = explained(store, settings_for(options, config, store), rule, subject, position, moment)
    finally:
        store.close()
    if as_json:
        print_json(answer)
    else:
        for line in sentences(answer):
            typer.echo(line)
