"""Which addresses may be dialled: asked of the address itself, after name resolution, so that no name or redirect leads inside."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

# IPv6 ranges which carry an IPv4 address in their last or second 32 bits; the address inside is the one that gets reached.
_NAT64 = IPv6Network("64:ff9b::/96")
_NEVER = tuple(map(ip_network, ["0.0.0.0/8", "169.254.0.0/16", "100.100.100.200/32", "192.0.0.192/32", "240.0.0.0/4", "fd00:ec2::254/128"]))
# `is_global` has called these public in some Python releases.
_PRIVATE = tuple(map(ip_network, ["192.0.0.0/24", "64:ff9b:1::/48", "2001::/32", "100.64.0.0/10"]))


@dataclass(frozen=True)
class EgressPolicy:
    """Public addresses may be dialled; a private or loopback one only where the operator plainly meant it.

    `allow_private`: a URL whose host is itself such an address (or `localhost`) is meant.
    `allowed_hosts`: names, in lower case, that may resolve to such an address.
    Link-local (cloud metadata), multicast, broadcast, reserved and unspecified addresses are refused always.
    """

    allow_private: bool = True
    allowed_hosts: frozenset[str] = frozenset()

    def permits(self, host: str, address: str) -> bool:
        """Say whether a connection made for the URL host `host` may go to the IP `address`."""
        dialled = _reached(ip_address(address))
        if _is_never(dialled):
            return False
        return _is_public(dialled) or host in self.allowed_hosts or (self.allow_private and _is_literally_private(host))


def _reached(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_never(address: Address) -> bool:
    listed = any(address in network for network in _NEVER)
    return listed or address.is_link_local or address.is_multicast or address.is_unspecified


def _is_public(address: Address) -> bool:
    return address.is_global and not any(address in network for network in _PRIVATE)


def _is_literally_private(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return not _is_public(_reached(ip_address(host)))
    except ValueError:
        return False
