// SPDX-License-Identifier: MIT
pragma solidity ^0.7.0;

import "@balancer-labs/v2-pool-utils/contracts/lib/BasePoolMath.sol";

/// The library of pools as they are deployed now, many cases at a time: each is one coin of one pool.
contract PoolMaths {
    function exits(uint256[] memory balances, uint256[] memory supplies, uint256[] memory shares) external pure returns (uint256[] memory paid) {
        paid = new uint256[](balances.length);
        uint256[] memory one = new uint256[](1);
        for (uint256 i = 0; i < balances.length; i++) {
            one[0] = balances[i];
            paid[i] = BasePoolMath.computeProportionalAmountsOut(one, supplies[i], shares[i])[0];
        }
    }
}
