// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// A token that uses up all the gas it is given, whatever it is asked.
contract Burning {
    fallback() external {
        assembly {
            invalid()
        }
    }
}
