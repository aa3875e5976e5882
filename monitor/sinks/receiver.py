"""A receiver of our own webhooks, on the loopback: what the demo sends to, and how a receiver should behave.

It verifies before it believes, takes each id once, and answers 200 to a repeat so that the sender stops.
"""

import json
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import SecretStr

KEPT = 200
REMEMBERED_IDS = 10_000
MAX_BODY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Accepted:
    """One alert as it was accepted."""

    id: str
    type: str
    summary: str


class Receiver:
    """`accepted` holds the newest alerts, oldest first; `repeats` and `refused` count what came again and what was turned away."""

    def __init__(self, secret: SecretStr) -> None:
        from standardwebhooks import Webhook

        self.accepted: deque[Accepted] = deque(maxlen=KEPT)
        self.repeats = 0
        self.refused = 0
        self._verifier = Webhook(secret.get_secret_value())
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> str:
        """Listen on the loopback; port 0 is any free one. Returns the URL to send to."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post("/", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        told = self._verified(body, dict(request.headers))
        if told is None:
            self.refused += 1
            return web.Response(status=401, text="the signature or its time is not right\n")
        alert_id = request.headers["webhook-id"]
        if alert_id in self._ids:
            self.repeats += 1
            return web.Response(text="seen already\n")
        self._remember(alert_id)
        data = told.get("data")
        self.accepted.append(Accepted(alert_id, str(told.get("type", "")), str(data.get("summary", "")) if isinstance(data, dict) else ""))
        return web.Response(text="taken\n")

    def _verified(self, body: bytes, headers: dict[str, str]) -> dict[str, Any] | None:
        """The message, or None for one that is not signed by us within the last five minutes."""
        from standardwebhooks import WebhookVerificationError

        try:
            self._verifier.verify(body, headers, json_parse=False)
            told = json.loads(body)
        # The library lets the ValueErrors of what it decodes (base64, UTF-8, the header's commas) through.
        except (WebhookVerificationError, ValueError):
            return None
        return told if isinstance(told, dict) else None

    def _remember(self, alert_id: str) -> None:
        self._ids[alert_id] = None
        if len(self._ids) > REMEMBERED_IDS:
            self._ids.popitem(last=False)
