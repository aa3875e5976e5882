"""What the brain holds while it thinks: the market, the state, what is in force; and the one way in which it records anything."""

from collections.abc import Iterable, Mapping
from typing import Any

from monitor.core.codec import digest, plain
from monitor.core.effects import Alerted, Effect, LayerMoved
from monitor.core.market import Market
from monitor.core.rule import Gate, Rule
from monitor.core.settings import Settings
from monitor.core.state import Instance, State
from monitor.core.units import DAY
from monitor.core.view import View

REARM_MS = 14 * DAY


class Mind:
    """What there is to think with.

    `now` is the newest event's time; `rules` stand in the order in which they are judged; `dues` is when each wants to be judged without any news.
    """

    def __init__(self) -> None:
        self.market = Market()
        self.state = State()
        self.settings = Settings()
        self.rules: dict[Instance, Rule] = {}
        self.gates: tuple[Gate, ...] = ()
        self.now = 0
        self.dues: dict[Instance, int] = {}
        self.effects: list[Effect] = []

    def emit(self, effect: Effect) -> None:
        """Record an effect and fold it at once."""
        self.state.fold(effect)
        self.effects.append(effect)
        if isinstance(effect, LayerMoved):
            self._arm_uncovered(effect.id)

    def _arm_uncovered(self, layer_id: str) -> None:
        """An old episode that lost its layer arms again, and no news will tell: its rule is due now."""
        layer = self.state.ledger.get(layer_id)
        if layer is None or layer.live:
            return
        instance = Instance(layer.proposal.rule, layer.proposal.subject)
        episode = self.state.episodes.get(instance)
        if episode is not None and self.now >= episode.since + REARM_MS and instance in self.rules:
            self.dues[instance] = self.now

    def alert(self, kind: str, key: Iterable[object], severity: str, summary: str, data: Mapping[str, Any]) -> None:
        """Tell something, with all that a receiver needs. The id is made of `key`: saying the same thing twice is saying it once."""
        alert_id = "msg_" + digest([kind, *key])[:24]
        complete = {**data, "status": "confirmed", "rule_set": self.settings.rule_set}
        self.emit(Alerted(self.now, alert_id, kind, severity, summary, self.state.alerts + 1, plain(complete)))

    def view(self) -> View:
        return View(self.market, self.state, self.now, self.settings)
