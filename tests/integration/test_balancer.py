"""Balancer against its published contracts: what an exit pays, to the unit, and the invariant that Curve's pools share with its stable ones."""

import asyncio
import random
from collections.abc import Iterator
from random import Random

import pytest

from monitor.clock import SystemClock
from monitor.collectors.balancer import Balancer as Source
from monitor.core.book import Chain, Position, Watch
from monitor.core.stableswap import invariant, real_invariant
from monitor.core.weighted import divide_down, multiply_down, proportional_exit
from monitor.source import Harvest, Ports
from tests.fakes import FakeNet
from tests.integration.anvil import Anvil, started
from tests.integration.balancer import AMPLIFICATION, WEIGHTS, Balancer, BalancerPool, artifact, deploy, stable, weighted
from tests.integration.tools import anvil_path
from tests.integration.uniswap import deployed

CASES, AT_ONCE = 20_000, 500
AMP_PRECISION = 1000
WHOLE = 10**18


@pytest.fixture(scope="module")
def chain() -> Iterator[Anvil]:
    with started(anvil_path(), "--disable-code-size-limit") as running:
        yield running


@pytest.fixture(scope="module")
def balancer(chain: Anvil) -> Balancer:
    return deploy(chain)


def decimals_of(pool: BalancerPool) -> list[int]:
    return [int(token.read("decimals")) for token in pool.tokens]


def joined(pool: BalancerPool, whole: int = 10**6) -> BalancerPool:
    pool.join([whole * 10**digits for digits in decimals_of(pool)])
    return pool


@pytest.fixture
def weighted_pool(balancer: Balancer) -> BalancerPool:
    return joined(weighted(balancer))


@pytest.fixture
def stable_pool(balancer: Balancer) -> BalancerPool:
    return joined(stable(balancer))


@pytest.fixture(params=["weighted_pool", "stable_pool"])
def pool(request: pytest.FixtureRequest) -> BalancerPool:
    found: BalancerPool = request.getfixturevalue(request.param)
    return found


def test_proportional_exits_are_the_library_s_to_the_unit(chain: Anvil):
    maths, dice = deployed(chain, artifact("PoolMaths")), random.Random(1)
    for _ in range(CASES // AT_ONCE):
        balances, supplies = ([int(10 ** dice.uniform(0, 33)) for _ in range(AT_ONCE)] for _ in range(2))
        shares = [int(supply * dice.random() ** dice.choice((1, 20))) for supply in supplies]
        asked = [multiply_down(balance, divide_down(one, supply)) for balance, supply, one in zip(balances, supplies, shares, strict=True)]
        assert maths.read("exits", balances, supplies, shares) == tuple(asked)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_invariant_of_curve_s_formula_is_that_of_balancer_s_code(chain: Anvil, count: int):
    maths, dice = deployed(chain, artifact("StableMaths")), random.Random(count)
    # At greater imbalances both codes go back and forth for ever with some of the numbers.
    amplifications = [dice.randint(10, 5000) * AMP_PRECISION for _ in range(AT_ONCE)]
    pools = [[int(10 ** dice.uniform(22, 23)) for _ in range(count)] for _ in range(AT_ONCE)]
    found = maths.read("invariants", amplifications, [balance for one in pools for balance in one], count)
    for amplification, balances, theirs in zip(amplifications, pools, found, strict=True):
        # Balancer rounds other terms than Curve does: the same number to 20 digits.
        assert abs(invariant(balances, amplification, "ng", AMP_PRECISION) - theirs) <= theirs // 10**20, (amplification, balances)
        assert real_invariant([balance / WHOLE for balance in balances], amplification / AMP_PRECISION) == pytest.approx(theirs / WHOLE, rel=1e-14)


def shaken(pool: BalancerPool, dice: random.Random) -> None:
    """A swap of up to a tenth of what is there."""
    sold, bought = dice.sample(range(len(pool.tokens)), 2)
    pool.swap(sold, bought, max(1, int(pool.balances[sold] * 10 ** dice.uniform(-6, -1))))


def test_a_pool_s_own_query_pays_what_is_reckoned_to_the_unit(pool: BalancerPool):
    dice, digits = random.Random(2), decimals_of(pool)
    for _ in range(40):
        shaken(pool, dice)
        balances, supply = pool.balances, pool.supply
        # The Vault never lets the shares go that a pool locked at its first join.
        most = int(pool.pool.read("balanceOf", pool.balancer.owner))
        for shares in (1, most, *(int(10 ** dice.uniform(0, 24)) % most for _ in range(4))):
            assert pool.would_pay(shares) == proportional_exit(balances, digits, shares, supply)


def read(pool: BalancerPool, account: str) -> dict[str, float | int]:
    """What the collector tells of an account's share at the newest block."""
    chain, names = pool.balancer.chain, tuple(f"T{place}" for place in range(len(pool.tokens)))
    position = Position(id="lp", kind="balancer", chain="local", pool=pool.pool.address, account=account, assets=names)
    watch = Watch(positions=(position,), chains={"local": Chain(rpc=chain.url, chain_id=chain.chain_id)})
    source = Source(vaults={"local": pool.balancer.vault.address})

    async def poll() -> Harvest:
        net = FakeNet()
        net.answer("POST", chain.url, lambda request: {"jsonrpc": "2.0", "id": request.body["id"], "result": _asked(chain, request.body)})
        return await source.poll(Ports(net, SystemClock(), Random(0)), watch)

    harvest = asyncio.run(poll())
    assert harvest.rejected == []
    return {row.metric: row.value for row in harvest.readings}


def _asked(chain: Anvil, body: dict) -> object:
    return chain.call(body["method"], *body["params"])


def test_what_the_collector_tells_is_what_the_vault_then_pays(pool: BalancerPool):
    shaken(pool, random.Random(3))
    told, shares = read(pool, pool.balancer.owner), int(pool.pool.read("balanceOf", pool.balancer.owner))
    assert told["position.shares"] == shares
    paid = pool.exit(shares)
    reckoned = [told[f"position.amount.T{place}"] * 10**digits for place, digits in enumerate(decimals_of(pool))]
    assert reckoned == pytest.approx(paid, rel=1e-15)
    assert sum(paid) > 0
    gone = read(pool, pool.balancer.owner)
    assert gone["position.shares"] == 0
    assert all(gone[f"position.amount.T{place}"] == 0 for place in range(len(pool.tokens)))


def test_weights_and_amplification_are_told_as_the_pools_were_made(weighted_pool: BalancerPool, stable_pool: BalancerPool):
    told = read(weighted_pool, weighted_pool.balancer.owner)
    assert [told[f"pool.weight.T{place}"] for place in range(3)] == [weight / WHOLE for weight in WEIGHTS]
    told = read(stable_pool, stable_pool.balancer.owner)
    assert told["pool.amplification"] == AMPLIFICATION
    assert told["pool.virtual_price"] == pytest.approx(1.0, abs=1e-9)


def test_a_pool_that_nobody_joined_yet_has_nothing_F_056(balancer: Balancer):
    told = read(weighted(balancer), balancer.owner)
    assert (told["position.shares"], told["position.amount.T0"], told["pool.balance.T0"]) == (0, 0.0, 0.0)
