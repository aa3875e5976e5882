"""The configuration: one YAML file and the environment, read into frozen settings, every mistake named at once with its place."""

from monitor.config.load import load
from monitor.config.model import (
    ALERT_TYPES,
    Alerts,
    Catalogue,
    Channel,
    Config,
    RuleEntry,
    Server,
    Store,
    decision_settings,
    discover,
    rule_settings,
)
from monitor.config.schema import json_schema
from monitor.config.starter import starter

__all__ = [
    "ALERT_TYPES",
    "Alerts",
    "Catalogue",
    "Channel",
    "Config",
    "RuleEntry",
    "Server",
    "Store",
    "decision_settings",
    "discover",
    "json_schema",
    "load",
    "rule_settings",
    "starter",
]
