"""Part of the view model: the risk of the book as a whole, its positions and the layers in force together."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from monitor.core.implied import scenario_now
from monitor.core.market_beta import book_beta
from monitor.core.prospects import book_capital
from monitor.core.risk import SHOCK_SIGMAS, adverse_scenario, book_exposure, book_greeks, moves, stressed_exposure_usd
from monitor.core.tail import Tail, historical_tail, scenario_tail
from monitor.core.tokens import STABLES
from monitor.core.verdict import Unknown
from monitor.core.view import View
from monitor.core.volatility import HORIZON_DAYS
from monitor.sinks.position_view import not_known
from monitor.sinks.prospect_view import capital_view
from monitor.sinks.shapes import present

Result = TypeVar("Result")


class Attempts:
    """Each part by itself: one that cannot be known says why under its name, and hides no other."""

    def __init__(self) -> None:
        self.unknown: dict[str, str] = {}

    def __call__(self, name: str, compute: Callable[[], Result]) -> Result | None:
        try:
            return compute()
        except Unknown as why:
            self.unknown[name] = why.reason
            return None


def risk_view(view: View) -> dict[str, Any]:
    """Greeks by asset, the loss at 1.5 sigma, the tail of one day and the beta to the S&P 500. Empty for a book without positions."""
    if not view.settings.positions:
        return {}
    attempt = Attempts()
    parts = present(
        greeks=attempt("greeks", lambda: _greeks(view)),
        stress=attempt("stress", lambda: _stress(view)),
        historical=attempt("historical", lambda: _tail(historical_tail(view))),
        scenario=attempt("scenario", lambda: _tail(scenario_tail(view))),
        beta=attempt("beta", lambda: _beta(view)),
        capital=attempt("capital", lambda: capital_view(book_capital(view))),
    )
    return {**parts, **present(unknown=attempt.unknown or None)}


def _greeks(view: View) -> dict[str, dict[str, float]] | None:
    """By asset, stablecoins left out, what there is of gamma and vega; the net delta stands beside."""
    found = {}
    for asset, one in book_greeks(view).items():
        bent = present(gamma_usd=one.gamma_usd or None, vega_usd=one.vega_usd or None)
        if bent and asset not in STABLES:
            found[asset] = bent
    return found or None


def _stress(view: View) -> dict[str, Any]:
    """The adverse 1.5 sigma move over 7 days: what it costs without layers and with those in force."""
    both = moves(view)
    whole = book_exposure(view)
    there = adverse_scenario(view, whole.assets)
    protected = float(whole.value_usd(scenario_now(view, whole.assets))) - float(whole.value_usd(there))
    return {
        "sigmas": SHOCK_SIGMAS,
        "days": HORIZON_DAYS,
        "direction": "fall" if both.sign < 0 else "rise",
        "moves": {asset: float(there.price(asset)) / view.price_usd(asset) - 1 for asset in sorted(whole.assets - STABLES)},
        "loss_usd": both.loss_usd,
        "protected_loss_usd": protected,
        "exposure_usd": stressed_exposure_usd(view),
    }


def part_stress(part: View) -> dict[str, float] | None:
    """What the positions of `part`, a book of which some are left out, lose in a fall and in a rise, without layers. None where not known.

    Both, since what is left out may turn which of them is adverse.
    """
    try:
        both = moves(part)
    except Unknown:
        return None
    return {"sigmas": SHOCK_SIGMAS, "days": HORIZON_DAYS, "fall_usd": both.fall_usd, "rise_usd": both.rise_usd}


def _tail(tail: Tail) -> dict[str, Any]:
    return {
        "var_95_usd": tail.var_usd[95],
        "var_99_usd": tail.var_usd[99],
        "es_95_usd": tail.es_usd[95],
        "es_99_usd": tail.es_usd[99],
        "states": len(tail.names),
        "worst": tail.worst,
        **present(still=list(tail.still) or None),
    }


def _beta(view: View) -> dict[str, float]:
    beta = book_beta(view)
    return {"value": beta.value, "standard_error": beta.error, "sessions": beta.sessions}


def says(book: Mapping[str, Any]) -> list[str]:
    """The book in words: equity, net delta, what a bad week and a bad day would cost, what moves it, how much is protected."""
    risk = book.get("risk", {})
    said = [_equity(book)]
    if "net_delta_usd" in book:
        partly = f" of {book['positions'] - len(book['unvalued'])} of {book['positions']} positions" if book.get("unvalued") else ""
        said.append(f"Net delta{partly}: " + ", ".join(f"{asset} {usd:+,.0f} USD" for asset, usd in book["net_delta_usd"].items()))
    if "stress" in risk:
        said.append(_bad_week(risk["stress"]))
    if "valued_stress" in book:
        said.append(_part_week(book["valued_stress"], book["unvalued"]))
    if risk.get("historical", {}).get("states", 0) > 1:
        said.append(_bad_day(risk["historical"]))
    if "scenario" in risk:
        worst = risk["scenario"]
        said.append(f"Of the named stress days and sigma moves the worst, {worst['worst']}, would {_comes_to(worst['es_99_usd'])} today")
    if "beta" in risk:
        said.append(f"Beta to the S&P 500 {risk['beta']['value']:.2f}, give or take {risk['beta']['standard_error']:.2f}")
    if "capital" in risk:
        said += _capital(risk["capital"])
    if "protected_ratio" in book:
        said.append(f"Protected: {book['protected_ratio']:.0%} of what would lose in the adverse direction")
    return said + not_known(risk.get("unknown", {}))


def _equity(book: Mapping[str, Any]) -> str:
    if "equity_usd" in book:
        return f"Equity {book['equity_usd']:,.0f} USD"
    return f"Equity not known, for want of {', '.join(book.get('unvalued', ()))}"


def _bad_week(stress: Mapping[str, Any]) -> str:
    move = f"A {stress['direction']} of {stress['sigmas']:g} sigma in {stress['days']:.0f} days would {_comes_to(stress['loss_usd'])}"
    hedged = stress["protected_loss_usd"]
    return move if hedged == stress["loss_usd"] else f"{move} without layers, and {_comes_to(hedged)} with those in force"


def _part_week(stress: Mapping[str, Any], without: list[str]) -> str:
    move = f"a fall of {stress['sigmas']:g} sigma in {stress['days']:.0f} days would {_comes_to(stress['fall_usd'])}"
    missing = ", ".join(without)
    return f"Without {missing}: {move}, a rise {_comes_to(stress['rise_usd'])}, layers left out; what {missing} would add or take is not known"


def _comes_to(loss_usd: float) -> str:
    return f"cost {loss_usd:,.0f} USD" if loss_usd >= 0 else f"bring {-loss_usd:,.0f} USD"


def _capital(capital: Mapping[str, Any]) -> list[str]:
    named = {
        "wacc": "its capital costs {:.2%} a year (WACC)",
        "native_yield": "it earns {:.2%} by itself",
        "capm_return": "it ought to earn {:.2%} (CAPM)",
    }
    parts = [words.format(capital[name]) for name, words in named.items() if name in capital]
    sentence = ", ".join(parts)
    said = [f"{sentence[0].upper()}{sentence[1:]}"] if parts else []
    return said + not_known(capital.get("unknown", {}))


def _bad_day(tail: Mapping[str, Any]) -> str:
    at_risk = f"VaR {tail['var_95_usd']:,.0f} USD at 95%, {tail['var_99_usd']:,.0f} at 99%"
    shortfall = f"expected shortfall {tail['es_99_usd']:,.0f} at 99%"
    return f"One day like the last {tail['states']:,} that are known: {at_risk}; {shortfall}; the worst was {tail['worst']}"
