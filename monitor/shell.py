"""What the running daemon knows beyond the engine: recent decisions, the chart, timings, the outbox. One moment of it feeds page, API and metrics."""

from collections import Counter
from collections.abc import Callable, Sequence

from monitor import __version__
from monitor.clock import Clock
from monitor.core.effects import Effect
from monitor.core.events import Event
from monitor.daemon import Daemon
from monitor.pipeline import Pipeline
from monitor.sinks.chart import Chart
from monitor.sinks.decisions import Decisions
from monitor.sinks.facts import COMMAND, AlertFact, ShellFacts, Story, Timings
from monitor.sinks.view_model import view_model

SHOWN_ALERTS = 100
LATE_MS = 60_000
STATES = {"waiting": "pending", "delivered": "delivered", "failed": "failing", "silenced": "silenced"}


class Shell:
    """Gathers facts from a pipeline and, while one runs, from its daemon."""

    def __init__(self, pipeline: Pipeline, clock: Clock, *, command: str = COMMAND, notice: str = "", story: Story | None = None) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._command, self._notice, self._story = command, notice, story
        self._started_at = clock.now_ms()
        self._decisions = Decisions()
        self._chart = Chart()
        self._timings = Timings()
        self.deliveries: Callable[[], Counter[tuple[str, str]]] = Counter
        self.daemon: Daemon | None = None

    def recall(self) -> None:
        """Take in what was decided before this start."""
        self._decisions.note(effect for _, effect in self._pipeline.store.effects())

    def show(self, event: Event, effects: Sequence[Effect]) -> None:
        """What the pipeline calls after each commit."""
        self._decisions.note(effects)

    def timed(self, seconds: float) -> None:
        """One decision took this long, commit included."""
        self._timings.observe(seconds)

    def trouble(self) -> str:
        """Why the daemon is not deciding; empty while it is."""
        if self.daemon is None:
            return "starting: the history is being read"
        if self.daemon.waiting_for:
            return self.daemon.waiting_for
        due, now = self._pipeline.engine.due_at(), self.daemon.feed.now_ms()
        late_ms = now - due if due is not None and self._story is None else 0
        return f"{late_ms / 1000:.0f} s late with a decision that is due" if late_ms > LATE_MS else ""

    def model(self) -> dict[str, object]:
        """The view model of this moment."""
        return view_model(self._pipeline.engine, self.facts())

    def facts(self) -> ShellFacts:
        engine, store = self._pipeline.engine, self._pipeline.store
        pending, oldest = store.outbox.backlog()
        wall, daemon = self._clock.now_ms(), self.daemon
        return ShellFacts(
            wall_now_ms=wall,
            started_at=self._started_at,
            version=__version__,
            clock_ms=daemon.feed.now_ms() if daemon is not None else None,
            command=self._command,
            notice=self._notice,
            story=self._story,
            outbox_pending=pending,
            outbox_oldest_seconds=None if oldest is None else max(0.0, (wall - oldest) / 1000),
            deliveries=self.deliveries(),
            alerts=self._alerts(),
            alerts_by_type=self._decisions.alerts_by_type,
            decisions=self._decisions.recent(),
            decision_seconds=self._timings if daemon is not None else None,
            loop_lag_seconds=daemon.loop_lag_seconds if daemon is not None else None,
            clock_skew_seconds=_clock_skew_seconds(daemon),
            clock_trouble=daemon.hour.trouble() if daemon is not None and daemon.hour is not None else "",
            collect_seconds=daemon.collect_seconds if daemon is not None else {},
            chart=self._chart.draw(engine, self._decisions.marks()),
        )

    def _alerts(self) -> list[AlertFact]:
        store = self._pipeline.store
        recent = store.alerts(SHOWN_ALERTS)
        statuses = store.outbox.statuses([alert.id for alert in recent])
        return [
            AlertFact(a.id, a.at, a.type, a.severity, a.summary, _worst(statuses.get(a.id, {})), channel=", ".join(sorted(statuses.get(a.id, {}))))
            for a in recent
        ]


def _clock_skew_seconds(daemon: Daemon | None) -> float | None:
    skew_ms = daemon.hour.skew_ms if daemon is not None and daemon.hour is not None else None
    return None if skew_ms is None else skew_ms / 1000


def _worst(by_channel: dict[str, str]) -> str:
    found = {STATES[status] for status in by_channel.values()}
    return next((state for state in ("failing", "pending", "silenced", "delivered") if state in found), "none")
