"""kill -9 of the real daemon: whatever was decided arrives, with the same bytes, and no more often than the deaths explain. INV-1, INV-3.

`make campaign-kill` runs the sixty kills of the campaign; the suite runs twelve.
"""

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest

from tests.integration.killing import Ear, Home, check

KILLS = int(os.environ.get("HEDGE_MONITOR_KILLS", "12"))
POINTS = ("before-commit", "mid-commit", "after-commit", "before-send", "after-send", "before-mark", "mid-mark", "after-mark")
SENT_TWICE = {"after-send", "before-mark", "mid-mark"}


async def first_life(home: Home) -> None:
    """One clean life, so that there is a store to leave words in."""
    await home.finish()


@pytest.mark.slow
async def test_whenever_the_daemon_is_killed_every_decision_arrives_F_120_F_121(tmp_path: Path):
    rng = random.Random(11)
    async with Ear() as ear:
        home = Home(tmp_path, ear)
        await first_life(home)
        for _ in range(KILLS):
            home.ask(rng.randint(1, 12))
            await home.die_after(await home.begin(), rng.uniform(0.0, 0.7))
        await home.finish()
        assert home.kills == KILLS
        check(home)


@pytest.mark.slow
async def test_killed_at_each_point_between_decision_and_mark_nothing_is_lost_F_120_F_121(tmp_path: Path):
    async with Ear() as ear:
        home = Home(tmp_path, ear)
        await first_life(home)
        for point in POINTS:
            known = set(ear.copies)
            home.ask(1)
            process = await home.begin("tests.integration.dying_daemon", point)
            assert await process.wait() == -signal.SIGKILL, point
            home.kills += 1
            await home.finish()
            new = {name: count for name, count in ear.copies.items() if name not in known}
            assert sorted(new.values()) == [2 if point in SENT_TWICE else 1], point
        check(home)


@pytest.mark.slow
async def test_what_waits_at_a_start_is_sent_within_five_seconds_F_120(tmp_path: Path):
    async with Ear() as ear:
        home = Home(tmp_path, ear)
        await first_life(home)
        home.ask(1)
        process = await home.begin("tests.integration.dying_daemon", "after-commit")
        await process.wait()
        home.kills += 1
        known = len(ear.heard)
        process = await home.begin()
        async with asyncio.timeout(5.0):
            while len(ear.heard) == known:  # noqa: ASYNC110  # what is waited for happens in another process
                await asyncio.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        check(home)


@pytest.mark.slow
async def test_a_daemon_that_marks_before_it_sends_loses_an_alert(tmp_path: Path):
    """The control: the check above must be able to fail."""
    async with Ear() as ear:
        home = Home(tmp_path, ear)
        await first_life(home)
        home.ask(1)
        process = await home.begin("tests.integration.dying_daemon", "mark-first")
        assert await process.wait() == -signal.SIGKILL
        await home.finish()
        with pytest.raises(AssertionError, match="lost: "):
            check(home)
