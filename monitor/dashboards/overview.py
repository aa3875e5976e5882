"""The dashboard "Overview": the book, what fired, the markets behind it, the layers, and whether the monitor itself is well."""

from monitor.core.verdict import State as Truth
from monitor.dashboards.grafana import Annotation, Dashboard, Heatmap, Panel, Query, Row, Stat, StateTimeline, Step, TimeSeries, Variable
from monitor.dashboards.queries import ASSET, POSITION, VENUE, label_values, quantile, select, told
from monitor.rules.funding_spike import FundingSpike
from monitor.rules.tvl_drawdown import TvlDrawdown
from monitor.sinks.metrics import CODES

GREEN, YELLOW, RED, BLUE, GREY = "green", "yellow", "red", "blue", "text"
PLAIN = (Step(None, BLUE),)
STATES = {
    CODES[Truth.QUIET]: ("quiet", GREEN),
    CODES[Truth.FIRED]: ("fired", RED),
    CODES[Truth.UNKNOWN]: ("unknown", YELLOW),
    CODES[Truth.NOT_CONFIGURED]: ("not configured", GREY),
}
RATE = "$__rate_interval"


def dashboard() -> Dashboard:
    return Dashboard(
        uid="hedge-monitor-overview",
        title="Overview",
        description="The book, its triggers and layers, and the monitor's own health. The monitor proposes; it never trades.",
        tags=("hedge-monitor",),
        rows=(
            Row("Book", _book()),
            Row("Triggers", _triggers()),
            Row("Markets", _markets()),
            Row("Layers", _layers()),
            Row("The monitor itself", (*_sources(), *_delivery(), *_engine())),
        ),
        variables=_variables(),
        annotations=layer_annotations(),
    )


def _variables() -> tuple[Variable, ...]:
    assets = label_values("asset", "price_usd", "funding_annualised_ratio", "position_delta_usd")
    return (
        Variable("position", "Position", label_values("position", "position_value_usd"), "Positions of the book, by their configured ids."),
        Variable("asset", "Asset", assets, "Assets that are held, priced, or funded."),
        Variable("venue", "Venue", label_values("venue", "funding_annualised_ratio"), "Venues of perpetual futures."),
    )


def layer_annotations() -> tuple[Annotation, ...]:
    """Layer events are shown at first, each with its type; triggers can be switched on."""
    others = "layer.refused|layer.approved|layer.closed|layer.retracted"
    return (
        Annotation("Layer proposed", BLUE, told("layer.proposed"), "Layer proposed"),
        Annotation("Layer refused or decided", "orange", told(others), "Layer refused or decided"),
        Annotation("Trigger fired", RED, told("trigger.fired"), "Trigger fired", shown=False),
    )


def _book() -> tuple[Panel, ...]:
    return (
        Stat(
            title="Book equity",
            description="What closing the book would bring. Empty while a position cannot be valued: the sum of the rest would be wrong.",
            unit="currencyUSD",
            steps=(Step(None, RED), Step(0, BLUE)),
            queries=(Query(select("equity_usd"), "equity", instant=True),),
            empty="a position cannot be valued",
        ),
        Stat(
            title="Triggers fired",
            description="Rules that have fired now, over all their subjects.",
            unit="short",
            steps=(Step(None, GREEN), Step(1, RED)),
            queries=(Query(f"sum({select('trigger_state')} == bool {CODES[Truth.FIRED]})", "fired", instant=True),),
        ),
        Stat(
            title="Protected",
            description="Notional of the layers in force over what would lose in the adverse direction.",
            unit="percentunit",
            steps=PLAIN,
            queries=(Query(select("protected_ratio"), "protected", instant=True),),
            empty="nothing to protect",
        ),
        Stat(
            title="Session budget left",
            description="Share of the session's budget that new layers may still use. At 0 the session cap refuses every new layer.",
            unit="percentunit",
            steps=(Step(None, RED), Step(0.05, YELLOW), Step(0.25, GREEN)),
            queries=(Query(select("layer_budget_remaining_ratio"), "{{scope}}", instant=True),),
            empty="no session",
        ),
        TimeSeries(
            title="Equity and positions",
            description="The book's equity and the value of each chosen position; of a perp its margin and profit.",
            unit="currencyUSD",
            steps=PLAIN,
            queries=(Query(select("equity_usd"), "equity"), Query(select("position_value_usd", position=POSITION), "{{position}}")),
        ),
        TimeSeries(
            title="Delta by position",
            description="Amount of each chosen asset that a position holds, at its price; below 0 is short.",
            unit="currencyUSD",
            steps=(Step(None, RED), Step(0, BLUE)),
            queries=(Query(select("position_delta_usd", position=POSITION, asset=ASSET), "{{position}} {{asset}}"),),
        ),
    )


def _triggers() -> tuple[Panel, ...]:
    return (
        StateTimeline(
            title="Trigger states",
            description="Each rule about each subject. Yellow means it cannot be judged, which is never the same as quiet.",
            unit="short",
            steps=(
                Step(None, GREEN),
                Step(CODES[Truth.FIRED], RED),
                Step(CODES[Truth.UNKNOWN], YELLOW),
                Step(CODES[Truth.NOT_CONFIGURED], GREY),
            ),
            queries=(Query(select("trigger_state"), "{{rule}} {{subject}}"),),
            texts=STATES,
            height=10,
        ),
        TimeSeries(
            title="Distance to threshold",
            description="(value - threshold) / scale in the firing direction: 0 is the threshold, above it the rule's condition holds.",
            unit="short",
            steps=(Step(None, GREEN), Step(-0.25, YELLOW), Step(0, RED)),
            queries=(Query(select("trigger_distance"), "{{rule}} {{subject}}"),),
            decimals=2,
            height=10,
            line=True,
        ),
    )


def _markets() -> tuple[Panel, ...]:
    fall, spike = TvlDrawdown.threshold, FundingSpike.threshold
    return (
        TimeSeries(
            title="TVL",
            description="Total value locked in each protocol and chain that the book depends on.",
            unit="currencyUSD",
            steps=PLAIN,
            queries=(Query(select("tvl_usd"), "{{subject}}"),),
            width=8,
        ),
        TimeSeries(
            title="TVL, change over 48 h",
            description=f"Against 48 h ago. Dashed: a fall of {fall:.0%}, where its rule fires by default, and half of that.",
            unit="percentunit",
            steps=(Step(None, RED), Step(-fall, YELLOW), Step(-fall / 2, GREEN)),
            queries=(Query(select("tvl_change_48h_ratio"), "{{subject}}"),),
            width=8,
            line=True,
        ),
        TimeSeries(
            title="Funding, annualised",
            description=f"Newest settled funding a year; positive: longs pay shorts. Dashed: ±{spike:.0%}, from where it can be a spike.",
            unit="percentunit",
            steps=(Step(None, RED), Step(-spike, GREEN), Step(spike, RED)),
            queries=(Query(select("funding_annualised_ratio", venue=VENUE, asset=ASSET), "{{venue}} {{asset}}"),),
            width=8,
            line=True,
        ),
    )


def _layers() -> tuple[Panel, ...]:
    return (
        TimeSeries(
            title="Layers by state",
            description="Notional of the layers that live: proposed ones wait for a word, approved and active ones are in force.",
            unit="currencyUSD",
            steps=PLAIN,
            queries=(Query(f"sum by (position, state) ({select('layer_notional_usd', position=POSITION)})", "{{position}} {{state}}"),),
            empty="no layer lives",
            width=8,
            stacked=True,
        ),
        TimeSeries(
            title="Budget left",
            description="Share of each budget that new layers may still use.",
            unit="percentunit",
            steps=(Step(None, RED), Step(0.05, YELLOW), Step(0.25, GREEN)),
            queries=(Query(select("layer_budget_remaining_ratio"), "{{scope}}"),),
            empty="no session",
            low=0,
            high=1,
            width=8,
            line=True,
        ),
        TimeSeries(
            title="Gates that block",
            description="Proposals held now that each gate blocks. Above 0 a trigger asks for a layer and this gate says not now.",
            unit="short",
            steps=(Step(None, GREEN), Step(1, YELLOW)),
            queries=(Query(select("gate_blocked"), "{{gate}}"),),
            decimals=0,
            low=0,
            width=8,
        ),
    )


def _sources() -> tuple[Panel, ...]:
    return (
        StateTimeline(
            title="Sources",
            description="Whether each configured source is heard.",
            unit="short",
            steps=(Step(None, RED), Step(1, GREEN)),
            queries=(Query(select("source_up"), "{{source}}"),),
            texts={0: ("down", RED), 1: ("up", GREEN)},
            width=8,
        ),
        TimeSeries(
            title="Age of what sources said",
            description="Time since each source was last heard. Each has its own rhythm: a calendar may be hours old and well.",
            unit="s",
            steps=(Step(None, GREEN), Step(3600, YELLOW), Step(86400, RED)),
            queries=(Query(select("source_age_seconds"), "{{source}}"),),
            low=0,
            width=8,
        ),
        TimeSeries(
            title="Values refused at the door",
            description="Values each source gave since the start that were not plausible and are not used.",
            unit="short",
            steps=(Step(None, GREEN), Step(1, YELLOW)),
            queries=(Query(select("source_rejected_total"), "{{source}}"),),
            decimals=0,
            low=0,
            width=8,
        ),
    )


def _delivery() -> tuple[Panel, ...]:
    return (
        TimeSeries(
            title="Alerts told",
            description="Alerts since the start, by type. The heartbeat's line must keep climbing.",
            unit="short",
            steps=PLAIN,
            queries=(Query(f"sum by (type) ({select('alerts_total')})", "{{type}}"),),
            decimals=0,
            width=8,
        ),
        TimeSeries(
            title="Deliveries",
            description="Tries to deliver since the start, by channel and outcome.",
            unit="short",
            steps=PLAIN,
            queries=(Query(f"sum by (channel, outcome) ({select('deliveries_total')})", "{{channel}} {{outcome}}"),),
            decimals=0,
            width=8,
        ),
        TimeSeries(
            title="Outbox",
            description="Alerts that wait for delivery. None is dropped: a line that stays up means a channel that does not take them.",
            unit="short",
            steps=(Step(None, GREEN), Step(1, YELLOW), Step(10, RED)),
            queries=(Query(select("outbox_pending"), "waiting"),),
            decimals=0,
            low=0,
            width=8,
        ),
    )


def _engine() -> tuple[Panel, ...]:
    bucket = select("decision_seconds_bucket", RATE)
    return (
        Heatmap(
            title="Decision latency",
            description="How many events took how long, from their arrival to their decisions being recorded.",
            unit="s",
            steps=(Step(None, GREEN), Step(0.25, YELLOW), Step(1, RED)),
            queries=(Query(f"sum by (le) (increase({bucket}))", "{{le}}", format="heatmap"),),
            width=8,
        ),
        TimeSeries(
            title="Decision latency, quantiles",
            description="Half of the events take less than p50, 99 of 100 less than p99. Coarse: interpolated within the buckets.",
            unit="s",
            steps=(Step(None, GREEN), Step(0.25, YELLOW), Step(1, RED)),
            queries=tuple(Query(quantile(share, RATE), f"p{share * 100:g}") for share in (0.5, 0.95, 0.99)),
            width=8,
        ),
        TimeSeries(
            title="Event loop lag",
            description="How late the event loop woke last. Above half a second, something holds up everything else.",
            unit="s",
            steps=(Step(None, GREEN), Step(0.1, YELLOW), Step(0.5, RED)),
            queries=(Query(select("event_loop_lag_seconds"), "lag"),),
            low=0,
            width=8,
            line=True,
        ),
    )
