"""No signal into a print: prices jump at the release of CPI, PPI and the FOMC's decision, whatever the chart said before."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from monitor.core.rule import Class, Gate, Outcome, Ruling, blocks, passes
from monitor.core.schedule import scheduled
from monitor.core.units import DAY, HOUR, Duration, iso
from monitor.core.verdict import State, Unknown, Verdict
from monitor.core.view import View

if TYPE_CHECKING:
    from monitor.core.proposal import Proposal

EVENT = "macro.event"
EVENTS = ("CPI", "FOMC", "PPI")
PRINT_OF = {"CPI": "macro.cpi", "PPI": "macro.ppi"}


class Release(NamedTuple):
    """One scheduled release or decision; `at` in epoch milliseconds."""

    event: str
    at: int


@dataclass(frozen=True, kw_only=True)
class MacroBlackout(Gate):
    """ALVH: from 24 h before to 2 h after CPI, PPI and FOMC, as scheduled at that time, a signal is blocked and evidence halved;
    both edges count.

    A source of the user's own wins over the built-in calendar: for FOMC on the same UTC day, for CPI and PPI, which come once a month, in
    the same UTC month. A print that the proposal itself stands on does not open its own window. Without a calendar, or with nothing ahead
    in it, a signal cannot be judged; evidence passes and says so. The exemption for MACD and breadth that had fired before waits for the
    breadth triggers, which do not exist yet.
    """

    title: ClassVar[str] = "No signal from 24 h before to 2 h after CPI, PPI and FOMC"
    rank: ClassVar[int] = 20

    before: Duration = 24 * HOUR
    after: Duration = 2 * HOUR
    ahead: Duration = 60 * DAY

    def __post_init__(self) -> None:
        if min(self.before, self.after) < 0 or self.ahead <= self.before:
            why = "before and after cannot be negative, and ahead must be longer than before"
            raise ValueError(f"{why}: write before: 24h, after: 2h, ahead: 60d, say")

    def judge(self, view: View, proposal: "Proposal") -> Ruling:
        """Raises Unknown for a signal when the calendar is missing or has run out."""
        if proposal.kind == Class.SAFETY:
            return passes("safety does not wait for a print")
        schedule = [Release(event, at) for event in EVENTS for at in scheduled(view, event)]
        self._wake(view, schedule)
        inside = [r for r in schedule if r.at - self.before <= view.now <= r.at + self.after]
        opened = [r for r in inside if not self._is_own_print(proposal, r)]
        if opened:
            return _shut(proposal, opened)
        own = f"the print of {_names(inside)} is one of its own legs; " if inside else ""
        return passes(own + self._outside(view, proposal, schedule))

    def _outside(self, view: View, proposal: "Proposal", schedule: list[Release]) -> str:
        ahead = [r for r in schedule if view.now < r.at <= view.now + self.ahead]
        if not ahead:
            why = f"the calendar shows no release in the next {self.ahead / DAY:g} days" if schedule else "no calendar of releases is known"
            if proposal.kind == Class.SIGNAL:
                raise Unknown("calendar", why)
            return f"{why}: no window can be seen, evidence passes"
        silent = [event for event in EVENTS if not view.sources(EVENT, event)]
        note = f" (no schedule of {', '.join(silent)} is known)" if silent else ""
        return f"the next release is {_names([min(ahead, key=lambda r: r.at)])}{note}"

    def _wake(self, view: View, schedule: list[Release]) -> None:
        for release in schedule:
            view.wake(release.at - self.before)
            view.wake(release.at + self.after + 1)
            view.wake(release.at - self.ahead)

    def _is_own_print(self, proposal: "Proposal", release: Release) -> bool:
        metric = PRINT_OF.get(release.event)
        opens, ends = release.at - self.before, release.at + self.after
        return any(e.metric == metric and opens <= e.known_at <= ends for e in proposal.evidence)


def _shut(proposal: "Proposal", opened: list[Release]) -> Ruling:
    if proposal.kind == Class.SIGNAL:
        return blocks(f"inside the blackout of {_names(opened)}")
    return Ruling(Outcome.HALVE, Verdict(State.FIRED, f"halved: inside the blackout of {_names(opened)}"))


def _names(releases: list[Release]) -> str:
    return ", ".join(f"{release.event} at {iso(release.at)}" for release in sorted(releases, key=lambda r: r.at))
