"""The fake network keeps the promises of the real one."""

import re

import pytest

from monitor.clock import Clock
from monitor.errors import BadPayload, SourceError
from monitor.net import Net, Response
from tests.fakes import HANG, Call, Delayed, FakeNet
from tests.virtual_time import run_virtual

URL = "https://venue.test/v1/book"


async def test_the_longest_prefix_answers_and_every_call_is_recorded() -> None:
    fake = FakeNet().answer("GET", "https://venue.test", {"which": "short"}).answer("GET", URL, {"which": "long"})
    net: Net = fake
    assert await net.get_json(URL, params={"depth": 5}) == {"which": "long"}
    assert await net.get_json("https://venue.test/other") == {"which": "short"}
    assert fake.calls[0] == Call("GET", URL, {"depth": 5})
    assert (fake.count(), fake.count("GET", URL), fake.count("POST")) == (2, 1, 0)


async def test_answers_come_in_turn_and_the_last_repeats() -> None:
    net = FakeNet().answer("POST", URL, 1, SourceError("down"), lambda call: call.body)
    assert await net.post_json(URL, {}) == 1
    with pytest.raises(SourceError, match="down"):
        await net.post_json(URL, {})
    assert [await net.post_json(URL, [n]) for n in (1, 2)] == [[1], [2]]


async def test_raw_bodies_pass_the_real_decoder_and_the_cap() -> None:
    net = FakeNet().answer("GET", URL, b"<html>", b"12345")
    with pytest.raises(BadPayload, match="HTML"):
        await net.get_json(URL)
    with pytest.raises(BadPayload, match="larger than 4"):
        await net.get_bytes(URL, max_bytes=4)
    assert await net.get_bytes(URL) == b"12345"


async def test_a_webhook_gets_the_planned_response() -> None:
    planned = Response(302, {"location": "http://x"}, b"")
    assert await FakeNet().answer("POST", URL, planned).post(URL, b"{}", {"webhook-id": "1"}) == planned


async def test_an_unplanned_request_fails_the_test_by_name() -> None:
    with pytest.raises(AssertionError, match=f"no answer for GET {re.escape(URL)}"):
        await FakeNet().answer("POST", URL, 1).get_json(URL)


@pytest.mark.parametrize(("plan", "seconds", "answer"), [(HANG, 5.0, None), (Delayed(5.0, 1), 5.0, None), (Delayed(4.5, 1), 4.5, 1)])
def test_a_late_answer_fails_at_the_deadline_in_virtual_time(plan: Delayed, seconds: float, answer: object) -> None:
    async def main(clock: Clock) -> tuple[float, object]:
        try:
            found = await FakeNet().answer("GET", URL, plan).get_json(URL, timeout_seconds=5)
        except SourceError:
            found = None
        return clock.monotonic(), found

    assert run_virtual(main) == (seconds, answer)
