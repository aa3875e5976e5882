// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// A token that answers each question badly, one way per function.
contract Hostile {
    error OffchainLookup(address sender, string[] urls, bytes callData, bytes4 callback, bytes extraData);

    string public url;

    constructor(string memory url_) {
        url = url_;
    }

    /// Two bytes where a word was promised.
    function decimals() external pure {
        assembly {
            return(0, 2)
        }
    }

    /// Far more than a symbol: 128 KiB of zeros.
    function symbol() external pure {
        assembly {
            return(0, 0x20000)
        }
    }

    /// Asks the caller to fetch a URL of the contract's choice (EIP-3668).
    function balanceOf(address) external view returns (uint256) {
        string[] memory urls = new string[](1);
        urls[0] = url;
        revert OffchainLookup(address(this), urls, "", this.balanceOf.selector, "");
    }
}
