// SPDX-License-Identifier: MIT
pragma solidity =0.7.6;

import "@uniswap/v3-core/contracts/libraries/SqrtPriceMath.sol";
import "@uniswap/v3-core/contracts/libraries/TickMath.sol";
import "@uniswap/v3-periphery/contracts/libraries/LiquidityAmounts.sol";

/// What the libraries of Uniswap v3 answer, for many cases in one call.
contract Arithmetic {
    uint256 private constant ASKED = 4;
    uint256 private constant TOLD = 7;

    /// A case is (square-root price, lower tick, upper tick, liquidity). Its answer is (ratio of the lower tick, of the upper one, tick of the
    /// price, both amounts as the pool pays them for a burn, both as the periphery counts them).
    function answers(uint256[] calldata asked) external pure returns (uint256[] memory told) {
        uint256 cases = asked.length / ASKED;
        told = new uint256[](cases * TOLD);
        for (uint256 i = 0; i < cases; i++) {
            answer(asked[i * ASKED : (i + 1) * ASKED], told, i * TOLD);
        }
    }

    function answer(uint256[] calldata one, uint256[] memory told, uint256 at) private pure {
        uint160 price = uint160(one[0]);
        uint160 lower = TickMath.getSqrtRatioAtTick(int24(one[1]));
        uint160 upper = TickMath.getSqrtRatioAtTick(int24(one[2]));
        uint128 liquidity = uint128(one[3]);
        told[at] = lower;
        told[at + 1] = upper;
        int24 tick = TickMath.getTickAtSqrtRatio(price);
        told[at + 2] = uint256(tick);
        // As in the pool's _modifyPosition: by the tick, and rounded down.
        if (tick < int24(one[1])) {
            told[at + 3] = SqrtPriceMath.getAmount0Delta(lower, upper, liquidity, false);
        } else if (tick < int24(one[2])) {
            told[at + 3] = SqrtPriceMath.getAmount0Delta(price, upper, liquidity, false);
            told[at + 4] = SqrtPriceMath.getAmount1Delta(lower, price, liquidity, false);
        } else {
            told[at + 4] = SqrtPriceMath.getAmount1Delta(lower, upper, liquidity, false);
        }
        (told[at + 5], told[at + 6]) = LiquidityAmounts.getAmountsForLiquidity(price, lower, upper, liquidity);
    }
}
