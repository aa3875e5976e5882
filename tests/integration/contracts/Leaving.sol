// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

interface V4Positions {
    function modifyLiquidities(bytes calldata unlockData, uint256 deadline) external payable;
}

interface V4Balances {
    function balanceOf(address account) external view returns (uint256);
}

/// Leaves positions of Uniswap v4 for whoever approved it, and says what was paid: to be asked by eth_call, so that nobody leaves.
contract Leaving {
    bytes1 private constant DECREASE = 0x01;
    bytes1 private constant BURN = 0x03;
    bytes1 private constant TAKE_PAIR = 0x11;
    address private constant PAYEE = address(uint160(uint256(keccak256("payee"))));

    V4Positions private immutable positions;

    constructor(V4Positions positions_) {
        positions = positions_;
    }

    /// All at once, as an owner would.
    function burn(address currency0, address currency1, uint256 tokenId) external returns (uint256 paid0, uint256 paid1) {
        return pay(currency0, currency1, BURN, abi.encode(tokenId, 0, 0, ""));
    }

    /// First nothing of the liquidity, which pays the fees, then all of it.
    function leave(address currency0, address currency1, uint256 tokenId, uint256 liquidity)
        external
        returns (uint256 fees0, uint256 fees1, uint256 amount0, uint256 amount1)
    {
        (fees0, fees1) = pay(currency0, currency1, DECREASE, abi.encode(tokenId, 0, 0, 0, ""));
        (amount0, amount1) = pay(currency0, currency1, DECREASE, abi.encode(tokenId, liquidity, 0, 0, ""));
    }

    function pay(address currency0, address currency1, bytes1 action, bytes memory order) private returns (uint256, uint256) {
        (uint256 before0, uint256 before1) = (held(currency0), held(currency1));
        bytes[] memory orders = new bytes[](2);
        orders[0] = order;
        orders[1] = abi.encode(currency0, currency1, PAYEE);
        positions.modifyLiquidities(abi.encode(abi.encodePacked(action, TAKE_PAIR), orders), type(uint256).max);
        return (held(currency0) - before0, held(currency1) - before1);
    }

    function held(address currency) private view returns (uint256) {
        return currency == address(0) ? PAYEE.balance : V4Balances(currency).balanceOf(PAYEE);
    }
}
