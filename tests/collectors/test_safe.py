"""The Safe collector against a node out of tables."""

import asyncio
import random

import pytest
from pydantic import ValidationError

from monitor.chain import Call
from monitor.clock import SystemClock
from monitor.collectors.safe import Safe
from monitor.core.book import Chain, Watch
from monitor.core.door import admit
from monitor.errors import SourceError
from monitor.registry import build
from monitor.source import Harvest, Ports
from tests.fake_chain import FakeChain
from tests.fakes import FakeNet

RPC = "https://node.test/key"
SAFE, OTHER = "0x" + "aB" * 20, "0x" + "c" * 40
OWNERS = ["0x" + "0" * 39 + digit for digit in "123"]
SUBJECT = "safe:local/" + SAFE.lower()
WATCH = Watch(chains={"local": Chain(rpc=RPC, chain_id=31337)})


def node(threshold: int = 2, owners: list[str] = OWNERS) -> FakeChain:
    chain = FakeChain()
    chain.say(Call(SAFE, "safe", "getThreshold"), threshold)
    chain.say(Call(SAFE, "safe", "getOwners"), owners)
    return chain


def source(*safes: str) -> Safe:
    return build(Safe, {"safes": list(safes or (f"local/{SAFE}",))})


def poll(chain: FakeChain, one: Safe, watch: Watch = WATCH) -> Harvest:
    return asyncio.run(one.poll(Ports(FakeNet().answer("POST", RPC, chain.reply), SystemClock(), random.Random(0)), watch))


def test_a_safe_gives_its_threshold_and_its_owners_and_passes_the_door_whole() -> None:
    chain = node()
    harvest = poll(chain, source())
    assert {row.metric: row.value for row in harvest.readings} == {
        "safe.threshold": 2,
        "safe.owner_count": 3,
        "safe.owner.1": 1,
        "safe.owner.2": 2,
        "safe.owner.3": 3,
    }
    assert {(row.subject, row.block_hash) for row in harvest.readings} == {(SUBJECT, chain.head["hash"])}
    assert admit(harvest.readings, source="safe", received_at=1_700_000_000_000).rejections == ()
    assert source().provides(WATCH) <= {(row.metric, row.subject) for row in harvest.readings}
    assert [params[0] for method, params in chain.asked if method == "eth_getBlockByNumber"] == ["safe"]


@pytest.mark.parametrize(
    ("threshold", "owners"),
    [(0, OWNERS), (4, OWNERS), (1, []), (1, [OWNERS[0], OWNERS[0]]), (1, ["0x" + "0" * 40])],
    ids=["nobody must agree", "more than there are", "no owner", "one owner twice", "nobody as an owner"],
)
def test_what_no_safe_can_be_is_refused(threshold: int, owners: list[str]) -> None:
    harvest = poll(node(threshold, owners), source())
    assert (harvest.readings, "is the address a Safe?" in harvest.rejected[0]) == ([], True)


def test_an_address_that_is_no_safe_harms_no_other() -> None:
    chain = node()
    for name in ("getThreshold", "getOwners"):
        chain.say_raw(Call(OTHER, "safe", name), b"", success=False)
    harvest = poll(chain, source(f"local/{OTHER}", f"local/{SAFE}"))
    assert harvest.rejected == [f"safe:local/{OTHER}: getThreshold reverted"]
    assert {row.subject for row in harvest.readings} == {SUBJECT}


def test_a_safe_on_a_chain_without_an_endpoint_is_promised_to_nobody_and_says_what_to_add() -> None:
    far = source(f"moon/{SAFE}")
    assert far.provides(WATCH) == frozenset()
    with pytest.raises(SourceError, match="chain moon of a Safe is not under `chains`") as refused:
        poll(node(), far)
    assert refused.value.permanent
    assert poll(node(), source(f"moon/{SAFE}", f"local/{SAFE}")).rejected == [str(refused.value)]


def test_without_safes_nothing_is_asked() -> None:
    chain = node()
    assert poll(chain, Safe()) == Harvest([], [])
    assert chain.asked == []


@pytest.mark.parametrize("place", [SAFE, "local/0x12", "Local/" + SAFE, "local/" + SAFE + "0"])
def test_a_place_that_is_no_chain_and_address_is_refused_before_it_is_asked(place: str) -> None:
    with pytest.raises(ValidationError, match="safes"):
        build(Safe, {"safes": [place]})
