"""The method's first trigger: TVL falls while inflation rises, so a layer of protection is added."""

from dataclasses import dataclass
from typing import ClassVar

from monitor.core.rule import Class, Group, Input, Intent, Rule, Scope
from monitor.core.scope import MARKET
from monitor.core.units import iso
from monitor.core.verdict import Condition, State, Unknown, Verdict, all_of
from monitor.core.view import View

TVL = "tvl-drawdown"
MACRO = "macro-rising"
LATCHED = "latched: "


@dataclass(frozen=True, kw_only=True)
class DefiLayer(Rule):
    """METHOD 4.1: `tvl-drawdown` FIRED, and `macro-rising` FIRED now or at any time since that TVL episode began.

    The macro leg is latched until the TVL episode ends: a print that turns in the middle of a run does not undo the warning.
    """

    title: ClassVar[str] = "TVL falls while CPI or PPI rises"
    scope: ClassVar[Scope] = Scope.TVL
    groups: ClassVar[tuple[Group, ...]] = (Group.ONCHAIN, Group.FUNDAMENTAL)
    kind: ClassVar[Class] = Class.EVIDENCE
    needs: ClassVar[tuple[str, ...]] = (MACRO, TVL)

    def inputs(self, subject: str) -> tuple[Input, ...]:
        return (Input("tvl.usd", subject),)

    def judge(self, view: View, subject: str) -> Verdict:
        tvl, macro = self._leg(view, TVL, subject), self._macro_leg(view, subject)
        said = f"{tvl.reason}; {macro.reason}"
        how = "latched" if LATCHED in macro.reason else macro.state
        return all_of((tvl, macro), {State.FIRED: said, State.QUIET: said}, code=f"{tvl.state}+{how}")

    def over(self, view: View, subject: str, since: int) -> bool:
        """The exit of the TVL leg: its episode has ended."""
        return view.episode(TVL, subject) is None

    def intent(self, verdict: Verdict) -> Intent:
        return Intent(tier="short", actions=("short_perp", "top_up"))

    def _leg(self, view: View, rule: str, subject: str) -> Condition:
        verdict = view.verdict(rule, subject)
        if verdict is None or verdict.state is State.NOT_CONFIGURED:
            raise Unknown("missing", f"{rule} for {subject} is not judged")
        return Condition(rule, verdict.state, verdict.reason, verdict.value, verdict.threshold, verdict.distance, verdict.unit)

    def _macro_leg(self, view: View, subject: str) -> Condition:
        leg, episode, last = self._leg(view, MACRO, MARKET), view.episode(TVL, subject), view.last_fired(MACRO, MARKET)
        if leg.state is State.FIRED:
            return leg
        if episode is not None and last is not None and last > episode.since:
            reason = f"{LATCHED}a print was rising until {iso(last)}, after the TVL episode began {iso(episode.since)}"
            return Condition(MACRO, State.FIRED, reason, leg.value, leg.threshold, max(leg.distance or 0.0, 0.0), leg.unit)
        if episode is not None and leg.state is State.QUIET:
            reason = f"no print has been rising since the episode began {iso(episode.since)} ({leg.reason})"
            return Condition(MACRO, leg.state, reason, leg.value, leg.threshold, leg.distance, leg.unit)
        return leg
