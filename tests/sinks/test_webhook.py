"""One try at a webhook: what is sent, and what each answer means."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from monitor.errors import SourceError
from monitor.net import Response
from monitor.sinks.webhook import Answer
from tests.fakes import HANG, FakeNet
from tests.sinks.channels import OK, OLDER, SECRET, START_MS, URL, row, status, webhook
from tests.virtual_time import VirtualClock, run_virtual

BODY = b'{"data":{"id":"msg_1","summary":"x"},"type":"heartbeat"}'


def answer_to(plan: object, previous: SecretStr | None = None) -> tuple[Answer, FakeNet]:
    net = FakeNet().answer("POST", URL, plan)

    async def main(clock: VirtualClock) -> Answer:
        return await webhook(net, clock, previous=previous).deliver(row("msg_1"))

    return run_virtual(main, START_MS + 400), net


def expected_signature(secret: SecretStr, body: bytes, seconds: int) -> str:
    """The specification, by hand: base64 of HMAC-SHA256 over id.timestamp.body."""
    key = base64.b64decode(secret.get_secret_value().removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.digest(key, b"msg_1.%d." % seconds + body, hashlib.sha256)).decode()


def test_a_webhook_carries_id_time_of_sending_and_signature_over_its_exact_bytes():
    answer, net = answer_to(OK)
    call = net.calls[0]
    assert answer.outcome == "delivered"
    assert call.body == row("msg_1").body
    assert call.headers == {
        "content-type": "application/json",
        "webhook-id": "msg_1",
        "webhook-timestamp": str(START_MS // 1000),
        "webhook-signature": expected_signature(SECRET, row("msg_1").body, START_MS // 1000),
    }


def test_while_the_secret_changes_both_sign_F_143():
    _, net = answer_to(OK, previous=OLDER)
    body, seconds = row("msg_1").body, START_MS // 1000
    both = [expected_signature(secret, body, seconds) for secret in (SECRET, OLDER)]
    assert net.calls[0].headers["webhook-signature"].split(" ") == both


@pytest.mark.parametrize(
    ("plan", "outcome"),
    [
        *[(status(code), "delivered") for code in (200, 201, 202, 204, 299)],
        *[(status(code, location="https://elsewhere.test/"), "refused") for code in (301, 302, 307, 308)],
        *[(status(code), "refused") for code in (400, 401, 403, 404, 413, 422)],
        (status(410), "gone"),
        *[(status(code), "failed") for code in (408, 425, 429, 500, 502, 503, 504)],
        (HANG, "ambiguous"),
        (SourceError("no complete answer (ServerDisconnectedError)"), "ambiguous"),
        (SourceError("an address that the egress policy refuses", permanent=True), "refused"),
    ],
)
def test_what_each_answer_means_F_134_F_136_F_139(plan: object, outcome: str):
    assert answer_to(plan)[0].outcome == outcome


def http_date(seconds_from_ours: float) -> str:
    return datetime.fromtimestamp((START_MS + 400) / 1000 + seconds_from_ours, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


@pytest.mark.parametrize(
    ("code", "apart_seconds", "outcome"),
    [(401, 62, "clock"), (400, -62, "clock"), (401, 59, "refused"), (400, -59, "refused"), (403, 9_000, "refused"), (500, 9_000, "failed")],
)
def test_a_400_or_401_by_a_receiver_whose_clock_is_a_minute_off_is_a_matter_of_clocks_F_106(code: int, apart_seconds: float, outcome: str):
    answer, _ = answer_to(status(code, date=http_date(apart_seconds)))
    assert answer.outcome == outcome
    assert ("check our clock" in answer.detail) is (outcome == "clock")


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Foo 2024 00:00:00 GMT"])
def test_a_date_that_cannot_be_read_says_nothing_of_clocks(date: str):
    assert answer_to(status(401, date=date))[0].outcome == "refused"


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("120", 120.0), ("86400", 3600.0), ("garbage", None), ("-5", None), (http_date(90), pytest.approx(90, abs=1))],
)
def test_retry_after_is_read_and_clamped_F_140(written: str, seconds: object):
    assert answer_to(status(429, retry_after=written))[0].retry_after_seconds == seconds


@pytest.mark.parametrize(
    "plan", [OK, status(302), status(401), status(401, date=http_date(999)), status(410), status(500), Response(400, {}, URL.encode())]
)
def test_no_detail_holds_the_address_or_a_secret(plan: object):
    detail = answer_to(plan, previous=OLDER)[0].detail
    assert "secret-path" not in detail
    assert SECRET.get_secret_value()[6:] not in detail
    assert OLDER.get_secret_value()[6:] not in detail


def test_a_channel_shows_no_secret():
    channel = webhook(FakeNet(), VirtualClock(None, 0))  # type: ignore[arg-type]  # the clock is not read
    assert "secret" not in repr(vars(channel)).replace("_secrets", "").replace("SecretStr", "")
