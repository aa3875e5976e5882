"""Fixtures shared by the tests that run a chain."""

from tests.integration.anvil import anvil
from tests.integration.uniswap import uniswap

__all__ = ["anvil", "uniswap"]
