"""Plug-ins: one file each, found by file name, never listed anywhere."""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter

from monitor.core.rule import Gate, Rule
from monitor.core.settings import PlugIn

Plugin = TypeVar("Plugin")


@cache
def plugins(package: str, base: type[Plugin]) -> dict[str, type[Plugin]]:
    """The plug-in classes of one package by id (`tvl_drawdown.py` is `tvl-drawdown`), in alphabetical order.

    Each module holds exactly one subclass of `base`; a module without one, or with two, is a TypeError that names it.
    """
    found: dict[str, type[Plugin]] = {}
    paths = importlib.import_module(package).__path__
    for module_info in sorted(pkgutil.iter_modules(paths), key=lambda info: info.name):
        if module_info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package}.{module_info.name}")
        own = [v for v in vars(module).values() if isinstance(v, type) and issubclass(v, base) and v.__module__ == module.__name__]
        if len(own) != 1:
            raise TypeError(f"{module.__name__} must define exactly one {base.__name__}, it defines {len(own)}")
        found[module_info.name.replace("_", "-")] = own[0]
    return found


_adapters: dict[type, TypeAdapter[Any]] = {}


def _adapter(cls: type) -> TypeAdapter[Any]:
    if cls not in _adapters:
        _adapters[cls] = TypeAdapter(cls)
    return _adapters[cls]


def build(cls: type[Plugin], settings: object) -> Plugin:
    """One plug-in from its settings. Raises pydantic.ValidationError, which config.py turns into lines with places."""
    return cast(Plugin, _adapter(cls).validate_python(settings))


def settings_of(plugin: object) -> dict[str, Any]:
    """The settings of a plug-in in inner units, JSON-ready, defaults included: what the rule-set hash is made of."""
    return cast(dict[str, Any], _adapter(type(plugin)).dump_python(plugin, mode="json"))


class Catalogue:
    """The rules and gates that exist, built from their settings."""

    @property
    def rules(self) -> dict[str, type[Rule]]:
        return plugins("monitor.rules", Rule)

    @property
    def gates(self) -> dict[str, type[Gate]]:
        return plugins("monitor.gates", Gate)

    def rule(self, rule_id: str, settings: Mapping[str, Any]) -> Rule:
        """Raises KeyError for a rule that does not exist (any more)."""
        return build(self.rules[rule_id], settings)

    def gate(self, gate_id: str, settings: Mapping[str, Any]) -> Gate:
        return build(self.gates[gate_id], settings)

    def defaults(self) -> tuple[dict[str, PlugIn], dict[str, PlugIn]]:
        """Every rule and every gate with its default settings."""
        rules = {rule_id: PlugIn(settings=settings_of(cls())) for rule_id, cls in self.rules.items()}
        gates = {gate_id: PlugIn(settings=settings_of(cls())) for gate_id, cls in self.gates.items()}
        return rules, gates
