"""Hundreds of random moves in a real pool: what the collector says of a position is what leaving it then pays, to the wei, at one block hash."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from monitor.chain import BlockPinnedReader
from monitor.collectors.uniswap_v3 import survey
from monitor.core.amm import Payout, sqrt_ratio_at_tick
from monitor.core.book import Position
from tests.integration.anvil import started
from tests.integration.uniswap import Ranges, Uniswap, deploy, ranges_of

MOVES, SEED = 360, 20260502
EDGES = (-600, -120, 0, 60, 180, 540)
SPANS = ((-600, 540), (-120, 0), (-60, 120), (60, 180), (-887_220, 887_220))
AMOUNTS = ("amount0", "amount1", "fees0", "fees1")
Held = tuple[int, Payout]


@dataclass
class Pool:
    """A pool in motion: NFTs, which all lie in a few ranges so that they share the pool's records, and ranges of two owners that have none."""

    world: Uniswap
    owners: tuple[Ranges, Ranges]
    dice: random.Random
    nfts: list[int] = field(default_factory=list)
    ranges: set[tuple[int, tuple[int, int]]] = field(default_factory=set)

    def move(self) -> str:
        """One random move; its name."""
        moves: dict[str, Callable[[], None]] = {"swap": self._swap, "mint": self._mint, "put": self._put}
        moves |= {"decrease": self._decrease, "empty": self._empty, "collect": self._collect} if self.nfts else {}
        moves |= {"take": self._take, "take all": self._take_all, "touch": self._touch, "collect range": self._collect_range} if self.ranges else {}
        weights = {"swap": 12, "empty": 1, "take all": 1}
        [name] = self.dice.choices(list(moves), [weights.get(name, 3) for name in moves])
        moves[name]()
        return name

    def _swap(self) -> None:
        self.world.shake(self.dice, EDGES)

    def _mint(self) -> None:
        self.nfts.append(self.world.mint(*self.dice.choice(SPANS), int(10 ** self.dice.uniform(9, 19))))

    def _decrease(self) -> None:
        self._lessen(self.dice.random())

    def _empty(self) -> None:
        self._lessen(1.0)

    def _lessen(self, share: float) -> None:
        token_id = self.dice.choice(self.nfts)
        liquidity = self.world.manager.read("positions", token_id)[7]
        if part := liquidity if share == 1.0 else int(liquidity * share):
            self.world.decrease(token_id, part)

    def _collect(self) -> None:
        token_id = self.dice.choice(self.nfts)
        # An NFT that is owed nothing and holds nothing has nothing to collect, which the manager refuses.
        held = self.world.manager.read("positions", token_id)
        if held[7] or held[10] or held[11]:
            self.world.collect(token_id)

    def _put(self) -> None:
        owner, ticks = self.dice.randrange(2), self.dice.choice(SPANS)
        self.owners[owner].put(ticks, self.dice.randint(1, 10 ** self.dice.randint(3, 18)))
        self.ranges.add((owner, ticks))

    def _take(self) -> None:
        owner, ticks = self._some_range()
        self.owners[owner].take(ticks, int(self.owners[owner].liquidity(ticks) * self.dice.random()))

    def _take_all(self) -> None:
        owner, ticks = self._some_range()
        self.owners[owner].take(ticks, self.owners[owner].liquidity(ticks))

    def _touch(self) -> None:
        owner, ticks = self._some_range()
        self.owners[owner].take(ticks, 0)

    def _collect_range(self) -> None:
        owner, ticks = self._some_range()
        self.owners[owner].collect(ticks)

    def _some_range(self) -> tuple[int, tuple[int, int]]:
        """One that holds liquidity: the pool refuses to touch another."""
        alive = [(owner, ticks) for owner, ticks in sorted(self.ranges) if self.owners[owner].liquidity(ticks)]
        if not alive:
            self._put()
            return self._some_range()
        return self.dice.choice(alive)

    def positions(self) -> dict[str, Position]:
        """All of them, as a user would declare them."""
        base: dict[str, Any] = {"kind": "uniswap-v3", "chain": "local"}
        nfts = {f"lp-{token_id}": Position(id=f"lp-{token_id}", token_id=token_id, **base) for token_id in self.nfts}
        ranges = {}
        for owner, (lower, upper) in sorted(self.ranges):
            name, account = f"range-{owner}-{SPANS.index((lower, upper))}", self.owners[owner].owner.address
            ranges[name] = Position(id=name, pool=self.world.pool.address, account=account, tick_lower=lower, tick_upper=upper, **base)
        return nfts | ranges

    def told(self, positions: list[Position]) -> tuple[dict[str, Any], dict[str, dict[str, int]]]:
        """The block, and what the collector says of each position in it."""

        async def read() -> tuple[dict[str, Any], dict[str, dict[str, int]]]:
            reader = BlockPinnedReader(self.world.chain.rpc, self.world.chain.chain_id)
            block = await reader.pin()
            harvest = await survey(reader, block, "local", self.world.manager.address, positions)
            assert harvest.rejected == []
            assert {row.block_hash for row in harvest.readings} == {block.hash}
            numbers: dict[str, dict[str, int]] = {position.id: {} for position in positions}
            for row in harvest.readings:
                if row.subject in numbers:
                    numbers[row.subject][row.metric.removeprefix("position.")] = int(row.value)
            return {"blockHash": block.hash, "requireCanonical": True}, numbers

        return asyncio.run(read())

    def paid(self, position: Position, block: dict[str, Any]) -> Held:
        """What the contracts pay for leaving it."""
        if position.token_id is not None:
            return self.world.paid(position.token_id, block)
        owner = self.owners[[one.owner.address for one in self.owners].index(position.account)]
        assert position.tick_lower is not None and position.tick_upper is not None
        return owner.paid((position.tick_lower, position.tick_upper), block)

    def check(self, positions: list[Position]) -> list[Held]:
        block, told = self.told(positions)
        results = []
        for position in positions:
            said = told[position.id]
            truth = self.paid(position, block)
            assert (said["liquidity"], Payout(*(said[name] for name in AMOUNTS))) == truth, f"{position.id} at {block}"
            results.append(truth)
        return results


@pytest.fixture(scope="module")
def pool(anvil: Path) -> Any:
    with started(anvil) as chain:
        world = deploy(chain, sqrt_ratio_at_tick(7))
        moving = Pool(world, (ranges_of(world), ranges_of(world)), random.Random(SEED))
        world.mint(-887_220, 887_220, 10**19)
        yield moving


def test_after_each_of_360_random_moves_every_position_asked_for_is_to_the_wei_what_leaving_it_pays(pool: Pool) -> None:
    made, compared, in_fees, ticks = Counter[str](), 0, Counter[str](), set[int]()
    for _ in range(MOVES):
        made[pool.move()] += 1
        ticks.add(pool.world.pool.read("slot0")[1])
        known = pool.positions()
        asked = pool.dice.sample(sorted(known), min(2, len(known)))
        for name, (_, paid) in zip(asked, pool.check([known[name] for name in asked]), strict=True):
            compared += 1
            in_fees[name.partition("-")[0]] += paid.fees0 + paid.fees1 > 0
    everything = list(pool.positions().values())
    last = pool.check(everything)
    assert (sum(made.values()), compared > 2 * MOVES - 10) == (MOVES, True)
    assert min(made.values()) >= 4 and len(made) == 10, f"too few of some moves: {made}"
    assert len(last) == len(pool.nfts) + len(pool.ranges) > 30
    assert any(liquidity for liquidity, _ in last) and not all(liquidity for liquidity, _ in last)
    assert in_fees["lp"] > MOVES // 4 and in_fees["range"] > MOVES // 8, f"too few were owed fees: {in_fees}"
    assert min(ticks) < -600 and max(ticks) >= 540, "the swaps must leave the ranges on both sides"


@pytest.mark.parametrize("name", ["lp", "range"])
def test_one_wei_off_is_seen(pool: Pool, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pool.world.mint(*SPANS[0], 10**18)
    known = pool.positions()
    position = next(one for key, one in known.items() if key.startswith(name))
    pool.check([position])
    honest = pool.told
    for changed in ("liquidity", *AMOUNTS):

        def off(positions: list[Position], field: str = changed) -> Any:
            block, told = honest(positions)
            told[position.id][field] += 1
            return block, told

        monkeypatch.setattr(pool, "told", off)
        with pytest.raises(AssertionError, match=position.id):
            pool.check([position])
