"""Which liquidation thresholds are in force for an account of Aave v3: the reserves' own, or those of its efficiency mode."""

from collections.abc import Mapping

from monitor.chain import Answer, Block, BlockPinnedReader, Call, output, outputs, unless_absent
from monitor.core import aave
from monitor.errors import BadPayload

POOL_ABI = "aave_v3_pool"
MOST_CATEGORY, MOST_RESERVE = 2**8 - 1, 2**7 - 1
ID_PLACE = 7


async def read_thresholds(
    reader: BlockPinnedReader, block: Block, pool: str, category: Answer, reserves: Mapping[str, aave.Configuration]
) -> Mapping[str, aave.Bps]:
    """By token, of these reserves' settings; `category` is what getUserEMode answered. BadPayload where the mode cannot be read.

    Up to v3.1 a reserve names its mode, since v3.2 a mode lists its reserves. The former was checked against the deployed contracts of v3.0.
    """
    number = int(output(category))
    if number == 0:
        return {token: aave.threshold_in_force(settings, None, 0) for token, settings in reserves.items()}
    if number > MOST_CATEGORY:
        raise BadPayload(f"getUserEMode answers {number}, which is no efficiency mode")
    functions = ("getEModeCategoryCollateralConfig", "getEModeCategoryCollateralBitmap", "getEModeCategoryData")
    asked = {
        "mode": tuple(Call(pool, POOL_ABI, function, (number,)) for function in functions),
        "ids": tuple(Call(pool, POOL_ABI, "getReserveData", (token,)) for token in reserves),
    }
    given = await reader.read_groups(block, asked)
    mode, ids = parse_mode(number, *given["mode"]), [parse_id(answer) for answer in given["ids"]]
    return {token: aave.threshold_in_force(settings, mode, place) for (token, settings), place in zip(reserves.items(), ids, strict=True)}


def parse_mode(category: int, config: Answer, members: Answer, legacy: Answer) -> aave.EfficiencyMode:
    """The mode as either version says it. BadPayload for a threshold above the whole."""
    listed, said = unless_absent(members), unless_absent(config)
    if said is None or listed is None:
        _, threshold, *_ = output(legacy)
        return aave.EfficiencyMode(category, _share(threshold), None)
    return aave.EfficiencyMode(category, _share(said[1]), listed[0])


def parse_id(answer: Answer) -> int:
    """The number of a reserve. BadPayload for one that no market has room for."""
    number = int(outputs(answer)[ID_PLACE])
    if number > MOST_RESERVE:
        raise BadPayload(f"getReserveData answers the reserve number {number}, of at most {MOST_RESERVE}")
    return number


def _share(threshold: int) -> aave.Bps:
    if threshold > aave.PERCENT:
        raise BadPayload("the efficiency mode of the account has a liquidation threshold of more than 100%")
    return aave.Bps(threshold)
