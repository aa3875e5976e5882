// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// Balances are a number of parts times an index that anyone may set: they change without a transfer.
contract Rebasing {
    string public symbol;
    uint8 public immutable decimals;
    uint256 public index = 1e18;
    mapping(address => uint256) private parts;

    constructor(string memory symbol_, uint8 decimals_) {
        symbol = symbol_;
        decimals = decimals_;
    }

    function setIndex(uint256 index_) external {
        index = index_;
    }

    function balanceOf(address account) public view returns (uint256) {
        return parts[account] * index / 1e18;
    }

    function mint(address to, uint256 amount) external {
        parts[to] += amount * 1e18 / index;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        uint256 moved = amount * 1e18 / index;
        parts[msg.sender] -= moved;
        parts[to] += moved;
        return true;
    }
}
