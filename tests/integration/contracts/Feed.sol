// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// A price feed whose answer and whose age a test sets. `behind` makes it an adapter that tells no time of its own.
contract Feed {
    int256 public latestAnswer;
    uint256 private updatedAt;
    address private behind;

    constructor(int256 answer, address behind_) {
        latestAnswer = answer;
        updatedAt = block.timestamp;
        behind = behind_;
    }

    function set(int256 answer, uint256 updatedAt_) external {
        latestAnswer = answer;
        updatedAt = updatedAt_;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        require(behind == address(0), "an adapter");
        return (1, latestAnswer, updatedAt, updatedAt, 1);
    }

    function ASSET_TO_USD_AGGREGATOR() external view returns (address) {
        require(behind != address(0), "no adapter");
        return behind;
    }
}
