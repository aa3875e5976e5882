// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

interface V4Pools {
    function take(address currency, address to, uint256 amount) external;
}

/// A hook of Uniswap v4 that keeps a tenth of token0 of every withdrawal for itself.
contract TakingHook {
    struct Key {
        address currency0;
        address currency1;
        uint24 fee;
        int24 tickSpacing;
        address hooks;
    }

    struct Change {
        int24 tickLower;
        int24 tickUpper;
        int256 liquidityDelta;
        bytes32 salt;
    }

    function afterRemoveLiquidity(address, Key calldata key, Change calldata, int256 delta, int256, bytes calldata)
        external
        returns (bytes4, int256)
    {
        int256 share = (delta >> 128) / 10;
        V4Pools(msg.sender).take(key.currency0, address(this), uint256(share));
        return (this.afterRemoveLiquidity.selector, share << 128);
    }
}
