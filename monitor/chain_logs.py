"""Event logs of contracts over a range of blocks: every log is held against what was asked for, and a log told twice counts once.

That a node withholds none is not proved here (blooms and receipt roots are not compared): the sum of a range is as complete as the node.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.chain import BlockPinnedReader, hex_bytes, quantity
from monitor.errors import BadPayload, SourceError

# A node refuses ranges with too many results; halving stops where a handful of blocks is left.
LEAST_BLOCKS = 16
DATA_BYTES = 4 * 1024
MOST_LOGS = 200_000


@dataclass(frozen=True, slots=True)
class Log:
    """One event: who emitted it (lower case), its topics and data as bytes, and its place."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    block: int
    index: int


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which events: contracts (20-byte hex) and, of each, those whose first topic is one of these (32-byte hex)."""

    addresses: tuple[str, ...]
    topics: tuple[str, ...]

    def request(self, first: int, last: int) -> Mapping[str, object]:
        return {"address": list(self.addresses), "topics": [list(self.topics)], "fromBlock": hex(first), "toBlock": hex(last)}


async def logs_between(reader: BlockPinnedReader, wanted: LogFilter, first: int, last: int, span: int = 2_000) -> list[Log]:
    """Every wanted log in blocks `first` to `last` (inclusive), in the order of the chain, asked for `span` blocks at a time.

    SourceError: the node refuses even short ranges. BadPayload: it answers with logs that were not asked for, or too many.
    """
    found: list[Log] = []
    for start in range(first, last + 1, span):
        found += await _range(reader, wanted, start, min(last, start + span - 1))
        if len(found) > MOST_LOGS:
            raise BadPayload(f"more than {MOST_LOGS} logs from block {first} on: watch fewer contracts")
    return found


async def _range(reader: BlockPinnedReader, wanted: LogFilter, first: int, last: int) -> list[Log]:
    try:
        answer = await reader.rpc("eth_getLogs", (wanted.request(first, last),))
    except (SourceError, BadPayload) as refused:
        if last - first < LEAST_BLOCKS or getattr(refused, "permanent", False):
            raise
        middle = (first + last) // 2
        return [*await _range(reader, wanted, first, middle), *await _range(reader, wanted, middle + 1, last)]
    return parse_logs(answer, wanted, first, last)


def parse_logs(answer: object, wanted: LogFilter, first: int, last: int) -> list[Log]:
    """The logs of one answer, each once, in the order of the chain. BadPayload for one that was not asked for."""
    if not isinstance(answer, list):
        raise BadPayload("eth_getLogs: the result is not a list")
    addresses = {address.lower() for address in wanted.addresses}
    topics = {bytes.fromhex(topic[2:]) for topic in wanted.topics}
    logs: dict[tuple[int, int], Log] = {}
    for row in answer:
        log = _parsed(row)
        if log.address not in addresses or not log.topics or log.topics[0] not in topics or not first <= log.block <= last:
            raise BadPayload("eth_getLogs: a log came that was not asked for")
        if logs.setdefault((log.block, log.index), log) != log:
            raise BadPayload(f"eth_getLogs: two logs claim place {log.index} of block {log.block}")
    return [logs[place] for place in sorted(logs)]


def _parsed(row: object) -> Log:
    if not isinstance(row, Mapping):
        raise BadPayload("eth_getLogs: a log is not an object")
    if row.get("removed") not in (None, False):
        raise BadPayload("eth_getLogs: a log of a block that was taken back")
    topics = row.get("topics")
    if not isinstance(topics, Sequence) or isinstance(topics, str):
        raise BadPayload("eth_getLogs: a log has no list of topics")
    address = "0x" + hex_bytes(row.get("address"), "address of a log", size=20).hex()
    data = hex_bytes(row.get("data"), "data of a log", limit=DATA_BYTES)
    place = quantity(row.get("blockNumber"), "blockNumber of a log"), quantity(row.get("logIndex"), "logIndex of a log")
    return Log(address, tuple(hex_bytes(topic, "topic of a log", size=32) for topic in topics), data, *place)
