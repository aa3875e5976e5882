"""The plain shapes that verdicts, evidence and gate results take in the view model: JSON-ready, and what is not known is absent."""

from collections.abc import Iterable, Mapping
from typing import Any

from monitor.core.proposal import GateResult, Proposal
from monitor.core.verdict import Condition, Evidence, Verdict
from monitor.core.vocabulary import find_metric

LARGEST_EXACT_FLOAT = 2**53
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def counted(count: int, noun: str) -> str:
    """`three triggers`, `one trigger`, `12 triggers`."""
    return f"{WORDS[count] if count < len(WORDS) else count} {noun}{'' if count == 1 else 's'}"


def present(**fields: object) -> dict[str, Any]:
    """The fields that have a value: None and empty text are left out, a 0 that was computed stays."""
    return {name: value for name, value in fields.items() if value is not None and value != ""}


def numbers(judged: Verdict | Condition) -> dict[str, Any]:
    """Verdict, value, threshold, distance and reason: the fields that a rule and each of its legs share."""
    return present(
        verdict=str(judged.state),
        value=judged.value,
        threshold=judged.threshold,
        distance=judged.distance,
        unit=judged.unit,
        reason=judged.reason,
    )


def conditions(parts: Iterable[Condition]) -> list[dict[str, Any]]:
    return [{"name": part.name, **numbers(part)} for part in parts]


def evidence(points: Iterable[Evidence], now: int) -> list[dict[str, Any]]:
    """Each value that was read, with its age at `now`; chain integers beyond 2^53 as decimal text, which loses nothing."""
    return [
        present(
            metric=point.metric,
            subject=point.subject,
            source=point.source,
            at=point.at,
            known_at=point.known_at,
            value=str(point.value) if isinstance(point.value, int) and abs(point.value) > LARGEST_EXACT_FLOAT else point.value,
            unit=row.unit if (row := find_metric(point.metric)) is not None else None,
            age_seconds=max(0.0, (now - point.at) / 1000),
            block_hash=point.block_hash,
        )
        for point in points
    ]


def gates(results: Iterable[GateResult]) -> list[dict[str, Any]]:
    return [
        present(
            gate=result.gate,
            outcome=str(result.outcome),
            verdict=str(result.state),
            reason=result.reason,
            factor=result.factor if result.factor != 1.0 else None,
            limit_usd=result.limit_usd,
        )
        for result in results
    ]


def proposal(asked: Proposal) -> dict[str, Any]:
    """What was asked for. A proposal that could not be sized has no instrument, and then no notional either."""
    named: dict[str, Any] = present(
        position=asked.position,
        rule=asked.rule,
        subject=asked.subject,
        tier=asked.tier,
        action=asked.action,
        instrument=asked.instrument,
        asset=asked.asset,
        binding=asked.binding,
        basis=asked.basis,
    )
    if asked.instrument:
        named |= sized(asked)
    return named


def sized(asked: Proposal) -> Mapping[str, Any]:
    return {
        "notional_usd": asked.notional_usd,
        "capital_usd": asked.capital_usd,
        "cost_usd": asked.cost_usd,
        "cost_source": asked.cost_source,
        "horizon_days": asked.horizon_ms / 86_400_000,
        "position_value_usd": asked.position_value_usd,
    }
