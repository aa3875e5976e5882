// SPDX-License-Identifier: MIT
pragma solidity ^0.7.0;

import "@balancer-labs/v2-pool-stable/contracts/StableMath.sol";

/// The invariant of Balancer's stable pools, many pools of `count` coins at a time; amplification in thousandths.
contract StableMaths is StableMath {
    function invariants(uint256[] memory amplifications, uint256[] memory balances, uint256 count) external pure returns (uint256[] memory found) {
        found = new uint256[](amplifications.length);
        uint256[] memory one = new uint256[](count);
        for (uint256 i = 0; i < found.length; i++) {
            for (uint256 k = 0; k < count; k++) {
                one[k] = balances[i * count + k];
            }
            found[i] = _calculateInvariant(amplifications[i], one, false);
        }
    }
}
