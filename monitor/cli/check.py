"""`check`: does the configuration read, and does everything it names answer?"""

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.common import AsJson, example, load_config, options_of, print_json, print_table
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.probes import Blind, Finding

TIMEOUT_SECONDS = 30.0


def register(app: typer.Typer) -> None:
    app.command(epilog=example("hedge-monitor --config hedge-monitor.yaml check"))(check)


def check(
    context: typer.Context,
    timeout: Annotated[float, typer.Option(help="Seconds that any one of them may take.")] = TIMEOUT_SECONDS,
    as_json: AsJson = False,
) -> None:
    """Read the configuration, then probe all that it names.

    One line for each source, chain, store and channel: ok, or why not and what to do.

    Nothing is stored and no alert is sent; of a channel only the port is tried. Exits 1 when anything failed, 2 for a configuration that does
    not read.
    """
    if not 0 < timeout <= 3600:
        raise ConfigError(f"--timeout: {timeout:g} is not a number of seconds from 0 to 3600")
    options = options_of(context)
    config = load_config(options)
    import asyncio

    from monitor.probes import Health, blind_rules
    from monitor.probes import check as probed

    findings = asyncio.run(probed(config, timeout_seconds=timeout, file=str(options.config_file or "hedge-monitor.yaml")))
    blind = blind_rules(config)
    failed = any(finding.state is Health.FAILED for finding in findings)
    if as_json:
        print_json({"ok": not failed, "warnings": list(config.warnings), "findings": findings, "not_configured": blind})
    else:
        _show(findings, blind, config.warnings)
    raise typer.Exit(1 if failed else 0)


def _show(findings: "Sequence[Finding]", blind: "Sequence[Blind]", warnings: "Sequence[str]") -> None:
    for warning in warnings:
        typer.echo(f"warning: {warning}")
    idle = [finding for finding in findings if finding.state == "idle"]
    for finding in findings:
        if finding in idle:
            continue
        took = f" ({finding.seconds:.1f} s)" if finding.seconds >= 0.05 else ""
        typer.echo(f"{finding.state:<8}{finding.kind} {finding.name}: {_told(finding)}{took}")
    if idle:
        typer.echo(f"{'idle':<8}nothing that is watched needs {', '.join(finding.name for finding in idle)}")
    if blind:
        typer.echo("\nRules that cannot judge (NOT_CONFIGURED):")
        print_table(("rule", "subject", "why"), ((one.rule, one.subject, one.reason) for one in blind))


def _told(finding: "Finding") -> str:
    return f"{finding.detail}; {finding.remedy}" if finding.remedy else finding.detail
