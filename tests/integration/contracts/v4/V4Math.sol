// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {FullMath} from "@uniswap/v4-periphery/lib/v4-core/src/libraries/FullMath.sol";
import {SqrtPriceMath} from "@uniswap/v4-periphery/lib/v4-core/src/libraries/SqrtPriceMath.sol";
import {TickMath} from "@uniswap/v4-periphery/lib/v4-core/src/libraries/TickMath.sol";

/// The arithmetic of v4-core for many cases at once: each function takes its cases one after the other, every number a word.
contract V4Math {
    function prices(uint256[] calldata cases) external pure returns (uint256[] memory found) {
        found = new uint256[](cases.length);
        for (uint256 i; i < cases.length; i++) {
            found[i] = TickMath.getSqrtPriceAtTick(tickOf(cases[i]));
        }
    }

    function ticks(uint256[] calldata cases) external pure returns (uint256[] memory found) {
        found = new uint256[](cases.length);
        for (uint256 i; i < cases.length; i++) {
            found[i] = uint256(int256(TickMath.getTickAtSqrtPrice(uint160(cases[i]))));
        }
    }

    /// Price, lower tick, upper tick and liquidity; what taking it all out pays of each token.
    function amounts(uint256[] calldata cases) external pure returns (uint256[] memory found) {
        found = new uint256[](cases.length / 2);
        for (uint256 i; i < cases.length; i += 4) {
            uint160 price = uint160(cases[i]);
            uint160 lower = TickMath.getSqrtPriceAtTick(tickOf(cases[i + 1]));
            uint160 upper = TickMath.getSqrtPriceAtTick(tickOf(cases[i + 2]));
            int128 taken = -int128(uint128(cases[i + 3]));
            if (price < upper) {
                found[i / 2] = uint256(SqrtPriceMath.getAmount0Delta(price < lower ? lower : price, upper, taken));
            }
            if (price > lower) {
                found[i / 2 + 1] = uint256(SqrtPriceMath.getAmount1Delta(lower, price > upper ? upper : price, taken));
            }
        }
    }

    /// Growth inside a range, growth when last touched and liquidity; the fees between them.
    function fees(uint256[] calldata cases) external pure returns (uint256[] memory found) {
        found = new uint256[](cases.length / 3);
        for (uint256 i; i < cases.length; i += 3) {
            unchecked {
                found[i / 3] = FullMath.mulDiv(cases[i] - cases[i + 1], cases[i + 2], 1 << 128);
            }
        }
    }

    function tickOf(uint256 word) private pure returns (int24) {
        return int24(int256(word));
    }
}
