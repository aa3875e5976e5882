"""What a benchmark gives, and the table of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Options:
    """A folder that goes away, how often to measure, and how long `run` is watched."""

    folder: Path
    runs: int
    minutes: float


@dataclass(frozen=True)
class Figure:
    """One thing measured several times. `at_most` is a budget for the median; `peer` is the same of something else, by name."""

    name: str
    unit: str
    values: Sequence[float]
    at_most: float | None = None
    peer: tuple[str, Sequence[float]] | None = None
    peer_at_most: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """This over its peer, by their medians."""
        return median(self.values) / median(self.peer[1]) if self.peer else None

    @property
    def verdict(self) -> str:
        """Whether the budgets held; empty where there is none."""
        limits = [(median(self.values), self.at_most), (self.ratio, self.peer_at_most)]
        asked = [(value, limit) for value, limit in limits if value is not None and limit is not None]
        if not asked:
            return ""
        return "held" if all(value <= limit for value, limit in asked) else "over budget"


HEADINGS = ("", "unit", "min", "median", "max", "budget", "", "peer", "median", "ratio")


def table(figures: Sequence[Figure]) -> Iterator[str]:
    """A line a figure, then what there is to say of them."""
    rows = [HEADINGS, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    for row in rows:
        yield "  ".join(
            cell.ljust(width) if column in (0, 1, 6, 7) else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
    yield ""
    yield from (f"{figure.name}: {figure.note}" for figure in figures if figure.note)


def _row(figure: Figure) -> tuple[str, ...]:
    least, middle, most = (_number(value) for value in (min(figure.values), median(figure.values), max(figure.values)))
    limits = [_number(figure.at_most)] if figure.at_most is not None else []
    limits += [f"{figure.peer_at_most:.2f} x peer"] if figure.peer_at_most is not None else []
    peer, against = (figure.peer[0], _number(median(figure.peer[1]))) if figure.peer else ("", "")
    ratio = f"{figure.ratio:.2f}" if figure.ratio is not None else ""
    return figure.name, figure.unit, least, middle, most, ", ".join(limits), figure.verdict, peer, against, ratio


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
