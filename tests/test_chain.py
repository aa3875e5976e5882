"""The chain reader against a node out of tables that forges, lags, misroutes, floods and shifts."""

import asyncio
from typing import Any

import pytest
from eth_abi.abi import decode, encode
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.chain import (
    ANSWER_BYTES,
    LAST,
    Answer,
    Block,
    BlockPinnedReader,
    Call,
    Failed,
    batch_bytes,
    batch_payload,
    decode_batch,
    hex_bytes,
    quantity,
    split_results,
    verified_block,
)
from monitor.errors import BadPayload, SourceError
from tests.fake_chain import PAIRS, FakeChain, header

TOKENS = ["0x" + digit * 40 for digit in "567"]
DECIMALS = [Call(token, "erc20", "decimals") for token in TOKENS]
SYMBOL = Call(TOKENS[1], "erc20", "symbol")
# The first block of Ethereum as every node serves it: a vector from outside this repository.
ETHEREUM_GENESIS = {
    "parentHash": "0x" + "0" * 64,
    "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
    "miner": "0x" + "0" * 40,
    "stateRoot": "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
    "transactionsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    "receiptsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    "logsBloom": "0x" + "0" * 512,
    "difficulty": "0x400000000",
    "number": "0x0",
    "gasLimit": "0x1388",
    "gasUsed": "0x0",
    "timestamp": "0x0",
    "extraData": "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
    "mixHash": "0x" + "0" * 64,
    "nonce": "0x0000000000000042",
    "hash": "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
}


def node(*answers: tuple[Call, object]) -> FakeChain:
    chain = FakeChain()
    for call, output in answers:
        chain.say(call, output)
    return chain


def reader(chain: FakeChain, **settings: Any) -> BlockPinnedReader:
    return BlockPinnedReader(chain.rpc, **{"chain_id": 31337, "genesis_hash": chain.genesis["hash"], **settings})


def read(chain: FakeChain, calls: list[Call], **settings: Any) -> tuple[Answer, ...]:
    async def one_pass() -> tuple[Answer, ...]:
        pinned = reader(chain, **settings)
        return await pinned.read(await pinned.pin(), calls)

    return asyncio.run(one_pass())


def methods(chain: FakeChain) -> list[str]:
    return [method for method, _ in chain.asked]


def three_tokens() -> FakeChain:
    return node(*zip(DECIMALS, (6, 18, 8), strict=True))


def test_answers_come_in_the_order_of_the_calls_however_they_are_batched() -> None:
    for batch_size in (1, 2, 3, 100):
        chain = three_tokens()
        assert read(chain, DECIMALS, batch_size=batch_size) == ((6,), (18,), (8,))
        assert methods(chain).count("eth_call") == -(-3 // batch_size)
    assert read(three_tokens(), []) == ()


def test_every_read_of_a_pass_names_the_one_block_hash_F_042() -> None:
    chain = three_tokens()
    read(chain, DECIMALS, batch_size=1)
    assert [params[1] for method, params in chain.asked if method == "eth_call"] == [{"blockHash": chain.head["hash"], "requireCanonical": True}] * 3


def test_a_node_that_does_not_have_the_block_is_asked_again_later_and_not_believed_F_042() -> None:
    async def one_pass(chain: FakeChain) -> None:
        pinned = reader(chain)
        block = await pinned.pin()
        chain.head = header(99)
        await pinned.read(block, DECIMALS)

    with pytest.raises(SourceError, match="header not found") as refused:
        asyncio.run(one_pass(three_tokens()))
    assert not refused.value.permanent


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [({"chain_id": 1}, "is chain 31337, not 1"), ({"genesis_hash": "0x" + "9" * 64}, "another genesis block")],
)
def test_another_chain_is_refused_before_anything_is_read_F_053(settings: dict[str, Any], sentence: str) -> None:
    chain = three_tokens()
    with pytest.raises(SourceError, match=sentence) as refused:
        read(chain, DECIMALS, **settings)
    assert refused.value.permanent
    assert "eth_call" not in methods(chain)


def test_the_genesis_of_a_well_known_chain_needs_no_setting_F_053() -> None:
    chain = FakeChain(chain_id=1)
    with pytest.raises(SourceError, match="another genesis block"):
        read(chain, [], chain_id=1, genesis_hash="")
    chain.genesis = ETHEREUM_GENESIS
    assert read(chain, [], chain_id=1, genesis_hash="") == ()


def test_the_chain_is_checked_again_on_every_pass_F_053() -> None:
    async def two_passes(chain: FakeChain) -> None:
        pinned = reader(chain)
        await pinned.pin()
        chain.chain_id = 10
        await pinned.pin()

    with pytest.raises(SourceError, match="is chain 10"):
        asyncio.run(two_passes(FakeChain()))


def test_the_first_block_of_ethereum_hashes_to_its_published_hash() -> None:
    assert verified_block(ETHEREUM_GENESIS, "genesis") == Block(0, str(ETHEREUM_GENESIS["hash"]), "0x" + "0" * 64, 0)


def other(value: str) -> str:
    return value[:-1] + ("1" if value[-1] != "1" else "2")


@pytest.mark.parametrize("name", sorted(header()))
def test_a_header_with_any_one_field_changed_is_refused_for_good_F_045(name: str) -> None:
    forged = header()
    assert verified_block(forged, "block").number == 100
    with pytest.raises(SourceError, match="does not hash") as refused:
        verified_block({**forged, name: other(forged[name])}, "block")
    assert refused.value.permanent


@pytest.mark.parametrize("name", ["baseFeePerGas", "withdrawalsRoot", "requestsHash"])
def test_a_header_without_a_later_field_is_another_header(name: str) -> None:
    with pytest.raises(SourceError, match="does not hash"):
        verified_block({**header(), name: None}, "block")
    without: dict[str, Any] = {name: None}
    assert verified_block(header(**without), "block").hash != header()["hash"]


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ([], "not an object"),
        ({}, "hash of block is not"),
        ({**header(), "hash": "0x12"}, "not 32 bytes"),
        ({name: value for name, value in header().items() if name != "stateRoot"}, "lacks stateRoot"),
        ({**header(), "number": "100"}, "number is not a number"),
        ({**header(), "timestamp": 5}, "timestamp is not a number"),
        ({**header(), "miner": "0x12"}, "miner is not 20 bytes"),
        ({**header(), "extraData": "0x1"}, "extraData is not a string"),
        ({**header(), "extraData": "0x" + "00" * (ANSWER_BYTES + 1)}, "at most 65536 bytes"),
    ],
)
def test_a_malformed_header_is_a_bad_payload(broken: object, sentence: str) -> None:
    with pytest.raises(BadPayload, match=sentence):
        verified_block(broken, "block")


def test_a_null_block_is_a_reason_to_try_again_F_047() -> None:
    chain = FakeChain()
    chain.spoil("eth_getBlockByNumber", lambda _: None)
    with pytest.raises(SourceError, match="has no") as refused:
        read(chain, [])
    assert not refused.value.permanent


def test_a_block_by_number_must_be_the_block_that_was_asked_for() -> None:
    chain = FakeChain()
    assert asyncio.run(reader(chain).pin(100)).number == 100
    with pytest.raises(SourceError, match="asked for block 101"):
        asyncio.run(reader(chain).pin(101))


WORD = (18).to_bytes(32)


def test_every_inner_call_is_allowed_to_fail_F_059() -> None:
    """Multicall3 reverts as a whole where one call may not fail; the flag is asked for in each."""
    [triples] = decode(["(address,bool,bytes)[]"], batch_payload([*DECIMALS, SYMBOL])[4:])
    assert [may_fail for _, may_fail, _ in triples] == [True] * (4 + len(LAST))


@pytest.mark.parametrize(
    ("success", "output", "reason"),
    [
        (False, b"", "decimals reverted"),
        (False, WORD, "decimals reverted"),
        (True, b"", "does not decode"),
        (True, WORD[:31], "does not decode"),
        (True, WORD[1:] + b"\x01\x02", "does not decode"),
        (True, b"\xff" * 32, "does not decode"),
        (True, (256).to_bytes(32), "does not decode"),
        (True, WORD + b"\0" * ANSWER_BYTES, "longer than 64 KiB"),
    ],
    ids=["reverts", "reverts with a value", "no code", "31 bytes", "shifted", "all ones", "more than uint8", "flood"],
)
def test_one_bad_inner_answer_fails_alone_and_shifts_nothing_F_059(success: bool, output: bytes, reason: str) -> None:
    chain = three_tokens()
    chain.say_raw(DECIMALS[1], output, success)
    first, second, third = read(chain, DECIMALS)
    assert (first, third) == ((6,), (8,))
    assert isinstance(second, Failed)
    assert reason in second.reason


@pytest.mark.parametrize(
    "output",
    [
        b"MKR".ljust(32, b"\0"),
        encode(["bytes"], [b"\xff\xfe"]),
        (32).to_bytes(32) + (2**64).to_bytes(32),
        (2**255).to_bytes(32) + WORD,
        (32).to_bytes(32) + (1).to_bytes(32) + b"A" * 32,
    ],
    ids=["bytes32", "not UTF-8", "endless length", "far pointer", "dirty padding"],
)
def test_text_that_is_not_text_is_a_failed_call_F_060(output: bytes) -> None:
    chain = three_tokens()
    chain.say_raw(SYMBOL, output)
    assert isinstance(read(chain, [SYMBOL])[0], Failed)


def test_an_answer_that_floods_the_batch_is_halved_away_from_its_neighbours_F_060() -> None:
    chain = three_tokens()
    chain.say_raw(DECIMALS[2], b"\0" * batch_bytes(3))
    assert read(chain, DECIMALS) == ((6,), (18,), Failed("its answer is longer than 64 KiB"))


def greedy(chain: FakeChain, *targets: str, gas_of_a_batch: int = 1) -> FakeChain:
    """The chain with contracts that use up all gas: each leaves a 64th to those behind it, and more than one of them nothing to anybody."""
    honest = chain._call

    def call(request: Any, block: Any) -> str:
        [triples] = decode(["(address,bool,bytes)[]"], bytes.fromhex(request["data"][10:]))
        places = [place for place, (target, _, _) in enumerate(triples) if target in targets]
        if len(places) > gas_of_a_batch:
            raise SourceError("eth_call: the node says 'out of gas'")
        [pairs] = decode(PAIRS, bytes.fromhex(honest(request, block)[2:]))
        starved = range(places[0], len(pairs)) if places else ()
        return "0x" + encode(PAIRS, [[(False, b"") if place in starved else pair for place, pair in enumerate(pairs)]]).hex()

    chain._call = call  # type: ignore[method-assign]  # the same node, with hungry contracts
    return chain


def test_a_call_that_starves_those_behind_it_is_halved_away_and_they_did_not_revert_F_062() -> None:
    """What starves looks as a function that is not there, and that it is not would be believed."""
    chain = greedy(three_tokens(), TOKENS[1])
    assert read(chain, DECIMALS) == ((6,), Failed("decimals reverted", reverted=True), (8,))


def test_calls_that_use_up_the_gas_of_the_whole_batch_fail_alone_F_062() -> None:
    chain = greedy(three_tokens(), TOKENS[0], TOKENS[1])
    assert read(chain, DECIMALS) == (*[Failed("decimals reverted", reverted=True)] * 2, (8,))
    hungry = greedy(three_tokens(), TOKENS[1], gas_of_a_batch=0)
    assert read(hungry, DECIMALS) == ((6,), Failed("decimals uses up all gas that the node gives"), (8,))


def test_a_node_that_fails_for_another_reason_is_not_asked_again_and_again_F_062() -> None:
    chain = three_tokens()

    def call(request: Any, block: Any) -> str:
        raise SourceError("eth_call: the node says 'header not found'")

    chain._call = call  # type: ignore[method-assign]  # the same node, without its blocks
    with pytest.raises(SourceError, match="header not found"):
        read(chain, DECIMALS)
    assert methods(chain).count("eth_call") == 1


def test_a_node_that_runs_out_of_gas_at_nothing_is_at_fault_itself_and_asked_no_more_F_062() -> None:
    """Halving would ask 199 times for a batch of 100, and then blame every contract."""
    with pytest.raises(SourceError, match="out of gas"):
        read(chain := greedy(three_tokens(), gas_of_a_batch=-1), DECIMALS)
    assert methods(chain).count("eth_call") == 2


def results(*outputs: bytes) -> bytes:
    return encode(PAIRS, [[(True, output) for output in (*outputs, *[(1).to_bytes(32)] * len(LAST))]])


def patched(body: bytes, word: int, value: int) -> bytes:
    return body[: 32 * word] + value.to_bytes(32) + body[32 * word + 32 :]


THREE = results(WORD, WORD, WORD)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        THREE[:-1],
        THREE[:64],
        results(WORD, WORD),
        results(WORD, WORD, WORD, WORD),
        patched(THREE, 0, 64),
        patched(THREE, 1, 2**200),
        patched(THREE, 3, 7 * 32),
        patched(THREE, 9, 2),
        patched(THREE, 10, 32),
        patched(THREE, 11, 2**255),
        patched(THREE, 11, 0),
    ],
    ids=[
        "empty",
        "cut",
        "no elements",
        "one less",
        "one more",
        "outer pointer",
        "huge count",
        "reused pointer",
        "not a bool",
        "inner pointer",
        "huge size",
        "gap",
    ],
)
def test_an_envelope_out_of_shape_spoils_the_batch_and_is_never_unfolded_F_060(body: bytes) -> None:
    assert decode_batch("0x" + THREE.hex(), DECIMALS) == ([(18,)] * 3, False)
    with pytest.raises(BadPayload, match="aggregate3"):
        decode_batch("0x" + body.hex(), DECIMALS)


@given(st.binary(max_size=600) | st.tuples(st.integers(0, len(THREE) - 1), st.binary(min_size=1, max_size=32)), st.integers(0, 8))
@example(b"", 0)
@example((127, b"\x60"), 7)
def test_no_bytes_unfold_into_more_than_they_are_F_060(noise: bytes | tuple[int, bytes], calls: int) -> None:
    body = noise if isinstance(noise, bytes) else THREE[: noise[0]] + noise[1] + THREE[noise[0] + len(noise[1]) :]
    try:
        outputs = list(split_results(body, calls))
    except BadPayload:
        return
    assert len(outputs) == calls
    assert sum(len(output) for _, output in outputs) <= len(body)


@pytest.mark.parametrize("answer", [None, 5, "", "0x1", "12", "0xzz", "0x 12", {"data": "0x"}])
def test_what_is_not_hexadecimal_is_a_bad_payload(answer: object) -> None:
    chain = three_tokens()
    chain.spoil("eth_call", lambda _: answer)
    with pytest.raises(BadPayload):
        read(chain, DECIMALS)


def test_a_chain_without_multicall_is_named_for_what_it_is() -> None:
    with pytest.raises(SourceError, match="no Multicall3") as refused:
        read(three_tokens(), DECIMALS, multicall=TOKENS[0])
    assert refused.value.permanent


def test_a_call_that_asks_for_a_lookup_elsewhere_is_only_a_failed_call_F_061() -> None:
    chain = three_tokens()
    urls = encode(["address", "string[]", "bytes", "bytes4", "bytes"], [TOKENS[0], ["http://127.0.0.1:1/"], b"", b"\0" * 4, b""])
    chain.say_raw(DECIMALS[0], bytes.fromhex("556f1830") + urls, success=False)
    [answer] = read(chain, DECIMALS[:1])
    assert isinstance(answer, Failed)
    assert "never made" in answer.reason
    assert methods(chain) == ["eth_chainId", "eth_getBlockByNumber", "eth_getBlockByNumber", "eth_call"]


@pytest.mark.parametrize("text", ["0x0", "0x10", "0x" + "f" * 64])
def test_a_quantity_is_0x_and_digits(text: str) -> None:
    assert quantity(text, "value") == int(text, 16)


@pytest.mark.parametrize("value", [None, 5, True, "", "0x", "10", "0x_1", " 0x1", "-0x1", "0x" + "f" * 65])
def test_what_is_not_a_quantity_is_refused(value: object) -> None:
    with pytest.raises(BadPayload, match="value is not a number"):
        quantity(value, "value")


def test_bytes_are_measured_before_they_are_decoded() -> None:
    assert hex_bytes("0x" + "ab" * 4, "value", limit=4) == b"\xab" * 4
    with pytest.raises(BadPayload, match="at most 4 bytes"):
        hex_bytes("0x" + "ab" * 5, "value", limit=4)
