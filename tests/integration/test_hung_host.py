"""A host that hangs for one source takes no connection, lookup or second from another: real sockets, our own Net. F-088, F-089."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any, ClassVar

import pytest

from monitor.clock import SystemClock
from monitor.core.book import Watch
from monitor.errors import SourceError
from monitor.feeds import LiveFeed
from monitor.net import EgressPolicy, HttpNet
from monitor.source import Collector, Harvest, Ports
from tests.integration.hostile import Answer, Hostile, plain, say_nothing

LISTED = EgressPolicy(allowed_hosts=frozenset({"well.test", "venue.test"}))
pytestmark = pytest.mark.integration


@pytest.fixture
async def net() -> AsyncIterator[HttpNet]:
    async with HttpNet(LISTED) as made:
        yield made


# --- F-089: connections ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Asking(Collector):
    """Asks one path several times at once at each pass."""

    title: ClassVar[str] = "a test's"

    path: str
    at_once: int = 1
    polled: list[float] = field(default_factory=list)

    async def poll(self, ports: Ports, watch: Watch) -> Harvest:
        self.polled.append(time.monotonic())
        await asyncio.gather(*(ports.net.get_json(self.endpoint + self.path) for _ in range(self.at_once)))
        return Harvest()


async def dribble(server: Hostile, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        for _ in range(100):
            await server.send(writer, b"H")
            await asyncio.sleep(1)


def hanging_at(path: str, how: Answer) -> Answer:
    async def answer(server: Hostile, writer: asyncio.StreamWriter) -> None:
        if server.requests[-1].startswith(f"GET {path} ".encode()):
            await how(server, writer)
        else:
            await plain(b"1")(server, writer)

    return answer


@pytest.mark.parametrize("how", [say_nothing, dribble], ids=["it hangs", "a byte a second"])
async def test_a_source_that_hangs_at_a_host_leaves_its_other_sources_their_connections_F_089(net: HttpNet, how: Answer) -> None:
    """p99 of the lateness of the others is below a second, though the hung one has as many requests open as a host is asked at once."""
    async with Hostile(hanging_at("/hung", how)) as server:
        hung = Asking(path="/hung", at_once=8, endpoint=server.url, cadence=100)
        others = [Asking(path=f"/well/{number}", endpoint=server.url, cadence=100) for number in range(3)]
        sources: dict[str, Collector] = {"hung": hung, **{f"well {n}": one for n, one in enumerate(others)}}
        feed = LiveFeed(sources, Ports(net, SystemClock(), Random(1)), Watch(), lambda: None)
        with suppress(TimeoutError):
            async with asyncio.timeout(5), aclosing(feed.arrivals()) as arrivals:
                async for _ in arrivals:
                    pass
    lateness = sorted(after - before - 0.1 for one in others for before, after in pairwise(one.polled))
    assert len(hung.polled) == 1
    assert len(lateness) > 60
    assert lateness[int(0.99 * len(lateness))] <= 1.0


# --- F-088: names ---------------------------------------------------------------------------------------------------------------


@dataclass
class Names:
    """A name server. What a name leads to can be changed; a number is how long it takes to answer."""

    leads_to: dict[str, str | float | None]
    asked: list[str] = field(default_factory=list)

    def getaddrinfo(self, host: str, port: int, **kwargs: Any) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        found = self.leads_to[host]
        if isinstance(found, float):
            time.sleep(found)
        if not isinstance(found, str):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        family, rest = (socket.AF_INET6, (0, 0)) if ":" in found else (socket.AF_INET, ())
        return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (found, port, *rest))]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Names]:
    def resolve(**leads_to: str | float | None) -> Names:
        made = Names({f"{name}.test": to for name, to in leads_to.items()})
        monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo)
        monkeypatch.setattr("monitor.dial.LOOKUP_SECONDS", 0.3)
        return made

    return resolve


@pytest.fixture
def short_lived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.dial.ADDRESS_SECONDS", 0.2)


async def test_a_name_that_does_not_exist_is_an_error_to_try_again_F_088(net: HttpNet, names: Callable[..., Names]) -> None:
    names(gone=None)
    with pytest.raises(SourceError, match=r"gone\.test.*: no complete answer .*DNS") as caught:
        await net.get_json("http://gone.test/")
    assert not caught.value.permanent


async def test_a_name_server_that_hangs_is_waited_for_within_a_limit_and_delays_no_other_name_F_088(
    net: HttpNet, names: Callable[..., Names]
) -> None:
    made = names(slow=1.5, well="127.0.0.1")
    async with Hostile(plain(b"1")) as server:
        began = time.monotonic()
        stuck = [asyncio.create_task(net.get_json(f"http://slow.test:{server.port + n}/")) for n in range(40)]
        await asyncio.sleep(0.05)
        assert await net.get_json(f"http://well.test:{server.port}/") == 1
        assert time.monotonic() - began < 1.0
        ended = await asyncio.gather(*stuck, return_exceptions=True)
        assert time.monotonic() - began < 1.4
    assert all(isinstance(error, SourceError) for error in ended)
    assert len(made.asked) == 41


async def test_one_name_is_looked_up_once_at_a_time_however_often_it_is_asked_for_F_088(net: HttpNet, names: Callable[..., Names]) -> None:
    """A lookup cannot be interrupted: asked again and again, a name that hangs must not pile up threads."""
    made = names(slow=2.0)
    for _ in range(4):
        with pytest.raises(SourceError, match=r"DNS"):
            await net.get_json("http://slow.test:1/")
    assert made.asked == ["slow.test"]


async def test_more_names_than_can_be_looked_up_at_once_are_refused_at_once_F_088(
    net: HttpNet, names: Callable[..., Names], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.dial.MOST_LOOKUPS", 3)
    made = names(slow=0.6)
    ended = await asyncio.gather(*(net.get_json(f"http://slow.test:{port}/") for port in range(1, 9)), return_exceptions=True)
    assert all(isinstance(error, SourceError) for error in ended)
    assert len(made.asked) == 3


@pytest.mark.usefixtures("short_lived")
async def test_a_name_that_stops_resolving_is_not_dialled_at_its_last_address_beyond_its_time_F_088(names: Callable[..., Names]) -> None:
    made = names(venue="127.0.0.1")
    async with HttpNet(LISTED) as net, Hostile(plain(b"1", "200 OK", "Connection: close")) as server:
        url = f"http://venue.test:{server.port}/"
        assert await net.get_json(url) == 1
        made.leads_to["venue.test"] = None
        assert await net.get_json(url) == 1, "within its time, the address is used again"
        await asyncio.sleep(0.25)
        with pytest.raises(SourceError, match="DNS"):
            await net.get_json(url)
        assert len(server.requests) == 2
        made.leads_to["venue.test"] = "127.0.0.1"
        assert await net.get_json(url) == 1, "it heals by itself"


@pytest.mark.usefixtures("short_lived")
async def test_a_name_that_moves_is_followed_within_its_time_F_088(names: Callable[..., Names]) -> None:
    made = names(venue="::1")
    async with HttpNet(LISTED) as net, Hostile(plain(b"1", "200 OK", "Connection: close")) as server:
        url = f"http://venue.test:{server.port}/"
        with pytest.raises(SourceError):
            await net.get_json(url)
        made.leads_to["venue.test"] = "127.0.0.1"
        await asyncio.sleep(0.25)
        assert await net.get_json(url) == 1


# --- F-097: connections that are used again -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pause", [0.0, 0.05], ids=["with the answer", "later, while nobody asks"])
async def test_bytes_that_nobody_asked_for_close_the_connection_and_answer_nothing_F_097(net: HttpNet, pause: float) -> None:
    stray = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n666"

    async def answer(server: Hostile, writer: asyncio.StreamWriter) -> None:
        await plain(b"%d" % len(server.requests))(server, writer)
        await asyncio.sleep(pause)
        await server.send(writer, stray)

    async with Hostile(answer) as server:
        answers = []
        for _ in range(4):
            answers.append(await net.get_json(server.url))
            await asyncio.sleep(2 * pause)
        assert answers == [1, 2, 3, 4]
        assert server.connections == 4


async def test_an_answer_that_comes_after_its_deadline_is_not_taken_for_the_next_one_F_097(net: HttpNet) -> None:
    async def answer(server: Hostile, writer: asyncio.StreamWriter) -> None:
        number = len(server.requests)
        await asyncio.sleep(0.4 if number == 1 else 0.0)
        await plain(b"%d" % number)(server, writer)

    async with Hostile(answer) as server:
        with pytest.raises(SourceError, match="no complete answer within"):
            await net.get_json(server.url, timeout_seconds=0.2)
        await asyncio.sleep(0.3)
        assert await net.get_json(server.url) == 2
        assert server.connections == 2


# --- F-102: what the hour is elsewhere ------------------------------------------------------------------------------------------


async def test_every_answer_is_a_witness_of_the_hour_F_102() -> None:
    """Ours, a webhook's, a library's, and refusals too; by host, since one machine has one clock."""
    heard: list[tuple[str, str, str]] = []
    date = "Fri, 20 Nov 2026 12:00:00 GMT"
    async with (
        HttpNet(on_date=lambda *said: heard.append(said)) as net,
        Hostile(plain(b"1", "200 OK", f"Date: {date}", "Age: 7")) as server,
        Hostile(plain(b"1", "503 X", f"Date: {date}")) as busy,
    ):
        await net.get_json(server.url)
        await net.post(server.url, b"{}", {})
        await (await net.client_session().get(server.url)).read()
        with pytest.raises(SourceError):
            await net.get_json(busy.url)
    assert heard == [("127.0.0.1", date, "7")] * 3 + [("127.0.0.1", date, "")]
