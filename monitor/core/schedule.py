"""The instants of releases and decisions, as scheduled by what is known now."""

from collections.abc import Iterator, Mapping

from monitor.core.prints import BUILT_IN, CALENDAR
from monitor.core.units import iso
from monitor.core.verdict import Unknown
from monitor.core.view import View


def scheduled(view: View, event: str) -> Iterator[int]:
    """Instants of CPI, PPI or FOMC that stand, in epoch milliseconds, of every calendar; empty where there is none.

    A source of the user's own wins over the built-in calendar: for FOMC on the same UTC day, for CPI and PPI, which come once a month, in the
    same UTC month.
    """
    calendars = {source: _calendar(view, event, source) for source in view.sources(CALENDAR, event)}
    taken = {_slot(event, at) for source, rows in calendars.items() if source != BUILT_IN for at in rows}
    for source, rows in calendars.items():
        for at, (value, _) in rows.items():
            if value == 1 and (source != BUILT_IN or _slot(event, at) not in taken):
                yield at


def _calendar(view: View, event: str, source: str) -> Mapping[int, tuple[float, int]]:
    try:
        return view.revisions(CALENDAR, event, source)
    except Unknown:
        return {}


def _slot(event: str, at: int) -> str:
    """What two calendars must share to speak of the same release."""
    return iso(at)[: len("2022-05-11")] if event == "FOMC" else iso(at)[: len("2022-05")]
