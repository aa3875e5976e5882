"""What holds for every test: no socket in unit tests, loopback alone in integration tests, unit tests first, each part counted."""

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
LOOPBACK = ["127.0.0.1", "::1"]

# The same tree gives the same result: a red build can be run again by anyone.
settings.register_profile("house", deadline=None, derandomize=True, max_examples=40)
# HYPOTHESIS_PROFILE=campaign: as many as one has the patience for, and other ones each time.
settings.register_profile("campaign", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what lives in tests/integration or reads recorded data, lets integration tests reach loopback, and puts them last."""
    for item in items:
        if ROOT / "tests" / "integration" in item.path.parents:
            item.add_marker("integration")
        if item.get_closest_marker("integration"):
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))
        if "recorded_data" in getattr(item, "fixturenames", ()):
            item.add_marker("recorded")
    items.sort(key=lambda item: item.get_closest_marker("integration") is not None)


@pytest.fixture(scope="session")
def recorded_data() -> Path:
    """The folder of bodies recorded from real venues; too large and not ours to ship."""
    folder = Path(os.environ.get("HEDGE_MONITOR_RECORDED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"recorded data is missing: set HEDGE_MONITOR_RECORDED_DATA ({folder} is no folder)")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each part: how many passed, failed and were skipped, and how long it took."""
    counts: dict[str, Counter[str]] = {"unit": Counter(), "integration": Counter(), "recorded": Counter()}
    seconds = dict.fromkeys(counts, 0.0)
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            if not isinstance(report, pytest.TestReport):
                continue
            part = "integration" if "integration" in report.keywords else "unit"
            for name in [part, *(["recorded"] if "recorded" in report.keywords else [])]:
                counts[name][outcome] += bool(outcome)
                seconds[name] += report.duration
    for name, outcomes in counts.items():
        ran = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()) if count)
        terminalreporter.write_line(f"{name}: {ran or 'none ran'} in {seconds[name]:.1f} s")
