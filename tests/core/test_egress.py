"""The address actually dialled decides (F-137, F-138, INV-9)."""

import pytest

from monitor.core.egress import EgressPolicy

PUBLIC = ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"]
PRIVATE = ["127.0.0.1", "10.0.0.8", "192.168.1.1", "172.16.0.1", "100.64.0.1", "::1", "fd00::1", "::ffff:127.0.0.1", "::ffff:7f00:1",
           "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::", "64:ff9b:1::a00:1", "192.0.0.8", "2001::1"]  # fmt: skip
NEVER = ["169.254.169.254", "fe80::1", "fe80::1%eth0", "0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1",
         "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_dialled(address: str) -> None:
    assert EgressPolicy(allow_private=False).permits("api.venue.com", address)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_resolves_inside_is_refused_unless_listed_F_137_F_138(address: str) -> None:
    assert not EgressPolicy().permits("api.venue.com", address)
    assert EgressPolicy(allowed_hosts=frozenset({"api.venue.com"})).permits("api.venue.com", address)
    assert not EgressPolicy(allowed_hosts=frozenset({"venue.com"})).permits("api.venue.com", address)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_written_in_the_url_is_meant_unless_forbidden(address: str) -> None:
    assert EgressPolicy().permits(address, address)
    assert not EgressPolicy(allow_private=False).permits(address, address)


def test_localhost_is_meant_but_only_by_that_name() -> None:
    assert EgressPolicy().permits("localhost", "127.0.0.1")
    assert not EgressPolicy().permits("localhost.venue.com", "127.0.0.1")


def test_a_public_address_in_the_url_does_not_open_the_way_inside() -> None:
    assert not EgressPolicy().permits("1.1.1.1", "127.0.0.1")


@pytest.mark.parametrize("address", NEVER)
def test_metadata_multicast_and_unspecified_addresses_are_refused_always_F_137(address: str) -> None:
    assert not EgressPolicy().permits(address, address)
    assert not EgressPolicy(allowed_hosts=frozenset({"node"})).permits("node", address)
