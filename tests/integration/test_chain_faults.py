"""A running daemon in front of a node that lies, lags or is another one, and on a chain with hostile tokens: refused, said, never believed."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from monitor.chain import MULTICALL3, Answer, BlockPinnedReader, Call, Failed
from tests.integration.anvil import Anvil
from tests.integration.daemons import daemon
from tests.integration.lure import lure
from tests.integration.proxy import Ask, Bend, Proxy, of, proxy, result_of, straight
from tests.integration.solidity import compiled
from tests.integration.uniswap import OFFLINE, Uniswap, deployed
from tests.integration.watching import Watched, come_to_now, initialised, past_world, settings, wrong

UNKNOWN_ID = 999_999


@pytest.fixture(scope="module")
def world(anvil: Path) -> Iterator[Uniswap]:
    with past_world(anvil) as made:
        made.mint(-600, 600, 10**18)
        made.mint(60, 180, 10**17)
        come_to_now(made)
        yield made


@pytest.fixture(scope="module")
def text(world: Uniswap, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What `init` writes for the owner of this world."""
    file = tmp_path_factory.mktemp("init") / "mine.yaml"
    initialised(file, world)
    return file.read_text()


@contextmanager
def watching(folder: Path, world: Uniswap, text: str) -> Iterator[tuple[Watched, Proxy]]:
    """A daemon behind a proxy that is still straight."""
    with proxy(world.chain.url) as front:
        file = folder / "proxied.yaml"
        file.write_text(text.replace(world.chain.url, front.url))
        with daemon(folder, "--config", str(file), "run", env=settings()) as running:
            yield Watched(running, world), front


def behind(old: Mapping[str, str], knows: Callable[[Any], bool]) -> Bend:
    """A balancer whose second node, which answers the calls, is still at an older block: it has no other, and that is its latest."""

    def bend(request: dict[str, Any], ask: Ask) -> dict[str, Any]:
        if request["method"] != "eth_call":
            return ask(request)
        call, block = request["params"]
        if isinstance(block, dict) and not knows(block):
            return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32000, "message": "header not found"}}
        return ask({**request, "params": [call, block if isinstance(block, dict) else old]})

    return bend


def test_a_node_that_lags_behind_the_other_is_refused_until_it_has_the_block_F_042(tmp_path: Path, world: Uniswap, text: str) -> None:
    with watching(tmp_path, world, text) as (watched, front):
        old, before = watched.at_the_newest_block()
        front.bend = behind({"blockHash": old}, lambda block: block["blockHash"] == old)
        world.swap(True, 10**16)
        reason = watched.running.wait_for(lambda: watched.source().get("reason"), 20)
        assert "header not found" in reason
        shown = watched.shown()
        assert {row["block_hash"] for row in shown.values()} == {old} and wrong(world, shown) == []
        front.bend = straight
        newest, after = watched.at_the_newest_block()
        assert newest != old and wrong(world, after) == []
        assert [row["amount0"] for row in after.values()] != [row["amount0"] for row in before.values()]


def other_field(name: str, value: str) -> Bend:
    return result_of("eth_getBlockByNumber", lambda header: {**header, name: value})


def beckoning(url: str) -> Bend:
    """The node says that Multicall3 itself asks for a lookup."""
    types = ["address", "string[]", "bytes", "bytes4", "bytes"]
    data = "0x556f1830" + OFFLINE.codec.encode(types, [MULTICALL3, [url], b"", b"\0\0\0\0", b""]).hex()
    error = {"code": 3, "message": "execution reverted", "data": data}
    return of("eth_call", lambda reply: {"jsonrpc": "2.0", "id": reply["id"], "error": error})


@pytest.mark.parametrize(
    ("bend", "reason"),
    [
        (result_of("eth_chainId", lambda _: "0x5"), "the endpoint is chain 5, not {chain_id}: correct its URL or the chain id"),
        (other_field("stateRoot", "0x" + "ab" * 32), "block latest does not hash to the hash it claims"),
        (other_field("timestamp", "0x6a000000"), "block latest does not hash to the hash it claims"),
        (result_of("eth_getBlockByNumber", lambda _: None), "the node has no block latest"),
        (of("eth_call", lambda reply: {**reply, "id": 10**6}), "the reply carries the id of another request"),
        (result_of("eth_call", lambda _: "0x"), "has no Multicall3 at"),
        (result_of("eth_call", lambda answer: answer[:-64]), "aggregate3"),
    ],
    ids=[
        "another_chain_F_053",
        "a_forged_root_F_045",
        "a_forged_time_F_045",
        "a_null_block_F_047",
        "another_reply_F_064",
        "no_code",
        "a_short_envelope_F_059",
    ],
)
def test_what_a_node_cannot_truly_say_is_refused_with_its_reason_and_changes_nothing(
    tmp_path: Path, world: Uniswap, text: str, bend: Bend, reason: str
) -> None:
    with watching(tmp_path, world, text) as (watched, front):
        old, _ = watched.at_the_newest_block()
        front.bend = bend
        world.swap(False, 10**16)
        said = watched.running.wait_for(lambda: watched.source().get("reason"), 20)
        assert reason.format(chain_id=world.chain.chain_id) in said
        assert watched.source()["state"] in {"failing", "down"} and not watched.source()["up"]
        shown = watched.shown()
        assert {row["block_hash"] for row in shown.values()} == {old} and wrong(world, shown) == []


def test_a_lookup_that_the_node_asks_for_is_an_error_and_never_a_request_F_061(tmp_path: Path, world: Uniswap, text: str) -> None:
    with lure() as (url, visits), watching(tmp_path, world, text) as (watched, front):
        watched.at_the_newest_block()
        front.bend = beckoning(url)
        world.swap(False, 10**16)
        assert watched.running.wait_for(lambda: watched.source().get("reason"), 20)
        assert visits == []


def test_a_token_that_burns_all_gas_costs_its_own_answers_alone_F_062(chain: Anvil, uniswap: Uniswap) -> None:
    """Two such calls leave nothing to anybody: the node has no answer at all to a batch that holds them."""
    burning, token = deployed(chain, compiled()["Burning"]).address, deployed(chain, compiled()["Token"], "T", 6).address
    hungry = [Call(burning, "erc20", "decimals"), Call(burning, "erc20", "balanceOf", (token,))]
    honest = [Call(token, "erc20", "decimals"), *(Call(token, "erc20", "balanceOf", (f"0x{place:040x}",)) for place in range(60))]
    reader = BlockPinnedReader(chain.rpc, chain.chain_id)

    async def read(calls: list[Call]) -> tuple[Answer, ...]:
        return await reader.read(await reader.pin(), calls)

    chain.calls.clear()
    assert asyncio.run(read(honest)) == ((6,), *[(0,)] * 60)
    assert chain.calls.count("eth_call") == 1, "who is not starved is asked once"
    answers = asyncio.run(read([*hungry, *honest]))
    assert all(isinstance(answer, Failed) for answer in answers[:2])
    assert answers[2:] == ((6,), *[(0,)] * 60)


def test_hostile_tokens_and_a_mistyped_id_cost_their_own_positions_alone_F_059_F_060_F_061(tmp_path: Path, anvil: Path) -> None:
    mistyped = f"  - {{id: lp-{UNKNOWN_ID}, kind: uniswap-v3, chain: anvil, token_id: {UNKNOWN_ID}}}\n"
    with past_world(anvil) as world, lure() as (url, visits):
        before = world.mint(-600, 600, 10**18)
        traps = [deployed(world.chain, compiled()["Hostile"], url), deployed(world.chain, compiled()["Flooding"])]
        traps.append(deployed(world.chain, compiled()["Beckoning"], url))
        caught = [world.mint_beside(trap.address, 10**9) for trap in traps]
        after = world.mint(-60, 120, 10**17)
        come_to_now(world)
        initialised(tmp_path / "mine.yaml", world)
        text = (tmp_path / "mine.yaml").read_text().replace("\npositions:\n", f"\npositions:\n{mistyped}")
        with watching(tmp_path, world, text) as (watched, _):
            healthy = watched.running.wait_for(lambda: {n: row for n, row in watched.shown().items() if "block_hash" in row}, 20)
            assert healthy.keys() == {before, after}
            assert wrong(world, healthy) == []
            assert {n for n, row in watched.shown().items() if "unknown" in row and "liquidity" not in row} == {*caught, UNKNOWN_ID}
            assert watched.source()["state"] == "up" and watched.source()["rejected"] >= len(caught) + 1
            said = watched.running.errors.read_text()
        assert visits == []
        reasons = {
            UNKNOWN_ID: "positions reverted: the position manager knows no such token_id",
            caught[0]: "the answer of decimals does not decode: InsufficientDataBytes",
            caught[1]: "the answer of decimals is longer than 64 KiB",
            caught[2]: "decimals asks for a lookup outside the chain, which is never made",
        }
        assert {n: f"lp-{n}: {reason}" in said for n, reason in reasons.items()} == dict.fromkeys(reasons, True)
