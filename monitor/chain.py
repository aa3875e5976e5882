"""Reads of one chain: every pass at one block hash, every header recomputed, every inner call answered for by itself.

A node is believed about nothing it can be caught out on: its chain id and genesis are compared on every pass, a header must hash to the
hash it claims, and reads name that hash (EIP-1898), so a node that is behind or on another fork must refuse instead of answering about
another block. Contracts are believed even less: an answer is measured before it is decoded, an OffchainLookup (EIP-3668) is one more
failed call, never a fetch, and a call that uses up the gas of its batch is taken away from its neighbours.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from pydantic import Field

from monitor.errors import BadPayload, SourceError
from monitor.resources import resource_dir
from monitor.rpc import Rpc

Address = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]

# The same on every chain that has it: multicall3.com/deployments.
MULTICALL3 = "0xcA11bde05977b3631167028862bE2a173976CA11"
KNOWN_GENESIS: Mapping[int, str] = {
    1: "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
    8453: "0xf712aa9241cc24369b143cf6dce85f0902a9731e70d66818a3a5845b296c73dd",
    42161: "0x7ee576b35482195fc49205cec9af72ce14f003b9ae69f6ba0faef4514be8b442",
}
ANSWER_BYTES = 64 * 1024
# Multicall3 gives all but a 64th of what gas is left to every call, so one that uses it up starves those behind it, which look as if they had
# reverted. Calls of a known price stand last: where they succeed, every call before them had as much gas as they take. Four pairings of four
# points at infinity are 725,000 gas, next to no work for the node, and few enough for chains that prove their blocks (EIP-197, EIP-1108).
LAST = (("0x" + "0" * 39 + "8", True, b"\0" * (4 * 192)),) * 4
_OUT_OF_GAS = re.compile("out ?of ?gas|execution aborted|VM execution error", re.IGNORECASE)
MOST_AMOUNT = 2**128 - 1
MOST_DECIMALS = 77  # 10**78 no longer fits a uint256
WORD = 32

# The header in the order in which it is hashed: bytes of that size, a number (0), or bytes of any size (-1).
_FRONTIER = {
    "parentHash": 32,
    "sha3Uncles": 32,
    "miner": 20,
    "stateRoot": 32,
    "transactionsRoot": 32,
    "receiptsRoot": 32,
    "logsBloom": 256,
    "difficulty": 0,
    "number": 0,
    "gasLimit": 0,
    "gasUsed": 0,
    "timestamp": 0,
    "extraData": -1,
    "mixHash": 32,
    "nonce": 8,
}
# London, Shanghai, Cancun (3), Prague: absent from the blocks before.
_LATER = {
    "baseFeePerGas": 0,
    "withdrawalsRoot": 32,
    "blobGasUsed": 0,
    "excessBlobGas": 0,
    "parentBeaconBlockRoot": 32,
    "requestsHash": 32,
}
_OFFCHAIN_LOOKUP = bytes.fromhex("556f1830")


@dataclass(frozen=True, slots=True)
class Block:
    """A header whose hash was recomputed. `timestamp_ms` is epoch milliseconds."""

    number: int
    hash: str
    parent_hash: str
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Call:
    """One read-only call: a function of one of the ABIs in `abis/`, at a 20-byte hex address."""

    target: str
    abi: str
    function: str
    args: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """One call without a value: it reverted, as a function does that is not there, or answered something else than its ABI says. The calls
    beside it stand.
    """

    reason: str
    reverted: bool = False


Answer = tuple[Any, ...] | Failed


def outputs(answer: Answer) -> tuple[Any, ...]:
    """What a call answered. BadPayload with its reason where it failed."""
    if isinstance(answer, Failed):
        raise BadPayload(answer.reason)
    return answer


def output(answer: Answer) -> Any:
    """The one value that a call answered. BadPayload with its reason where it failed."""
    [value] = outputs(answer)
    return value


def amount(answer: Answer) -> int:
    """The one amount that a call answered, in raw units or as a price. BadPayload where it failed, or for more than there is of any token."""
    return plausible(output(answer))


def plausible(raw: int) -> int:
    """The same amount. BadPayload for one that no token has."""
    if raw > MOST_AMOUNT:
        raise BadPayload(f"an amount of {raw:.1e} raw units is more than there is of any token: ask another node")
    return raw


def unless_absent(answer: Answer) -> tuple[Any, ...] | None:
    """The answer; None where the contract has no such function, which reverts. BadPayload for any other failure: then it has, and says nonsense."""
    if isinstance(answer, Failed) and not answer.reverted:
        raise BadPayload(answer.reason)
    return None if isinstance(answer, Failed) else answer


@dataclass(frozen=True)
class BlockPinnedReader:
    """Reads a chain through one JSON-RPC endpoint.

    `genesis_hash` pins the chain beyond its id; empty takes the known one of that id, if any. `batch_size` calls share one request.
    """

    rpc: Rpc
    chain_id: int
    genesis_hash: str = ""
    multicall: str = MULTICALL3
    batch_size: int = 100

    async def identify(self) -> None:
        """Prove that the endpoint is the chain it should be; SourceError (permanent) if not: its numbers are about something else."""
        answered = quantity(await self.rpc("eth_chainId", ()), "eth_chainId")
        if answered != self.chain_id:
            raise SourceError(f"the endpoint is chain {answered}, not {self.chain_id}: correct its URL or the chain id", permanent=True)
        wanted = self.genesis_hash or KNOWN_GENESIS.get(self.chain_id, "")
        if not wanted:
            return
        genesis = await self.rpc("eth_getBlockByNumber", ("0x0", False))
        if fields_of(genesis, "genesis block").get("hash") != wanted.lower():
            raise SourceError(f"the endpoint says chain {self.chain_id} but has another genesis block: it is another chain", permanent=True)

    async def pin(self, tag: str | int = "latest") -> Block:
        """The block that a pass reads at: `latest`, `safe`, `finalized` or a number; the chain's identity is checked first."""
        await self.identify()
        return await self.block(tag)

    async def block(self, tag: str | int) -> Block:
        """A block whose header was recomputed, for who has pinned one in this pass and so knows the chain."""
        name = hex(tag) if isinstance(tag, int) else tag
        block = verified_block(await self.rpc("eth_getBlockByNumber", (name, False)), f"block {tag}")
        if isinstance(tag, int) and block.number != tag:
            raise SourceError(f"asked for block {tag}, the node sent block {block.number}")
        return block

    async def read(self, block: Block, calls: Iterable[Call]) -> tuple[Answer, ...]:
        """The answer of each call, in order, all at this block: decoded outputs, or Failed."""
        wanted, answers = tuple(calls), list[Answer]()
        for start in range(0, len(wanted), self.batch_size):
            answers.extend(await self._batch(block, wanted[start : start + self.batch_size]))
        return tuple(answers)

    async def read_groups(self, block: Block, calls: Mapping[str, Sequence[Call]]) -> dict[str, tuple[Answer, ...]]:
        """The answers by the name of their group, all at this block; what several groups ask is asked once."""
        unique = tuple(dict.fromkeys(call for group in calls.values() for call in group))
        answers = dict(zip(unique, await self.read(block, unique), strict=True))
        return {name: tuple(answers[call] for call in group) for name, group in calls.items()}

    async def _batch(self, block: Block, calls: Sequence[Call]) -> list[Answer]:
        request = {"to": self.multicall, "data": "0x" + batch_payload(calls).hex()}
        pinned = {"blockHash": block.hash, "requireCanonical": True}
        try:
            answer = await self.rpc("eth_call", (request, pinned))
        except SourceError as error:
            if _OUT_OF_GAS.search(str(error)) is None:
                raise
            return await self._halved(block, calls) if len(calls) > 1 else [Failed(f"{calls[0].function} uses up all gas that the node gives")]
        if answer == "0x":
            raise SourceError(f"chain {self.chain_id} has no Multicall3 at {self.multicall} in block {block.number}", permanent=True)
        if len(calls) > 1 and isinstance(answer, str) and len(answer) > 2 + 2 * batch_bytes(len(calls)):
            return await self._halved(block, calls)
        answers, starved = decode_batch(answer, calls)
        return await self._halved(block, calls) if starved else answers

    async def _halved(self, block: Block, calls: Sequence[Call]) -> list[Answer]:
        """One contract that answers too much, or uses up the gas, must not blind the pass to the others: halve until it stands alone."""
        middle = len(calls) // 2
        return [*await self._batch(block, calls[:middle]), *await self._batch(block, calls[middle:])]


def batch_bytes(calls: int) -> int:
    """The most that an answer to so many calls may measure."""
    return 2 * WORD + calls * (4 * WORD + ANSWER_BYTES) + len(LAST) * 5 * WORD


def batch_payload(calls: Sequence[Call]) -> bytes:
    """Calldata of aggregate3 with every call allowed to fail, and behind them those that tell whether the gas sufficed."""
    triples = [*((call.target, True, call_payload(call)) for call in calls), *_behind(calls)]
    return call_payload(Call(MULTICALL3, "multicall3", "aggregate3", (triples,)))


def _behind(calls: Sequence[Call]) -> Sequence[tuple[str, bool, bytes]]:
    """A call that stands alone starves nobody."""
    return LAST if len(calls) > 1 else ()


def call_payload(call: Call) -> bytes:
    """Selector and encoded arguments; an argument that does not fit its type is a bug of ours and raises eth_abi's EncodingError."""
    from eth_abi.abi import encode

    function = _function(call.abi, call.function)
    return function.selector + encode(function.inputs, call.args)


def decode_batch(answer: object, calls: Sequence[Call]) -> tuple[list[Answer], bool]:
    """Each call's answer out of what aggregate3 returned, and whether the gas may not have sufficed for each.

    BadPayload if the envelope is not exactly one result for each call.
    """
    if isinstance(answer, str) and len(answer) > 2 + 2 * batch_bytes(1) and len(calls) == 1:
        return [Failed("its answer is longer than 64 KiB")], False
    body = hex_bytes(answer, "aggregate3", limit=batch_bytes(len(calls)))
    results = list(split_results(body, len(calls) + len(_behind(calls))))
    answers = [_answer(success, output, call) for (success, output), call in zip(results, calls, strict=False)]
    return answers, not all(success for success, _ in results[len(calls) :])


def split_results(body: bytes, expected: int) -> Iterator[tuple[bool, bytes]]:
    """The `(bool, bytes)[]` of aggregate3, each element where the one before ends.

    Pointers that are reused, overlap or leave gaps are legal ABI and are refused: they let a short answer unfold into a large one (F-060).
    """
    if _word(body, 0) != WORD or _word(body, WORD) != expected:
        raise BadPayload(f"aggregate3 did not return {expected} results")
    base, cursor = 2 * WORD, 2 * WORD + expected * WORD
    for index in range(expected):
        success, size = _word(body, cursor), _word(body, cursor + 2 * WORD)
        start, end = cursor + 3 * WORD, cursor + 3 * WORD + size
        if base + _word(body, base + index * WORD) != cursor or success > 1 or _word(body, cursor + WORD) != 2 * WORD or end > len(body):
            raise BadPayload(f"result {index} of aggregate3 is not laid out as its ABI says")
        yield bool(success), body[start:end]
        cursor = start + -(-size // WORD) * WORD


def _word(body: bytes, at: int) -> int:
    if at + WORD > len(body):
        raise BadPayload("aggregate3 answered less than its ABI says")
    return int.from_bytes(body[at : at + WORD])


def _answer(success: bool, output: bytes, call: Call) -> Answer:
    if not success:
        if output[:4] == _OFFCHAIN_LOOKUP:
            return Failed(f"{call.function} asks for a lookup outside the chain, which is never made")
        return Failed(f"{call.function} reverted", reverted=True)
    try:
        return decode_output(output, call.abi, call.function)
    except BadPayload as problem:
        return Failed(str(problem))


def decode_output(output: bytes, abi: str, function: str) -> tuple[Any, ...]:
    """Outputs of one call, decoded strictly. BadPayload: too long, too short, padded with dirt, or not text where text was promised."""
    from eth_abi.abi import decode
    from eth_abi.exceptions import DecodingError

    if len(output) > ANSWER_BYTES:
        raise BadPayload(f"the answer of {function} is longer than 64 KiB")
    try:
        return decode(_function(abi, function).outputs, output)
    except (DecodingError, ValueError, OverflowError) as problem:
        raise BadPayload(f"the answer of {function} does not decode: {type(problem).__name__}") from None


@dataclass(frozen=True, slots=True)
class _Function:
    selector: bytes
    inputs: list[str]
    outputs: list[str]


@cache
def _function(abi: str, name: str) -> _Function:
    from eth_utils.abi import function_abi_to_4byte_selector, get_abi_input_types, get_abi_output_types

    [entry] = [entry for entry in load_abi(abi) if entry["name"] == name]
    return _Function(function_abi_to_4byte_selector(entry), get_abi_input_types(entry), get_abi_output_types(entry))


@cache
def load_abi(name: str) -> tuple[Any, ...]:
    """A contract's minimal ABI out of `abis/`: only the functions that are called."""
    return tuple(json.loads((resource_dir("abis") / f"{name}.json").read_text(encoding="utf-8")))


def verified_block(header: object, what: str) -> Block:
    """A block out of a node's header. SourceError if there is none, or (permanent) if its hash is not its own; BadPayload if malformed."""
    fields = fields_of(header, what)
    claimed = "0x" + hex_bytes(fields.get("hash"), f"hash of {what}", size=32).hex()
    if header_hash(fields, what) != claimed:
        raise SourceError(f"{what} does not hash to the hash it claims: a forged header, or a chain with rules of its own", permanent=True)
    number, seconds = quantity(fields["number"], "number"), quantity(fields["timestamp"], "timestamp")
    return Block(number, claimed, "0x" + hex_bytes(fields["parentHash"], "parentHash", size=32).hex(), seconds * 1000)


def header_hash(fields: Mapping[str, object], what: str = "header") -> str:
    """Keccak-256 of the RLP of a header's fields, Frontier to Prague; a later field that is absent or null is left out."""
    from eth_utils.crypto import keccak

    missing = [name for name in _FRONTIER if name not in fields]
    if missing:
        raise BadPayload(f"{what} lacks {', '.join(missing)}")
    later = {name: size for name, size in _LATER.items() if fields.get(name) is not None}
    body = b"".join(_rlp(_field(fields[name], name, size)) for name, size in (_FRONTIER | later).items())
    return "0x" + keccak(_rlp_prefix(len(body), 0xC0) + body).hex()


def _rlp(item: bytes) -> bytes:
    return item if len(item) == 1 and item[0] < 0x80 else _rlp_prefix(len(item), 0x80) + item


def _rlp_prefix(length: int, offset: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    size = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([offset + 55 + len(size)]) + size


def _field(value: object, name: str, size: int) -> bytes:
    if size == 0:
        number = quantity(value, name)
        return number.to_bytes((number.bit_length() + 7) // 8)
    return hex_bytes(value, name, size=max(size, 0))


def fields_of(header: object, what: str) -> Mapping[str, object]:
    """The fields of a block. SourceError if the node has none: it is behind, or has forgotten, and another try may help."""
    if header is None:
        raise SourceError(f"the node has no {what}")
    if not isinstance(header, Mapping):
        raise BadPayload(f"{what} is {type(header).__name__}, not an object")
    return header


def hex_bytes(value: object, what: str, *, size: int = 0, limit: int = ANSWER_BYTES) -> bytes:
    """Bytes of a 0x string of exactly `size` bytes, or of at most `limit`; measured before it is decoded. BadPayload otherwise."""
    if not isinstance(value, str) or len(value) > 2 + 2 * limit or len(value) % 2 or not re.fullmatch(r"0x[0-9a-fA-F]*", value):
        raise BadPayload(f"{what} is not a string of at most {limit} bytes in hexadecimal")
    if size and len(value) != 2 + 2 * size:
        raise BadPayload(f"{what} is not {size} bytes long")
    return bytes.fromhex(value[2:])


def quantity(value: object, what: str) -> int:
    """A non-negative number of a JSON-RPC answer. BadPayload unless it is 0x and 1 to 64 hexadecimal digits."""
    if not isinstance(value, str) or not re.fullmatch(r"0x[0-9a-fA-F]{1,64}", value):
        raise BadPayload(f"{what} is not a number in hexadecimal")
    return int(value, 16)
