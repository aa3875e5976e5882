"""A real daemon on a full disk (F-107): it decides nothing that it cannot write down, and its last word goes out from memory."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.integration.killing import Ear, Home


@pytest.mark.slow
async def test_a_disk_that_stays_full_ends_the_daemon_aloud_and_the_decision_is_made_later_F_107(tmp_path: Path):
    async with Ear() as ear:
        home = Home(tmp_path, ear)
        await home.finish()
        known = set(ear.copies)
        home.ask(1)
        process = await home.begin("tests.integration.dying_daemon", "disk-full")
        assert await asyncio.wait_for(process.wait(), 30) not in (0, None)
        [(_, cry)] = [copy for copy in ear.heard if copy[0] not in known]
        told = json.loads(cry)
        assert (told["type"], told["data"]["severity"]) == ("source.down", "critical")
        assert "The monitor has stopped: the disk is full" in told["data"]["summary"]
        assert home.tests_decided() == 0
        await home.finish()
        assert home.tests_decided() == 1
        assert set(home.told()) <= set(ear.copies)
