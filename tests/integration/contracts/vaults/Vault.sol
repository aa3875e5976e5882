// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import "@openzeppelin/contracts-5/token/ERC20/extensions/ERC4626.sol";

/// OpenZeppelin's vault with a fee on leaving (hundredths of a percent), which stays in it, and virtual shares as asked.
contract Vault is ERC4626 {
    uint256 private immutable fee;
    uint8 private immutable offset;

    constructor(IERC20 asset_, uint256 fee_, uint8 offset_) ERC4626(asset_) ERC20("Vault", "V") {
        (fee, offset) = (fee_, offset_);
    }

    function _decimalsOffset() internal view override returns (uint8) {
        return offset;
    }

    function previewRedeem(uint256 shares) public view virtual override returns (uint256) {
        uint256 assets = super.previewRedeem(shares);
        return assets - Math.mulDiv(assets, fee, 10_000, Math.Rounding.Ceil);
    }

    /// What the vault has is lost.
    function lose(uint256 assets) external {
        SafeERC20.safeTransfer(IERC20(asset()), address(0xdead), assets);
    }
}

/// Pays later than it is asked, so nothing can be previewed (EIP-7540).
contract QueueVault is Vault {
    constructor(IERC20 asset_) Vault(asset_, 0, 0) {}

    function previewRedeem(uint256) public pure override returns (uint256) {
        revert("by request");
    }
}
