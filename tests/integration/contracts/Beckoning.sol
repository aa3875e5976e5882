// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// A token that asks whoever wants its decimals to fetch a URL of its choice (EIP-3668).
contract Beckoning {
    error OffchainLookup(address sender, string[] urls, bytes callData, bytes4 callback, bytes extraData);

    string public url;

    constructor(string memory url_) {
        url = url_;
    }

    function decimals() external view returns (uint8) {
        string[] memory urls = new string[](1);
        urls[0] = url;
        revert OffchainLookup(address(this), urls, "", this.decimals.selector, "");
    }
}
