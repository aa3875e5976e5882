"""Part of the view model: what a layer would return, where a position breaks even, and what the book's capital costs."""

from typing import Any

from monitor.core.breakeven import BreakEven, SyntheticBreakEven
from monitor.core.layer_return import Prospect
from monitor.core.proposal import Proposal
from monitor.core.prospects import CapitalView, layer_outlook
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.sinks.shapes import present


def returns_view(view: View, proposal: Proposal) -> dict[str, Any]:
    """Returns in the paths of the horizon, break-evens, and both again in thin markets; or why they are not known."""
    try:
        outlook = layer_outlook(view, proposal)
    except Unknown as why:
        return {"returns_unknown": why.reason}
    lens = [{"depth_down": down, **_prospect(thin)} for down, thin in sorted(outlook.lens.items())]
    found = _prospect(outlook.prospect)
    for path, offset in zip(found["paths"], outlook.offsets, strict=False):
        path.update(present(loss_usd=offset.loss_usd, loss_offset=offset.ratio))
    return {"returns": {**found, "lens": lens, "iv_basis": outlook.basis, **present(loss_offset_unknown=outlook.offsets_unknown or None)}}


def _prospect(found: Prospect) -> dict[str, Any]:
    paths = [
        {
            "sigmas": layer.sigmas,
            "price_usd": layer.price_usd,
            "layer_usd": layer.gain_usd,
            "layer_return": layer.earned.value,
            "hedged_usd": hedged.gain_usd,
            "hedged_return": hedged.earned.value,
            "kind": layer.earned.kind,
        }
        for layer, hedged in zip(found.layer, found.hedged, strict=True)
    ]
    return {"cost_usd": found.expense.usd, "paths": paths, "break_even": break_even_view(found.break_even)}


def break_even_view(found: SyntheticBreakEven) -> dict[str, Any]:
    """Prices alone, with layers as if they were free, and with their cost; with how many there are in the bounds that were searched."""
    return {"alone": _prices(found.alone), "with_layers": _prices(found.with_layers), "with_cost": _prices(found.with_cost)}


def _prices(found: BreakEven) -> dict[str, Any]:
    touched = {"touches_usd": list(found.touches)} if found.touches else {}
    return {"count": found.count, "prices_usd": list(found.prices), **touched}


def capital_view(found: CapitalView) -> dict[str, Any]:
    return present(
        risk_free=found.risk_free.rate,
        risk_free_source=found.risk_free.source,
        wacc=found.wacc,
        native_yield=found.native_yield,
        capm_return=found.capm_return,
        unknown=dict(found.unknown) or None,
    )
