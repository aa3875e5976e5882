"""JSON-RPC over the net, carried by web3: what comes back is the node's own result, whole, or an error of ours."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from eth_abi.abi import encode
from web3.eth import AsyncEth
from web3.exceptions import OffchainLookup

from monitor import rpc
from monitor.chain import MULTICALL3
from monitor.errors import BadPayload, SourceError
from monitor.rpc import json_rpc, rpc_result
from tests.fake_chain import FakeChain
from tests.fakes import FakeNet

NODE = "https://node.test/key"
CALL = ({"to": MULTICALL3.lower(), "data": "0xabcd"}, {"blockHash": "0x" + "1" * 64, "requireCanonical": True})


def replying(**reply: object) -> FakeNet:
    return FakeNet().answer("POST", NODE, lambda request: {"jsonrpc": "2.0", "id": request.body["id"], **reply})


def asked(net: FakeNet, method: str, params: Sequence[object]) -> object:
    return asyncio.run(_asked(net, method, params))


async def _asked(net: FakeNet, method: str, params: Sequence[object]) -> object:
    return await json_rpc(net, NODE)(method, params)


@pytest.mark.parametrize(
    ("reply", "error", "sentence"),
    [
        ([], BadPayload, "not a JSON-RPC object"),
        ({"id": 8, "result": "0x1"}, BadPayload, "another request"),
        ({"result": "0x1"}, BadPayload, "another request"),
        ({"id": 7}, BadPayload, "neither result nor error"),
        ({"id": 7, "error": {"code": -32000, "message": "header not found"}}, SourceError, "header not found"),
        ({"id": None, "error": {"code": -32700, "message": "parse error"}}, SourceError, "parse error"),
        ({"id": 7, "error": "busy\u202e\n"}, SourceError, "'busy'"),
        ({"id": 7, "error": {"message": "x" * 500}}, SourceError, "x~"),
    ],
)
def test_a_reply_without_our_result_is_refused_F_064_F_097(reply: object, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence) as refused:
        rpc_result(reply, "eth_call", 7)
    assert len(str(refused.value)) < 200


def test_true_is_not_the_id_one_F_064() -> None:
    with pytest.raises(BadPayload, match="another request"):
        rpc_result({"id": True, "result": "0x1"}, "eth_call", 1)


def test_a_method_that_the_node_lacks_is_not_asked_for_again() -> None:
    with pytest.raises(SourceError) as refused:
        rpc_result({"id": 7, "error": {"code": -32601, "message": "unknown method"}}, "eth_call", 7)
    assert refused.value.permanent


def test_a_null_result_is_a_result() -> None:
    assert rpc_result({"id": 7, "result": None}, "eth_getBlockByNumber", 7) is None


def test_requests_over_the_net_carry_ids_of_their_own() -> None:
    chain = FakeChain()
    net = FakeNet().answer("POST", NODE, chain.reply)

    async def twice() -> list[object]:
        rpc = json_rpc(net, NODE)
        return [await rpc("eth_chainId", ()), await rpc("eth_chainId", ())]

    assert asyncio.run(twice()) == ["0x7a69", "0x7a69"]
    assert [call.body for call in net.calls] == [{"jsonrpc": "2.0", "id": number, "method": "eth_chainId", "params": []} for number in (1, 2)]


def test_a_call_is_sent_with_its_data_and_pinned_to_its_block_as_they_are_F_042() -> None:
    net = replying(result="0x00FF")
    assert asked(net, "eth_call", CALL) == "0x00ff"
    [request] = net.calls
    assert isinstance(request.body, dict)
    assert request.body["params"] == [{"to": MULTICALL3, "data": "0xabcd"}, CALL[1]]


def test_a_header_comes_back_as_the_node_wrote_it_so_that_it_can_be_hashed_F_045() -> None:
    written = {"number": "0x64", "extraData": "0x" + "ab" * 97, "hash": "0x12", "nonsense": [None]}
    assert asked(replying(result=written), "eth_getBlockByNumber", ("latest", False)) == written


@pytest.mark.parametrize("result", [None, 5, True, {}, "", "0x1", "0xzz", "ab", "0xab ", "0Xab"])
def test_what_web3_would_pad_or_convert_is_refused_before_it_sees_it(result: object) -> None:
    with pytest.raises(BadPayload, match="not hexadecimal"):
        asked(replying(result=result), "eth_call", CALL)


LOOKUP = (MULTICALL3, ["https://lookup.test/{data}"], b"", bytes(4), b"")
LOOKUP_DATA = "0x556f1830" + encode(["address", "string[]", "bytes", "bytes4", "bytes"], LOOKUP).hex()


def test_a_lookup_that_the_node_names_is_the_nodes_error_and_the_only_request_F_061() -> None:
    net = replying(error={"code": 3, "message": "execution reverted", "data": LOOKUP_DATA})
    with pytest.raises(SourceError, match="execution reverted"):
        asked(net, "eth_call", CALL)
    assert len(net.calls) == 1


@pytest.mark.parametrize("still_off", ["on the call", "on the provider"])
def test_either_switch_alone_keeps_web3_from_following_a_lookup_F_061(monkeypatch: pytest.MonkeyPatch, still_off: str) -> None:
    """Even if an error of a node did reach web3, which it does not."""
    followed = list[object]()

    def lookup(*_: object) -> object:
        raise OffchainLookup(dict(zip(("sender", "urls", "callData", "callbackFunction", "extraData"), LOOKUP, strict=True)))

    async def follow(payload: object, *_: object, **__: object) -> bytes:
        followed.append(payload)
        return b""

    monkeypatch.setattr(rpc, "rpc_result", lookup)
    monkeypatch.setattr("web3.eth.async_eth.async_handle_offchain_lookup", follow)
    if still_off == "on the call":
        monkeypatch.setattr("web3.providers.async_base.AsyncBaseProvider.__getattribute__", _with_lookups)
    else:
        monkeypatch.setattr(AsyncEth, "call", _without_its_switch(AsyncEth.call))
    with pytest.raises(OffchainLookup):
        asked(replying(result="0x"), "eth_call", CALL)
    assert followed == []


def _with_lookups(provider: Any, name: str) -> Any:
    return True if name == "global_ccip_read_enabled" else object.__getattribute__(provider, name)


def _without_its_switch(call: Any) -> Any:
    async def plain(self: AsyncEth, transaction: Any, block: Any, **_: object) -> Any:
        return await call(self, transaction, block)

    return plain
