"""Samples of what is read by RPC: a node out of tables, spoiled in every place in which a node or a contract can be.

`chain` holds the head (`number`, `seconds`, `spacing_seconds`) and the id; `answers` the contracts' (`to`, `abi`, `function`, `args`, `outputs`)
and `logs`, a call without `outputs` being one that fails (`success` false); `fees` a reward in wei and a fullness. `unbounded` names functions
whose answer may be any number of its type, or single words of it (`extsload[6]`): a node that tells another one cannot be caught out by its form,
only by a proof or by another node. `optional` names functions that an older version of the contract does not have: that they revert is an
answer. Answers with `url` and `json` are those of an API that the source asks beside the node.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cache, partial
from random import Random
from typing import Any

from monitor.chain import Call, call_payload
from monitor.source import Ports
from tests.collectors.sample import Answers, Sample, StillClock, damaged_json
from tests.fake_chain import FakeChain, encoded, header
from tests.fakes import FakeNet

WORD = 32
CALLED = ("to", "abi", "function", "args")
METHODS = ("eth_chainId", "eth_getBlockByNumber", "eth_getLogs", "eth_feeHistory")


@dataclass(frozen=True)
class ChainSample(Sample):
    """A source that is read from contracts. An answer of a method is damaged wherever that method is asked."""

    chain: Mapping[str, Any] = field(default_factory=dict)
    unbounded: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()

    def node(self, answers: Answers) -> FakeChain:
        head = header(self.chain["number"], self.chain["seconds"])
        node = FakeChain(self.chain["id"], head, spacing_seconds=self.chain.get("spacing_seconds", 0))
        if "fees" in self.chain:
            node.fees = lambda number: (self.chain["fees"][0], self.chain["fees"][1])
        for answer in answers:
            if "log" in answer:
                node.logs.append(answer["log"])
            elif "url" in answer:
                continue
            elif "method" in answer:
                node.spoil(answer["method"], partial(_instead, answer["result"]))
            else:
                place = _call(answer)[1]
                node.answers[place] = (answer.get("success", True), answer["raw"] if "raw" in answer else _encoded(answer))
        return node

    def ports(self, answers: Answers | None = None) -> Ports:
        given = self.answers if answers is None else answers
        return self.over(self.node(given), given)

    def over(self, node: FakeChain, answers: Answers) -> Ports:
        net = FakeNet()
        for answer in answers:
            if "url" in answer:
                net.answer("GET", answer["url"], answer["json"])
        for chain in self.watch.chains.values():
            net.answer("POST", chain.rpc, node.reply)
        return Ports(net, StillClock(self.now_ms), Random(0))

    def damaged(self) -> Iterator[tuple[str, Answers]]:
        return self._damaged(self._results())

    def _damaged(self, results: Mapping[str, object]) -> Iterator[tuple[str, Answers]]:
        for index, answer in enumerate(self.answers):
            if "url" in answer:
                for name, body in damaged_json(answer["json"], self.removable):
                    yield f"{answer['url']} {name}", (*self.answers[:index], answer | {"json": body}, *self.answers[index + 1 :])
            if "outputs" in answer:
                for name, change in self._damaged_call(answer):
                    yield f"{answer['function']} of {answer['to']}: {name}", (*self.answers[:index], answer | change, *self.answers[index + 1 :])
        for method, result in results.items():
            for name, damage in damaged_json(result, self.removable):
                yield f"{method} {name}", (*self.answers, {"method": method, "result": damage})

    def _damaged_call(self, answer: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        output = _encoded(answer)
        if answer["function"] not in self.optional:
            yield "reverted", {"success": False, "raw": b""}
        yield "empty", {"raw": b""}
        yield "short", {"raw": output[:-1]}
        yield "NaN", {"raw": b"NaN"}
        yield "too long", {"raw": output + b"\0" * 70_000}
        for place in range(0, len(output), WORD):
            if not self.unbounded & {answer["function"], f"{answer['function']}[{place // WORD}]"}:
                yield f"word {place // WORD} all ones", {"raw": output[:place] + b"\xff" * WORD + output[place + WORD :]}

    def _results(self) -> dict[str, object]:
        """What the honest node says first to each method that the collector uses."""
        told: dict[str, object] = {}
        node = self.node(self.answers)
        honest = node.result

        def noted(method: str, params: Any) -> object:
            result = honest(method, params)
            if method in METHODS and result:
                told.setdefault(method, result)
            return result

        node.result = noted  # type: ignore[method-assign]  # the same node, with a witness
        asyncio.run(self.collector.poll(self.over(node, self.answers), self.watch))
        return told


def _instead(damaged: object, _: object) -> object:
    return damaged


def _encoded(answer: Mapping[str, Any]) -> bytes:
    """What the contract returns; nothing, where the sample has no `outputs`."""
    return _returned(json.dumps({key: answer.get(key, []) for key in (*CALLED, "outputs")})) if "outputs" in answer else b""


@cache
def _returned(written: str) -> bytes:
    answer = json.loads(written)
    return encoded(_call(answer)[0], [_abi_value(value) for value in answer["outputs"]])


def _abi_value(value: object) -> object:
    """JSON has no bytes and no large numbers: `hex:..` is bytes, a string of digits is a number, a list is a list."""
    if isinstance(value, list):
        return [_abi_value(one) for one in value]
    if isinstance(value, str) and value.startswith("hex:"):
        return bytes.fromhex(value[4:])
    if isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    return value


def _call(answer: Mapping[str, Any]) -> tuple[Call, tuple[str, bytes]]:
    """The call, and where a node keeps what it answers. Made once: a sample is asked anew for every damage."""
    return _called(json.dumps({key: answer.get(key, []) for key in CALLED}))


@cache
def _called(written: str) -> tuple[Call, tuple[str, bytes]]:
    asked = json.loads(written)
    call = Call(asked["to"], asked["abi"], asked["function"], tuple(_abi_value(one) for one in asked["args"]))
    return call, (call.target.lower(), call_payload(call))


def chain_sample(sample: Sample, written: Mapping[str, Any]) -> ChainSample:
    """The same sample, answered by a chain."""
    own = {one.name: getattr(sample, one.name) for one in fields(Sample)}
    unbounded, optional = (frozenset(written.get(name, ())) for name in ("unbounded", "optional"))
    return ChainSample(**own, chain=written["chain"], unbounded=unbounded, optional=optional)
