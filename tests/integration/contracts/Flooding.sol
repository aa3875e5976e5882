// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// A token that answers its decimals with 128 KiB of zeros.
contract Flooding {
    function decimals() external pure {
        assembly {
            return(0, 0x20000)
        }
    }
}
