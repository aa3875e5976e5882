"""Our own sum of contracts on a running chain: equal, to the last unit, to a sum that is made another way over the same block."""

import asyncio
import random
from pathlib import Path

from monitor.clock import SystemClock
from monitor.collectors.onchain_tvl import Contracts, OnchainTvl, sums_of, total_of
from monitor.core.book import Chain, Watch
from monitor.net import HttpNet
from monitor.rpc import json_rpc
from monitor.chain import BlockPinnedReader
from monitor.source import Harvest, Ports
from tests.integration.anvil import started
from tests.integration.solidity import compiled
from tests.integration.uniswap import deployed

X = "protocol:x"
DECIMALS = (0, 6, 18, 36)
TRANSFERS = 60
