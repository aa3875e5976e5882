"""Queries, built from the names that `/metrics` serves: a name or a label that is not served cannot be asked for."""

from monitor.sinks.metrics import PREFIX, exported

JOB = "hedge-monitor"
# Grafana puts the chosen values here; several of them come as a|b, all of them as .*
POSITION, ASSET, VENUE = "$position", "$asset", "$venue"


def select(name: str, window: str = "", **matchers: str) -> str:
    """The selector of one served metric, its name without prefix.

    A value with $, | or * matches as a pattern, one that begins with ! excludes; `window` such as 5m makes it a range.

    Raises `KeyError` for a metric or label that is not served.
    """
    full = PREFIX + name
    labels = exported()[full]
    if strangers := matchers.keys() - set(labels):
        raise KeyError(f"{full} has no label {', '.join(sorted(strangers))}")
    inside = ",".join(f'{label}{_operator(value)}"{value.removeprefix("!")}"' for label, value in matchers.items())
    return full + (f"{{{inside}}}" if inside else "") + (f"[{window}]" if window else "")


def _operator(value: str) -> str:
    pattern = any(character in value for character in "$|*")
    return {(False, False): "=", (True, False): "=~", (False, True): "!=", (True, True): "!~"}[pattern, value.startswith("!")]


def label_values(label: str, *names: str) -> str:
    """The values of a label over these metrics, as Grafana's variables ask for them."""
    for name in names:
        if label not in exported()[PREFIX + name]:
            raise KeyError(f"{PREFIX + name} has no label {label}")
    return f'label_values({{__name__=~"{"|".join(PREFIX + name for name in names)}"}}, {label})'


def quantile(share: float, window: str) -> str:
    """A quantile of the time that decisions take, in seconds, from the histogram."""
    return f"histogram_quantile({share:g}, sum by (le) (rate({select('decision_seconds_bucket', window)})))"


def told(kind: str, step: str = "$__interval") -> str:
    """Where alerts of a kind were told within the last step. The first one counts too: before it there is no series to increase.

    What is new because the monitor itself was not there a step ago is not news.
    """
    counted = f"sum by (type) ({select('alerts_total', type=kind)}"
    now, before = f"{counted})", f"{counted} offset {step})"
    watched = f"count({select('build_info')} offset {step})"
    return f"({now} - {before} > 0) or (({now} unless {before}) and on () {watched})"
