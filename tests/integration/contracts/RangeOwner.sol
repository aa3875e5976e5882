// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

interface IPool {
    function token0() external view returns (address);
    function token1() external view returns (address);
    function mint(address owner, int24 lower, int24 upper, uint128 amount, bytes calldata data) external returns (uint256, uint256);
    function burn(int24 lower, int24 upper, uint128 amount) external returns (uint256, uint256);
    function collect(address to, int24 lower, int24 upper, uint128 most0, uint128 most1) external returns (uint128, uint128);
}

interface IToken {
    function transfer(address to, uint256 amount) external returns (bool);
}

/// Holds ranges in Uniswap v3 pools without the position manager; it owns what tokens it is given.
contract RangeOwner {
    function put(IPool pool, int24 lower, int24 upper, uint128 liquidity) external {
        pool.mint(address(this), lower, upper, liquidity, "");
    }

    function uniswapV3MintCallback(uint256 owed0, uint256 owed1, bytes calldata) external {
        if (owed0 > 0) IToken(IPool(msg.sender).token0()).transfer(msg.sender, owed0);
        if (owed1 > 0) IToken(IPool(msg.sender).token1()).transfer(msg.sender, owed1);
    }

    function take(IPool pool, int24 lower, int24 upper, uint128 liquidity) external {
        pool.burn(lower, upper, liquidity);
    }

    function collect(IPool pool, int24 lower, int24 upper) public returns (uint128, uint128) {
        return pool.collect(address(this), lower, upper, type(uint128).max, type(uint128).max);
    }

    /// What the pool pays for all of a range's liquidity, and then all that it hands out.
    function leave(IPool pool, int24 lower, int24 upper, uint128 liquidity)
        external
        returns (uint256 burned0, uint256 burned1, uint128 paid0, uint128 paid1)
    {
        if (liquidity > 0) (burned0, burned1) = pool.burn(lower, upper, liquidity);
        (paid0, paid1) = collect(pool, lower, upper);
    }
}
