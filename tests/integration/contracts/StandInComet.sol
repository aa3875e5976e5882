// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// Speaks the part of Comet's interface that is read, about one base token and one collateral, and answers what it was told: it proves that calls
/// and answers are encoded as that interface says, and nothing about Comet's arithmetic.
contract StandInComet {
    struct AssetInfo {
        uint8 offset;
        address asset;
        address priceFeed;
        uint64 scale;
        uint64 borrowCollateralFactor;
        uint64 liquidateCollateralFactor;
        uint64 liquidationFactor;
        uint128 supplyCap;
    }

    address public immutable baseToken;
    address public immutable baseTokenPriceFeed;
    uint256 public constant baseScale = 1e6;
    uint8 public constant numAssets = 1;
    uint256 public constant totalSupply = 4_000_000e6;
    uint256 public constant totalBorrow = 3_000_000e6;
    bool public constant isSupplyPaused = false;
    bool public constant isWithdrawPaused = false;
    AssetInfo private info;

    constructor(address base, address baseFeed, address collateral, address collateralFeed) {
        (baseToken, baseTokenPriceFeed) = (base, baseFeed);
        info = AssetInfo(0, collateral, collateralFeed, 1e18, 0.8e18, 0.9e18, 0.93e18, 1000e18);
    }

    function getSupplyRate(uint256 utilization) external pure returns (uint64) {
        return uint64(utilization / 1e9);
    }

    function getBorrowRate(uint256 utilization) external pure returns (uint64) {
        return uint64(utilization / 5e8);
    }

    function getAssetInfo(uint8 i) external view returns (AssetInfo memory) {
        require(i < numAssets, "no such asset");
        return info;
    }

    function totalsCollateral(address asset) external view returns (uint128, uint128) {
        require(asset == info.asset, "another asset");
        return (250e18, 0);
    }

    function balanceOf(address) external pure returns (uint256) {
        return 0;
    }

    function borrowBalanceOf(address) external pure returns (uint256) {
        return 900e6;
    }

    function collateralBalanceOf(address, address asset) external view returns (uint128) {
        return asset == info.asset ? 0.75e18 : 0;
    }

    function getPrice(address feed) external view returns (uint256) {
        return uint256(Answering(feed).latestAnswer());
    }
}

interface Answering {
    function latestAnswer() external view returns (int256);
}
