"""The ways in which the program asks: its own port's methods, and the sessions that libraries are lent."""

from collections.abc import Awaitable, Callable

from monitor.net import HttpNet

KIB, MIB = 1024, 1024 * 1024
CANARY = "canary-7f3a91"


Ask = Callable[[HttpNet, str], Awaitable[object]]


async def get_json(net: HttpNet, url: str) -> object:
    return await net.get_json(url, headers={"X-Api-Key": CANARY}, timeout_seconds=1, max_bytes=MIB)


async def post_json(net: HttpNet, url: str) -> object:
    return await net.post_json(url, {"id": 1, "key": CANARY}, headers={"X-Api-Key": CANARY}, timeout_seconds=1, max_bytes=MIB)


async def get_bytes(net: HttpNet, url: str) -> object:
    return await net.get_bytes(url, headers={"X-Api-Key": CANARY}, timeout_seconds=1, max_bytes=MIB)


async def library_get(net: HttpNet, url: str) -> object:
    async with net.client_session().get(url, headers={"X-Api-Key": CANARY}) as answer:
        return await answer.json(content_type=None)


async def library_post(net: HttpNet, url: str) -> object:
    """As web3 does it: without `async with`, so that nothing but the response itself closes the connection."""
    answer = await net.client_session().post(url, data=CANARY.encode(), headers={"X-Api-Key": CANARY})
    return await answer.text()


async def webhook(net: HttpNet, url: str) -> object:
    return await net.post(url, CANARY.encode(), {"webhook-signature": CANARY}, timeout_seconds=5)


OWN: list[Ask] = [get_json, post_json, get_bytes]
ALL: list[Ask] = [*OWN, library_get, library_post]
