"""Webhooks over the loopback: the real client, real receivers, good and bad."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

from monitor.clock import SystemClock
from monitor.core.delivery import Delivery
from monitor.core.effects import Alerted
from monitor.net import HttpNet
from monitor.pipeline import message
from monitor.sinks import webhook
from monitor.sinks.receiver import KEPT, Receiver
from monitor.sinks.webhook import WebhookChannel
from tests.integration.hostile import Answer, Hostile, head, plain, say_nothing
from tests.sinks.channels import OLDER, SECRET

NASTY = '@everyone <script>alert(1)</script> *bold* [x](javascript:1)\n\r\t\u2028 \x00 \U0001f600 " \\ </td> {{7*7}} ${HOME}'


def delivery(name: str = "msg_1", summary: str = "TVL fell by 9%") -> Delivery:
    told = Alerted(1_750_000_000_000, name, "trigger.fired", "warning", summary, 1, {"subject": summary})
    return Delivery(name, "phone", told.type, message(told), 0)


@pytest.fixture
async def net() -> AsyncIterator[HttpNet]:
    async with HttpNet() as made:
        yield made


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver(SECRET)
    yield made
    await made.stop()


def channel(net: HttpNet, url: str, secret: SecretStr = SECRET, previous: SecretStr | None = None) -> WebhookChannel:
    return WebhookChannel("phone", SecretStr(url), secret, previous, net, SystemClock())


@dataclass
class Keeper:
    """A receiver that keeps whole requests."""

    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    seconds: float = 0.0

    async def take(self, request: web.Request) -> web.Response:
        self.headers.append(dict(request.headers))
        self.bodies.append(await request.read())
        await asyncio.sleep(self.seconds)
        return web.Response()

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/{path:.*}", self.take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner


async def test_the_librarys_own_verifier_believes_what_we_send(net: HttpNet):
    keeper = Keeper()
    runner = await keeper.start()
    answer = await channel(net, f"http://127.0.0.1:{runner.addresses[0][1]}/hook").deliver(delivery())
    await runner.cleanup()
    assert answer.outcome == "delivered"
    assert Webhook(SECRET.get_secret_value()).verify(keeper.bodies[0], keeper.headers[0])["data"]["id"] == "msg_1"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET.get_secret_value()).verify(keeper.bodies[0] + b" ", keeper.headers[0])


async def test_a_receiver_that_answers_after_our_patience_gets_the_same_again_F_134(net: HttpNet, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 0.2)
    keeper = Keeper(seconds=0.6)
    runner = await keeper.start()
    one = channel(net, f"http://127.0.0.1:{runner.addresses[0][1]}/")
    first = await one.deliver(delivery())
    keeper.seconds = 0.0
    second = await one.deliver(delivery())
    await runner.cleanup()
    assert [first.outcome, second.outcome] == ["ambiguous", "delivered"]
    assert keeper.bodies[0] == keeper.bodies[1]
    assert keeper.headers[0]["webhook-id"] == keeper.headers[1]["webhook-id"] == "msg_1"


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
async def test_a_redirect_is_a_failure_and_is_not_followed_F_136(net: HttpNet, status: str):
    async with Hostile(plain(b"")) as elsewhere, Hostile(plain(b"", status, f"Location: {elsewhere.url}/inside")) as server:
        answer = await channel(net, server.url).deliver(delivery())
        assert (answer.outcome, len(elsewhere.requests)) == ("refused", 0)
        assert "redirects are not followed" in answer.detail


async def endless(server: Hostile, writer: asyncio.StreamWriter) -> None:
    await server.send(writer, head("200 OK", "Transfer-Encoding: chunked"))
    while True:
        await server.send(writer, b"1000\r\n" + b"x" * 4096 + b"\r\n")


async def drip(server: Hostile, writer: asyncio.StreamWriter) -> None:
    await server.send(writer, head("200 OK", "Content-Length: 1000000000"))
    while True:
        await server.send(writer, b"x")
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(("answer", "patience_seconds"), [(endless, 20.0), (drip, 1.0)], ids=["endless", "drip"])
async def test_a_receiver_that_never_stops_talking_is_not_listened_to_F_142(
    net: HttpNet, monkeypatch: pytest.MonkeyPatch, answer: Answer, patience_seconds: float
):
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", patience_seconds)
    async with Hostile(answer) as server:
        began = time.monotonic()
        answered = await channel(net, server.url).deliver(delivery())
        await asyncio.wait_for(server.client_left.wait(), 5)
        assert answered.outcome == "delivered"
        assert time.monotonic() - began < 10
        assert server.sent_bytes < 8 * 1024 * 1024


async def test_silence_is_ambiguous(net: HttpNet, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 0.2)
    async with Hostile(say_nothing) as server:
        answer = await channel(net, f"{server.url}/very-secret-path").deliver(delivery())
    assert answer.outcome == "ambiguous"
    assert "secret" not in answer.detail


async def test_nobody_there_is_ambiguous(net: HttpNet):
    async with Hostile(say_nothing) as server:
        url = server.url
    assert (await channel(net, url).deliver(delivery())).outcome == "ambiguous"


async def test_while_secrets_change_a_receiver_with_either_believes_us_F_143(net: HttpNet):
    for known in (SECRET, OLDER):
        receiver = Receiver(known)
        url = await receiver.start()
        assert (await channel(net, url, SECRET, OLDER).deliver(delivery())).outcome == "delivered"
        await receiver.stop()
        assert [one.id for one in receiver.accepted] == ["msg_1"]


async def test_a_receiver_with_another_secret_refuses_us_F_143(net: HttpNet, receiver: Receiver):
    url = await receiver.start()
    assert (await channel(net, url, OLDER).deliver(delivery())).outcome == "refused"
    assert (len(receiver.accepted), receiver.refused) == (0, 1)


async def test_markup_and_mentions_arrive_as_inert_data_F_144(net: HttpNet, receiver: Receiver):
    url = await receiver.start()
    body = delivery(summary=NASTY).body
    assert (await channel(net, url).deliver(delivery(summary=NASTY))).outcome == "delivered"
    assert receiver.accepted[0].summary == NASTY
    assert json.loads(body)["data"]["subject"] == NASTY
    assert body.isascii()
    assert not any(byte < 0x20 for byte in body)


async def test_the_receiver_takes_each_id_once_and_keeps_the_newest(net: HttpNet, receiver: Receiver):
    url = await receiver.start()
    one = channel(net, url)
    for n in range(KEPT + 3):
        assert (await one.deliver(delivery(f"msg_{n}"))).outcome == "delivered"
    assert (await one.deliver(delivery(f"msg_{KEPT}"))).outcome == "delivered"
    assert [receiver.accepted[0].id, receiver.accepted[-1].id, len(receiver.accepted)] == ["msg_3", f"msg_{KEPT + 2}", KEPT]
    assert (receiver.repeats, receiver.refused) == (1, 0)


@dataclass
class Past:
    """A clock that is so many seconds behind."""

    seconds: float

    def now_ms(self) -> int:
        return round((time.time() - self.seconds) * 1000)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@pytest.mark.parametrize(("seconds", "outcome"), [(240.0, "delivered"), (360.0, "clock"), (-360.0, "clock")])
async def test_the_receiver_refuses_old_and_future_times_and_we_see_that_it_is_the_clock_F_106(
    net: HttpNet, receiver: Receiver, seconds: float, outcome: str
):
    url = await receiver.start()
    answer = await WebhookChannel("phone", SecretStr(url), SECRET, None, net, Past(seconds)).deliver(delivery())
    assert answer.outcome == outcome


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,not base64!"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "1e999"},
        {"webhook-id": ""},
    ],
    ids=["none", "no-comma", "no-base64", "wrong", "no-time", "infinite-time", "no-id"],
)
@pytest.mark.parametrize("body", [b"{}", b"\xff\xfe", b"[1]", b""], ids=["empty-object", "no-utf8", "list", "nothing"])
async def test_the_receiver_refuses_what_is_not_signed_whatever_is_wrong_with_it(
    net: HttpNet, receiver: Receiver, headers: dict[str, str], body: bytes
):
    url = await receiver.start()
    whole = {"webhook-id": "msg_1", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,AAAA"} if headers else {}
    answer = await net.post(url, body, {**whole, **headers})
    assert (answer.status, len(receiver.accepted), receiver.refused) == (401, 0, 1)
