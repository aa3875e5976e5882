"""A node out of tables: it answers the JSON-RPC that the chain reader speaks, honestly, until a test spoils one of its answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.abi import get_abi_output_types

from monitor.chain import MULTICALL3, Call, call_payload, header_hash, load_abi
from monitor.errors import SourceError
from monitor.rpc import Rpc
from tests.fakes import Call as Request


def encoded(call: Call, outputs: Sequence[object]) -> bytes:
    """What a contract that keeps its ABI returns."""
    [entry] = [entry for entry in load_abi(call.abi) if entry["name"] == call.function]
    return encode(get_abi_output_types(entry), outputs)


TRIPLES = ["(address,bool,bytes)[]"]
PAIRS = ["(bool,bytes)[]"]


def header(number: int = 100, seconds: int = 1_700_000_000, **changes: object) -> dict[str, Any]:
    """A header of the Prague fork with its own true hash; `changes` go in before the hash is taken, None leaves a field out."""
    fields: dict[str, Any] = {
        **{name: "0x" + digit * 64 for name, digit in (("parentHash", "a"), ("sha3Uncles", "b"), ("stateRoot", "c"), ("mixHash", "d"))},
        **{name: "0x" + digit * 64 for name, digit in (("transactionsRoot", "e"), ("receiptsRoot", "f"), ("withdrawalsRoot", "1"))},
        **{name: "0x" + digit * 64 for name, digit in (("parentBeaconBlockRoot", "2"), ("requestsHash", "3"))},
        "miner": "0x" + "4" * 40,
        "logsBloom": "0x" + "0" * 512,
        "nonce": "0x" + "0" * 16,
        "extraData": "0x6d6f6e",
        "difficulty": "0x0",
        "number": hex(number),
        "gasLimit": "0x1c9c380",
        "gasUsed": "0x5208",
        "timestamp": hex(seconds),
        "baseFeePerGas": "0x7f",
        "blobGasUsed": "0x20000",
        "excessBlobGas": "0x0",
    }
    fields = {name: value for name, value in (fields | changes).items() if value is not None}
    return {**fields, "hash": header_hash(fields)}


@dataclass
class FakeChain:
    """`say` sets what a call returns; `spoil` rewrites the whole answer of a method; `asked` remembers every request.

    Blocks before the head are `spacing_seconds` apart where that is set; `logs` are handed out to who asks for their range, contract and topic;
    `fees` gives the reward (wei) and fullness of a block by its number.
    """

    chain_id: int = 31337
    head: dict[str, Any] = field(default_factory=header)
    genesis: dict[str, Any] = field(default_factory=lambda: header(0, 1))
    asked: list[tuple[str, Sequence[Any]]] = field(default_factory=list)
    answers: dict[tuple[str, bytes], tuple[bool, bytes]] = field(default_factory=dict)
    spoilers: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    spacing_seconds: int = 0
    logs: list[dict[str, Any]] = field(default_factory=list)
    fees: Callable[[int], tuple[int, float]] = lambda number: (0, 0.0)

    def say(self, call: Call, *outputs: object) -> None:
        self.say_raw(call, encoded(call, outputs))

    def say_raw(self, call: Call, output: bytes, success: bool = True) -> None:
        self.answers[call.target.lower(), call_payload(call)] = (success, output)

    def spoil(self, method: str, change: Callable[[Any], Any]) -> None:
        self.spoilers[method] = change

    @property
    def rpc(self) -> Rpc:
        async def rpc(method: str, params: Sequence[object]) -> object:
            return self.result(method, params)

        return rpc

    def reply(self, request: Request) -> Mapping[str, object]:
        """The whole JSON-RPC reply to a request that a FakeNet was given."""
        body: Any = request.body
        try:
            return {"jsonrpc": "2.0", "id": body["id"], "result": self.result(body["method"], body["params"])}
        except SourceError as error:
            return {"jsonrpc": "2.0", "id": body["id"], "error": {"code": -32000, "message": str(error)}}

    def result(self, method: str, params: Sequence[Any]) -> object:
        self.asked.append((method, params))
        honest: dict[str, Callable[[], object]] = {
            "eth_chainId": lambda: hex(self.chain_id),
            "eth_getBlockByNumber": lambda: self._block(params[0]),
            "eth_getLogs": lambda: [log for log in self.logs if _is_wanted(log, params[0])],
            "eth_feeHistory": lambda: self._fee_history(int(params[0], 16), int(params[1], 16)),
            "eth_call": lambda: self._call(*params),
        }
        return self.spoilers.get(method, lambda answer: answer)(honest[method]())

    def _block(self, name: str) -> object:
        if name == "0x0":
            return self.genesis
        if not self.spacing_seconds or not name.startswith("0x"):
            return self.head
        head, number = int(self.head["number"], 16), int(name, 16)
        back_seconds = (head - number) * self.spacing_seconds
        return self.head if number == head else header(number, int(self.head["timestamp"], 16) - back_seconds)

    def _fee_history(self, count: int, newest: int) -> object:
        rewards, fullness = zip(*(self.fees(number) for number in range(newest - count + 1, newest + 1)), strict=True)
        base = ["0x1"] * (count + 1)
        reward = [[hex(wei)] for wei in rewards]
        return {"oldestBlock": hex(newest - count + 1), "reward": reward, "gasUsedRatio": list(fullness), "baseFeePerGas": base}

    def _call(self, request: Mapping[str, str], block: Mapping[str, object]) -> str:
        if block != {"blockHash": self.head["hash"], "requireCanonical": True}:
            raise SourceError("header not found")
        if request["to"] != MULTICALL3:
            return "0x"
        [triples] = decode(TRIPLES, bytes.fromhex(request["data"][10:]))
        results = [self.answers.get((target, payload), (True, b"")) for target, _, payload in triples]
        return "0x" + encode(PAIRS, [results]).hex()


def _is_wanted(log: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    in_range = int(wanted["fromBlock"], 16) <= int(log["blockNumber"], 16) <= int(wanted["toBlock"], 16)
    return in_range and log["address"] in wanted["address"] and log["topics"][0] in wanted["topics"][0]
