"""JSON-RPC by web3.py, carried by our own Net: one request a call, to the one URL that is configured and to no other.

CCIP-Read (EIP-3668), by which a contract can name a URL for its reader to fetch, is off on the provider and off again on every call; web3
is shown no error of a node either, so there is nothing it could follow. web3 takes a second to import and some 60 MB: it is imported where
a chain is first asked, beside the event loop.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any

from monitor.core.text import safe_text
from monitor.errors import BadPayload, SourceError

if TYPE_CHECKING:
    from web3 import AsyncWeb3
    from web3.types import RPCEndpoint, RPCResponse

    from monitor.net import Net

Rpc = Callable[[str, Sequence[object]], Awaitable[object]]
"""One JSON-RPC request: method and parameters to the `result`; SourceError when there is none."""

REPLY_BYTES = 16 * 1024 * 1024
_METHOD_NOT_FOUND = -32601
_HEXADECIMAL = re.compile("0x(?:[0-9a-fA-F]{2})*")


def json_rpc(net: "Net", url: str) -> Rpc:
    """JSON-RPC 2.0 over one URL, one request a call, each with an id of its own."""
    node: list[AsyncWeb3[Any]] = []

    async def rpc(method: str, params: Sequence[object]) -> object:
        if not node:
            node.append((await asyncio.to_thread(web3_over_net))(net, url))
        return await _result(node[0], method, params)

    return rpc


async def _result(node: "AsyncWeb3[Any]", method: str, params: Sequence[Any]) -> object:
    """The result as the node wrote it: web3's own readings of a header would hide what it hashes to."""
    if method != "eth_call":
        result: object = await node.manager.coro_request(method, params)  # type: ignore[arg-type]  # its own name for a str
        return result
    transaction, block = params
    called = {**transaction, "to": node.to_checksum_address(transaction["to"])}
    return "0x" + bytes(await node.eth.call(called, block, ccip_read_enabled=False)).hex()  # type: ignore[arg-type]  # EIP-1898 is not in its types


@cache
def web3_over_net() -> "Callable[[Net, str], AsyncWeb3[Any]]":
    """What makes a web3 that asks one URL over a Net. The first call imports web3."""
    from web3 import AsyncWeb3
    from web3.eth import AsyncEth
    from web3.providers.async_base import AsyncJSONBaseProvider

    class NetProvider(AsyncJSONBaseProvider):
        """Every request of web3 goes through the Net, with its limits, its allowed hosts and its errors."""

        global_ccip_read_enabled = False

        def __init__(self, net: "Net", url: str) -> None:
            super().__init__()
            self._net, self._url, self._numbers = net, url, count(1)

        async def make_request(self, method: "RPCEndpoint", params: Any) -> "RPCResponse":
            number = next(self._numbers)
            request = {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}
            reply = await self._net.post_json(self._url, request, max_bytes=REPLY_BYTES)
            result = rpc_result(reply, method, number)
            if method == "eth_call":
                _must_be_hexadecimal(result)
            return {"jsonrpc": "2.0", "id": number, "result": result}

    return lambda net, url: AsyncWeb3(NetProvider(net, url), middleware=[], modules={"eth": (AsyncEth,)})


def _must_be_hexadecimal(result: object) -> None:
    """web3 would pad half a byte and take a number for its bytes."""
    if not isinstance(result, str) or not _HEXADECIMAL.fullmatch(result):
        raise BadPayload("eth_call: the result is not hexadecimal")


def rpc_result(reply: object, method: str, number: int) -> object:
    """The result in a reply. SourceError with the node's own words if it is an error; BadPayload if it answers no question of ours."""
    if not isinstance(reply, Mapping):
        raise BadPayload(f"{method}: the reply is not a JSON-RPC object")
    if (error := reply.get("error")) is not None:
        words = error.get("message") if isinstance(error, Mapping) else error
        permanent = isinstance(error, Mapping) and error.get("code") == _METHOD_NOT_FOUND
        raise SourceError(f"{method}: the node says {safe_text(str(words), 120)!r}", permanent=permanent)
    if reply.get("id") != number or isinstance(reply.get("id"), bool):
        raise BadPayload(f"{method}: the reply carries the id of another request")
    if "result" not in reply:
        raise BadPayload(f"{method}: the reply has neither result nor error")
    return reply["result"]
