"""`alerts`: what was told, what became of it, and the operator's word about it."""

from typing import Annotated, Any

import typer

from monitor.cli.common import AsJson, example, load_config, open_store, options_of, print_json, print_table, section, view_of
from monitor.errors import ConfigError, MonitorError

LONGEST_SILENCE_DAYS = 7
AlertId = Annotated[str, typer.Argument(metavar="ID", help="An alert's id, as `alerts` lists it.")]


def register(app: typer.Typer) -> None:
    alerts = typer.Typer(invoke_without_command=True, epilog=example("hedge-monitor alerts silence 'source.down' --for 2h --reason 'venue upgrade'"))
    alerts.callback()(bare)
    alerts.command("list", epilog=example("hedge-monitor alerts list --json"))(listed)
    alerts.command(epilog=example("hedge-monitor alerts show msg_0123456789abcdef01234567"))(show)
    alerts.command(epilog=example("hedge-monitor alerts test"))(test)
    alerts.command(epilog=example("hedge-monitor alerts resend msg_0123456789abcdef01234567"))(resend)
    alerts.command(epilog=example("hedge-monitor alerts silence 'tvl-drawdown/chain:base' --for 1d --reason 'bridge migration'"))(silence)
    app.add_typer(alerts, name="alerts")


def bare(context: typer.Context, as_json: AsJson = False) -> None:
    """List, test, resend and silence alerts."""
    if context.invoked_subcommand is None:
        listed(context, as_json)


def listed(context: typer.Context, as_json: AsJson = False) -> None:
    """List the newest alerts with what became of them."""
    model = view_of(load_config(options_of(context)))
    if as_json:
        print_json(section(model, "alerts"))
        return
    from monitor.core.units import iso

    rows = ((iso(a["at"]), a["id"], a["type"], a["severity"], a["delivery"], a.get("channel", ""), a["summary"]) for a in model["alerts"])
    print_table(("at", "id", "type", "severity", "delivery", "channel", "summary"), rows)


def show(context: typer.Context, alert_id: AlertId, as_json: AsJson = False) -> None:
    """Show one alert and every try to deliver it."""
    told = _history(context, alert_id)
    if as_json:
        print_json(told)
        return
    from monitor.core.units import iso

    typer.echo(f"{told['id']}  {told['type']}  {told['severity']}  {iso(told['at'])}\n{told['summary']}")
    if not told["deliveries"]:
        typer.echo("It was addressed to no channel.")
    for one in told["deliveries"]:
        typer.echo(f"\n{one['channel']}: {one['delivery']}")
        print_table(("at", "outcome", "detail"), ((iso(a["at"]), a["outcome"], a["detail"]) for a in one["attempts"]))


def test(context: typer.Context) -> None:
    """Send a test alert to every channel, as a real one goes."""
    from monitor.commands import signal

    config = load_config(options_of(context))
    if not config.alerts.channels:
        raise MonitorError("this configuration has no channel to test: name one under alerts.channels")
    typer.echo(f"test alert: {signal(config, 'test', 'all')}; `alerts` shows whether it arrived")


def resend(context: typer.Context, alert_id: AlertId) -> None:
    """Send one alert again, with the same id and bytes.

    It goes to every channel that it was for.
    """
    from monitor.commands import signal

    if not _history(context, alert_id)["deliveries"]:
        raise MonitorError(f"{alert_id} was addressed to no channel, so there is nothing to send again")
    typer.echo(f"resend {alert_id}: {signal(load_config(options_of(context)), 'resend', alert_id)}")


def silence(
    context: typer.Context,
    match: Annotated[str, typer.Argument(metavar="MATCH", help="A type, a rule, rule/subject or a position; * and ? stand for anything.")],
    lasting: Annotated[str, typer.Option("--for", metavar="DURATION", help=f"How long, such as 2h; at most {LONGEST_SILENCE_DAYS}d.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why: it goes on record with your name.")],
) -> None:
    """Hold back what matches, for a while and for a reason.

    Critical alerts are sent all the same, and everything stays on record.
    """
    from monitor.commands import signal, wall_ms
    from monitor.core.units import iso

    until = wall_ms() + _silence_ms(lasting)
    if not reason.strip():
        raise ConfigError("--reason: a silence needs a reason")
    config = load_config(options_of(context))
    typer.echo(f"silence {match} until {iso(until // 1000 * 1000)}: {signal(config, 'silence', match, reason, until)}")


def _silence_ms(lasting: str) -> int:
    from monitor.core.units import DAY, parse_duration

    try:
        duration_ms = parse_duration(lasting)
    except ValueError as error:
        raise ConfigError(f"--for: {error}") from None
    if not isinstance(duration_ms, int) or not 0 < duration_ms <= LONGEST_SILENCE_DAYS * DAY:
        raise ConfigError(f"--for: {lasting} is not a time between 0 and {LONGEST_SILENCE_DAYS}d")
    return duration_ms


def _history(context: typer.Context, alert_id: str) -> dict[str, Any]:
    from monitor.core.codec import plain
    from monitor.shell import STATES

    store = open_store(load_config(options_of(context)))
    try:
        alert = store.find_alert(alert_id)
        if alert is None:
            raise MonitorError(f"there is no alert {alert_id}: `hedge-monitor alerts` lists the newest")
        attempts = list(store.outbox.attempts(alert_id))
        deliveries = [
            {
                "channel": row.channel,
                "delivery": STATES[row.status],
                "attempts": [{"at": a.at, "outcome": a.outcome, "detail": a.detail} for a in attempts if a.channel == row.channel],
            }
            for row in store.outbox.find(alert_id)
        ]
    finally:
        store.close()
    return {**plain(alert), "deliveries": deliveries}
