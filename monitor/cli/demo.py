"""`demo`: the built-in stress story through the real daemon; no network, no key, no server."""

import base64
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.common import Options, example, options_of

if TYPE_CHECKING:
    from monitor.config import Config

MINUTES = 2.8
DAYS = 10
SPEED = round(DAYS * 24 * 60 / MINUTES)
NOTICE = (
    "This is a built-in story: a stylised stress of ten days, invented prices, nobody's money. "
    "The daemon, its rules and its alerts are the real ones."
)
TITLE = "A stylised stress of ten days"


def register(app: typer.Typer) -> None:
    app.command(epilog=example("hedge-monitor demo --speed 20000 --port 9500"))(demo)


def demo(
    context: typer.Context,
    speed: Annotated[float, typer.Option(metavar="N", min=1, max=1_000_000, help="Seconds of the story that pass in one of ours.")] = SPEED,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; the next free one if it is taken.")] = 9464,
) -> None:
    """Play a ten-day stress story through the real daemon.

    It needs no network, key or server. It prints the address of its page, serves metrics, and sends signed webhooks to a built-in receiver.
    The story takes about three minutes; the daemon stays up until Ctrl-C.
    """
    import asyncio

    options = options_of(context)
    with tempfile.TemporaryDirectory(prefix="hedge-monitor-demo-") as folder:
        asyncio.run(_play(options, Path(folder), speed, port))


async def _play(options: Options, folder: Path, speed: float, port: int) -> None:
    from pydantic import SecretStr

    from monitor.app import Play, serve
    from monitor.cli.common import start_logging
    from monitor.clock import SystemClock
    from monitor.sinks.facts import Story
    from monitor.sinks.receiver import Receiver
    from monitor.story import scenario
    from monitor.story.feed import StoryFeed

    secret = "whsec_" + base64.b64encode(os.urandom(32)).decode()
    receiver = Receiver(SecretStr(secret))
    url = await receiver.start()
    try:
        config = _config(options, folder, url, secret, port)
        start_logging(options, config)
        story = Story(scenario.START_MS, scenario.END_MS, speed, TITLE)
        play = Play(lambda due_at: StoryFeed(SystemClock(), speed, due_at), scenario.sources(), NOTICE, story)
        await serve(config, announce=typer.echo, play=play, next_free_port=True)
    finally:
        await receiver.stop()


def _config(options: Options, folder: Path, url: str, secret: str, port: int) -> "Config":
    """The story's own configuration, written out and read like anybody's."""
    from monitor.config import discover, load
    from monitor.story import scenario

    store = options.store or f"sqlite:///{folder}/monitor.db"
    alerts = f"alerts:\n  channels:\n    built-in: {{kind: webhook, url: '{url}', secret: '{secret}'}}\n"
    file = folder / "hedge-monitor.yaml"
    file.touch(0o600)
    file.write_text(f"{scenario.config_text()}{alerts}store: {{url: '{store}'}}\nserver: {{port: {port}}}\n")
    return load(file, dict(os.environ), discover())
