// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import "./Token.sol";

/// Keeps a hundredth of whatever is moved.
contract Taxed is Token {
    constructor(string memory symbol_, uint8 decimals_) Token(symbol_, decimals_) {}

    function arrives(uint256 amount) internal pure override returns (uint256) {
        return amount - amount / 100;
    }
}
