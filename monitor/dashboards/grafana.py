"""The parts of a Grafana dashboard, typed: a panel without a title, unit, description or thresholds cannot be written.

The JSON is that of Grafana 11.6 (schema version 41); the tests read it back with Grafana's own schema for that version.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SCHEMA_VERSION = 41
COLUMNS = 24
KIND = "prometheus"
SOURCE = {"type": KIND, "uid": "${datasource}"}
TOOLTIP = {"mode": "multi", "sort": "desc"}

Json = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """From `value` on (in the panel's unit; None: from the bottom) the colour is this."""

    value: float | None
    color: str


@dataclass(frozen=True)
class Query:
    """An expression and how its series are named. `instant` asks for the newest value alone."""

    expr: str
    legend: str = "__auto"
    instant: bool = False
    format: str = "time_series"

    def json(self, ref: str) -> Json:
        return {
            "refId": ref,
            "datasource": SOURCE,
            "expr": self.expr,
            "legendFormat": self.legend,
            "instant": self.instant,
            "range": not self.instant,
            "format": self.format,
            "editorMode": "code",
        }


@dataclass(frozen=True, kw_only=True)
class Panel:
    """What every panel has. `unit` is a name Grafana knows, `width` and `height` are in cells of the grid, 24 to a line."""

    title: str
    description: str
    unit: str
    steps: tuple[Step, ...]
    queries: tuple[Query, ...]
    width: int = 12
    height: int = 8
    texts: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    decimals: int | None = None
    low: float | None = None
    high: float | None = None
    empty: str = ""

    kind = ""
    color: Mapping[str, str] = field(default_factory=lambda: {"mode": "thresholds"})

    def options(self) -> Json:
        return {}

    def custom(self) -> Json:
        return {}

    def json(self, number: int, x: int, y: int) -> Json:
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": SOURCE,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "targets": [query.json(chr(ord("A") + i)) for i, query in enumerate(self.queries)],
            "options": self.options(),
            "fieldConfig": {"defaults": self._defaults(), "overrides": []},
        }

    def _defaults(self) -> Json:
        given = {"decimals": self.decimals, "min": self.low, "max": self.high, "noValue": self.empty or None}
        return {
            "unit": self.unit,
            "color": dict(self.color),
            "thresholds": {"mode": "absolute", "steps": [{"value": step.value, "color": step.color} for step in self.steps]},
            "mappings": [self._mapping()] if self.texts else [],
            "custom": self.custom(),
            **{name: value for name, value in given.items() if value is not None},
        }

    def _mapping(self) -> Json:
        named = {str(value): {"text": text, "color": color, "index": i} for i, (value, (text, color)) in enumerate(self.texts.items())}
        return {"type": "value", "options": named}


@dataclass(frozen=True, kw_only=True)
class Stat(Panel):
    """One number; its colour is that of its threshold."""

    width: int = 6
    height: int = 4
    kind = "stat"

    def options(self) -> Json:
        return {
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "textMode": "auto",
            "wideLayout": True,
            "showPercentChange": False,
            "percentChangeColorMode": "standard",
            "orientation": "auto",
            "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": ""},
        }


@dataclass(frozen=True, kw_only=True)
class TimeSeries(Panel):
    """Lines over time. `line` draws the thresholds into the graph; `stacked` sets the series on each other."""

    line: bool = False
    stacked: bool = False
    kind = "timeseries"
    color: Mapping[str, str] = field(default_factory=lambda: {"mode": "palette-classic-by-name"})

    def options(self) -> Json:
        legend = {"showLegend": True, "displayMode": "table", "placement": "right", "calcs": ["lastNotNull"]}
        return {"legend": legend, "tooltip": TOOLTIP}

    def custom(self) -> Json:
        return {
            "drawStyle": "line",
            "lineInterpolation": "stepAfter",
            "lineWidth": 1,
            "fillOpacity": 30 if self.stacked else 0,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "dashed" if self.line else "off"},
        }


@dataclass(frozen=True, kw_only=True)
class StateTimeline(Panel):
    """A bar for each series, coloured by the text of its value."""

    kind = "state-timeline"

    def options(self) -> Json:
        legend = {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []}
        shown = {"mergeValues": True, "alignValue": "left", "rowHeight": 0.8, "showValue": "never"}
        return {**shown, "legend": legend, "tooltip": {"mode": "single", "sort": "none"}}

    def custom(self) -> Json:
        return {"lineWidth": 0, "fillOpacity": 80}


@dataclass(frozen=True, kw_only=True)
class Heatmap(Panel):
    """The buckets of a histogram over time. `unit` is that of the buckets; the colour counts what fell into each."""

    kind = "heatmap"

    def options(self) -> Json:
        return {
            "calculate": False,
            "cellGap": 1,
            "color": {
                "mode": "scheme",
                "scheme": "Oranges",
                "scale": "exponential",
                "exponent": 0.5,
                "steps": 64,
                "reverse": False,
                "fill": "orange",
            },
            "cellValues": {"unit": "short"},
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"},
            "showValue": "never",
            "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": False},
            "yAxis": {"unit": self.unit, "axisPlacement": "left", "reverse": False},
        }


@dataclass(frozen=True)
class Row:
    """A headline and the panels under it, set from left to right in lines of 24 cells."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Variable:
    """A choice among the values of a label; several may be chosen, at first all."""

    name: str
    label: str
    query: str
    description: str

    def json(self) -> Json:
        return {
            "type": "query",
            "name": self.name,
            "label": self.label,
            "description": self.description,
            "datasource": SOURCE,
            "query": {"query": self.query, "refId": self.name},
            "includeAll": True,
            "allValue": ".*",
            "multi": True,
            "refresh": 2,
            "sort": 1,
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
            "options": [],
        }


@dataclass(frozen=True)
class Annotation:
    """Instants at which an expression is there, marked over every panel."""

    name: str
    color: str
    expr: str
    title: str
    shown: bool = True

    def json(self) -> Json:
        shared = {"name": self.name, "datasource": SOURCE, "enable": self.shown, "iconColor": self.color, "expr": self.expr}
        return {**shared, "step": "15s", "titleFormat": self.title, "textFormat": "{{type}}", "tagKeys": "type", "useValueForTime": False}


@dataclass(frozen=True)
class Dashboard:
    """A dashboard. `uid` is its address in Grafana and the name of its file."""

    uid: str
    title: str
    description: str
    tags: Sequence[str]
    rows: Sequence[Row]
    variables: Sequence[Variable]
    annotations: Sequence[Annotation]

    def json(self) -> Json:
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": list(self.tags),
            "schemaVersion": SCHEMA_VERSION,
            "editable": False,
            "graphTooltip": 1,
            "refresh": "10s",
            "timezone": "utc",
            "time": {"from": "now-6h", "to": "now"},
            "templating": {"list": [_sources(), *(variable.json() for variable in self.variables)]},
            "annotations": {"list": [annotation.json() for annotation in self.annotations]},
            "panels": list(self._panels()),
        }

    def text(self) -> str:
        return json.dumps(self.json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def _panels(self) -> Iterator[Json]:
        number = y = 0
        for row in self.rows:
            number += 1
            place = {"h": 1, "w": COLUMNS, "x": 0, "y": y}
            yield {"id": number, "type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []}
            x, y, tallest = 0, y + 1, 0
            for panel in row.panels:
                if x + panel.width > COLUMNS:
                    x, y, tallest = 0, y + tallest, 0
                number += 1
                yield panel.json(number, x, y)
                x, tallest = x + panel.width, max(tallest, panel.height)
            y += tallest


def _sources() -> Json:
    description = "The Prometheus that scrapes the monitor."
    return {
        "type": "datasource",
        "name": "datasource",
        "label": "Prometheus",
        "description": description,
        "query": KIND,
        "refresh": 1,
        "options": [],
    }
