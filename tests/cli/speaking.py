"""What the tests of commands share: the program called as the console script does, and a store with something in it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from monitor.__main__ import main
from monitor.core.delivery import DELIVERED, Attempt, Delivery
from monitor.core.effects import Alerted, LayerMoved
from monitor.core.events import Tick
from monitor.core.proposal import GateResult, Proposal
from monitor.pipeline import message
from monitor.store.sqlite import SqliteStore

NOW = 1_750_000_000_000
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@dataclass(frozen=True)
class Said:
    """What a command said, and the code it left with."""

    out: str
    err: str
    code: int


Speak = Callable[..., Said]


def speaker(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Speak:
    """`speak("alerts", "list")` runs `hedge-monitor --config ... alerts list` on the store in the folder."""
    file = folder / "hedge-monitor.yaml"
    channel = f"{{url: 'http://127.0.0.1:9/', secret: {SECRET}}}"
    file.write_text(f"alerts: {{channels: {{phone: {channel}}}}}\nstore: {{url: 'sqlite:///{folder}/monitor.db'}}\n")
    file.chmod(0o600)

    def speak(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["hedge-monitor", "--config", str(file), *words])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return Said(out, err, left.value.code if isinstance(left.value.code, int) else 0)

    return speak


def alert(name: str = "msg_one", kind: str = "trigger.fired", severity: str = "warning") -> Alerted:
    return Alerted(NOW, name, kind, severity, "TVL fell by 9%", 1, {"rule": "tvl-drawdown", "subject": "chain:base", "status": "confirmed"})


def proposal() -> Proposal:
    return Proposal(
        "tvl-drawdown",
        "chain:base",
        "eth-usdc",
        "economic",
        "short",
        "add",
        "short_perp",
        "ETH",
        1000.0,
        200.0,
        1.5,
        "funding",
        1,
        5000.0,
        NOW,
    )


def filled(folder: Path) -> SqliteStore:
    """A store with one delivered alert, one that waits for another channel as well, and one proposed layer."""
    store = SqliteStore(str(folder / "monitor.db"), role="test")
    one, two = alert(), alert("msg_two", "layer.proposed")
    layer = LayerMoved(NOW, proposal().id, "proposed", "tvl fell", proposal=proposal(), gates=(GateResult("cooldown", "pass", "QUIET", "none"),))
    rows = [Delivery(told.id, "phone", told.type, message(told), NOW, next_at=NOW) for told in (one, two)]
    store.commit(Tick(NOW), [one, layer, two], rows)
    store.outbox.record(Attempt("msg_one", "phone", NOW + 5, "failed", "status 500"), "waiting", NOW + 50)
    store.outbox.record(Attempt("msg_one", "phone", NOW + 60, "delivered", "status 200"), DELIVERED)
    return store
