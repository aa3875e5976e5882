"""The port answers from the first moment, as guarded as the face that takes it over, and without a gap."""

import asyncio
import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor import early
from monitor.sinks.http import Face


@pytest.fixture
def first() -> Iterator[early.Early]:
    opened = early.Early("127.0.0.1", 0)
    yield opened
    opened.close()


def port_of(first: early.Early) -> int:
    return int(first.socket.getsockname()[1])


def ask(port: int, path: str, host: str = "127.0.0.1", method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


async def face_on(listening: socket.socket) -> Face:
    face = Face(dict, lambda: b"hedge_monitor_known 1\n")
    await face.start("127.0.0.1", 0, listening=listening)
    return face


def test_metrics_say_that_it_starts(first: early.Early):
    status, text = ask(port_of(first), "/metrics")

    samples = {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}
    assert status == 200
    assert samples == {"hedge_monitor_build_info": 1.0, "hedge_monitor_starting": 1.0}


def test_health_says_starting_and_everything_else_asks_to_wait(first: early.Early):
    assert ask(port_of(first), "/healthz") == (200, '{"status": "starting"}')
    assert ask(port_of(first), "/api/v1/book")[0] == 503
    assert ask(port_of(first), "/")[0] == 503


@pytest.mark.parametrize(
    ("host", "method", "status"),
    [
        ("127.0.0.1", "GET", 200),
        ("127.0.0.1:9464", "GET", 200),
        ("LOCALHOST:1", "GET", 200),
        ("[::1]:9464", "HEAD", 200),
        ("monitor.attacker.example", "GET", 421),
        ("localhost.attacker.example", "GET", 421),
        ("127.0.0.1.attacker.example:9464", "GET", 421),
        ("", "GET", 421),
        ("[::1", "GET", 421),
        ("127.0.0.1", "POST", 405),
        ("attacker.example", "DELETE", 405),
    ],
)
async def test_who_may_ask_is_the_same_before_and_after_the_face_takes_over(first: early.Early, host: str, method: str, status: int):
    port = port_of(first)
    before = await asyncio.to_thread(ask, port, "/metrics", host, method)
    face = await face_on(first.take())
    after = await asyncio.to_thread(ask, port, "/metrics", host, method)
    await face.stop()

    assert (before[0], after[0]) == (status, status)
    assert "known" not in before[1]


async def test_no_connection_is_refused_while_the_face_takes_over(first: early.Early):
    port, answers, enough = port_of(first), list[str](), threading.Event()
    loop, of_early, of_face = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def scrape() -> None:
        while not enough.is_set():
            try:
                status, text = ask(port, "/metrics")
            except OSError as error:
                status, text = 0, repr(error)
            answers.append(text if status == 200 else f"{status} {text}")
            loop.call_soon_threadsafe((of_face if "known" in text else of_early).set)

    scraping = asyncio.gather(*(asyncio.to_thread(scrape) for _ in range(4)))
    await of_early.wait()
    listening = first.take()
    await asyncio.sleep(0.1)  # who connects now waits
    face = await face_on(listening)
    await of_face.wait()
    enough.set()
    await scraping
    await face.stop()

    assert set(answers) == {early.METRICS, "hedge_monitor_known 1\n"}


def test_one_who_says_nothing_holds_up_nobody(first: early.Early):
    with socket.create_connection(("127.0.0.1", port_of(first))) as silent:
        assert ask(port_of(first), "/metrics")[0] == 200
        silent.sendall(b"x" * 100_000)
        assert ask(port_of(first), "/metrics")[0] == 200


def test_a_port_that_is_given_up_is_free_again(first: early.Early):
    port = port_of(first)
    first.close()
    first.close()

    again = early.Early("127.0.0.1", port)
    again.close()


def test_a_taken_port_is_left_to_the_configuration_to_complain_of(first: early.Early):
    assert early.start(None, {"HEDGE_MONITOR_SERVER__PORT": str(port_of(first))}) is None


PLAIN = [
    ("server: {port: 0}", {}, True),
    ("server:\n  port: 0\n  host: '127.0.0.1'\nbook: {capital: 1 USD}\n", {}, True),
    ("server: {port: 0}", {"HEDGE_MONITOR_SERVER__HOST": "::1"}, True),
    ("server: {port: 70000}", {"HEDGE_MONITOR_SERVER__PORT": "0"}, True),
    ("book: {}", {"HEDGE_MONITOR_SERVER__PORT": "0", "HEDGE_MONITOR_STORE__URL": "x"}, True),
    ("server: {port: 0, token: 0123456789abcdef}", {}, False),
    ("server: {port: 0, token_file: token}", {}, False),
    ("server: {port: 0}", {"HEDGE_MONITOR_SERVER__TOKEN": "0123456789abcdef"}, False),
    ("server: {port: 0, host: 0.0.0.0}", {}, False),
    ("server: {port: 0, host: localhost}", {}, False),
    ("server: {port: '${PORT}'}", {}, False),
    ("server: {port: 70000}", {}, False),
    ("server: {port: -1}", {}, False),
    ("server: {port: [0]}", {}, False),
    ("server: 0", {}, False),
    ("- server", {}, False),
    ("server: {port: 0", {}, False),
]


@pytest.mark.parametrize(("text", "environ", "answers"), PLAIN)
def test_it_answers_only_where_the_configuration_is_plainly_open_to_this_machine_alone(
    tmp_path: Path, text: str, environ: dict[str, str], answers: bool
):
    file = tmp_path / "hedge-monitor.yaml"
    file.write_text(text)

    opened = early.start(file, environ)

    assert (opened is not None) == answers
    if opened is not None:
        opened.close()


def test_a_file_that_is_not_there_is_left_to_the_configuration_to_complain_of(tmp_path: Path):
    assert early.start(tmp_path / "none.yaml", {}) is None
