"""Checks of declared positions: what each kind needs and may have, and what only together is wrong."""

import dataclasses
import re
from collections.abc import Container, Iterable, Mapping

from monitor.config.checks import check_asset, check_subject
from monitor.config.draft import Draft, nearest, shown
from monitor.config.yaml_text import Path
from monitor.core.amm import MAX_TICK, MIN_TICK
from monitor.core.book import COMMON_FIELDS, FIELDS_OF, Position
from monitor.core.tokens import MAJORS, STABLES, underlying
from monitor.core.vocabulary import POSITION
from monitor.core.vocabulary import PROTOCOL as PROTOCOL_SUBJECT

ASSETS_OF = {"uniswap-v2": 2, "uniswap-v3": 2, "uniswap-v4": 2, "erc-4626": 1}
_ONE_RESERVE = {"WETH": "ETH", "WBTC": "BTC"}
# What says which thing a position reads.
_TELLING = frozenset({"kind", "chain", "account", "pool", "token_id", "tick_lower", "tick_upper", "assets", "venue", "asset", "amounts", "protocol"})
LIABILITIES = "treasury.liabilities_usd"
HOLDINGS = ("treasury.stables_usd", *(f"treasury.tokens.{asset}" for asset in sorted(STABLES | MAJORS)))


def check_positions(draft: Draft, positions: Mapping[int, Position], chains: Mapping[str, object], wrong: Mapping[int, frozenset[str]]) -> None:
    """`wrong` names the settings of each that were refused already and stand at their defaults: nothing is said of what they are."""
    first: dict[str, int] = {}
    _check_overlaps(draft, {index: position for index, position in positions.items() if not wrong[index] & _TELLING})
    for index, position in positions.items():
        here: Path = ("positions", index)
        if position.id in first:
            place = draft.place(("positions", first[position.id]))
            draft.add((*here, "id"), f"{shown(position.id)!r} is already the id of the position at {place}; give each its own")
        if "id" not in wrong[index]:
            first.setdefault(position.id, index)
        _check_position(draft, here, position, wrong[index])
        if position.chain and position.chain not in chains:
            draft.add(
                (*here, "chain"),
                f"{shown(position.chain)!r} is not under `chains`; add it there with its `rpc` ({nearest(position.chain, chains)})",
            )


def _check_overlaps(draft: Draft, positions: Mapping[int, Position]) -> None:
    """What is read may be declared once only, else the book would count it twice."""
    first: dict[tuple[object, ...], int] = {}
    for index, position in positions.items():
        for one in _read_by(position):
            earlier = first.setdefault(one, index)
            if earlier != index:
                place = draft.place(("positions", earlier))
                draft.add(("positions", index), f"holds what the position at {place} holds already, and would count twice; delete one of the two")
                break


def _read_by(position: Position) -> list[tuple[object, ...]]:
    """Names for each thing of its own that a position reads; none where it is declared."""
    kind, account = position.kind, position.account.lower()
    if kind == "perp" and position.venue:
        return [(kind, position.venue, account.removesuffix("/0"), underlying(position.asset))]
    if kind == "treasury":
        return [(kind, position.protocol)]
    if not position.chain or position.amounts:
        return []
    here = (kind, position.chain, account if position.token_id is None else position.token_id)
    if kind in ("tokens", "aave-v3"):
        return [(*here, asset) for asset in dict.fromkeys(position.assets)]
    if kind == "compound-v3":
        return [(*here, *position.assets[:1])]
    return [(*here, position.pool.lower(), position.tick_lower, position.tick_upper)]


def _check_doubles(draft: Draft, here: Path, position: Position) -> None:
    """An asset that is named twice is read twice; in a lending market a coin and what wraps it are one."""
    if position.kind in ASSETS_OF:
        return
    lent = position.kind in ("aave-v3", "compound-v3")
    names = [_ONE_RESERVE.get(asset.upper(), asset) if lent else asset for asset in position.assets]
    for name in sorted({name for name in names if names.count(name) > 1}):
        draft.add((*here, "assets"), f"{shown(name)!r} is named twice and would count twice; name it once")


def warn_of_treasuries(draft: Draft, positions: Iterable[Position], provided: Container[tuple[str, str]]) -> None:
    """What no source will bring may still be fed by hand, so it stops nothing; until then the position has no value."""
    for position in positions:
        if position.kind != "treasury":
            continue
        here, wallets = f"position {position.id}: no source is set up that says what {position.protocol}", "sources.treasury-wallets.treasuries"
        if not any((metric, position.protocol) in provided for metric in HOLDINGS):
            draft.warnings.append(
                f"{here} holds; list its wallets under {wallets}, the protocol under sources.defillama-treasury.treasuries, or feed {HOLDINGS[0]}"
            )
        if (LIABILITIES, position.protocol) not in provided:
            draft.warnings.append(f"{here} owes; write its liabilities under {wallets}, or feed {LIABILITIES}")


def _given(position: Position, name: str) -> bool:
    value = getattr(position, name)
    # A token id or a tick may well be 0.
    return value is not None and (isinstance(value, int) or value not in ("", 0.0, {}, ()))


def _in_words(need: str) -> str:
    """`a`, `b` and `c`, or `d`."""
    ways = []
    for way in need.split("|"):
        *most, last = [f"`{name}`" for name in way.split("+")]
        ways.append(f"{', '.join(most)} and {last}" if most else last)
    return " or ".join(ways)


def _check_position(draft: Draft, here: Path, position: Position, wrong: Container[str]) -> None:
    if "id" not in wrong and re.fullmatch(POSITION, position.id) is None:
        draft.add((*here, "id"), "must be lower-case letters, digits and dashes, at most 63")
    if "kind" not in wrong:
        _check_fields(draft, here, position, wrong)
        _check_kind(draft, here, position)
        _check_doubles(draft, here, position)
    _check_names(draft, here, position, wrong)
    _check_numbers(draft, here, position)
    if position.expiry:
        _check_contract(draft, here, position)


def _check_fields(draft: Draft, here: Path, position: Position, wrong: Container[str]) -> None:
    """What the kind needs is there, and nothing that belongs to another kind."""
    fields = FIELDS_OF[position.kind]
    for need in fields.needed:
        if not any(all(name in wrong or _given(position, name) for name in way.split("+")) for way in need.split("|")):
            draft.add(here, f"a position of kind {position.kind} needs {_in_words(need)}")
    known = {name for need in (*COMMON_FIELDS, *fields.needed, *fields.optional) for name in re.split(r"[|+]", need)}
    for name in (field.name for field in dataclasses.fields(position)):
        if name not in known and (name in wrong or _given(position, name)):
            draft.add((*here, name), f"does not belong to a position of kind {position.kind}; delete it, or change the kind")


def _check_numbers(draft: Draft, here: Path, position: Position) -> None:
    for name in ("pool", "tick_lower", "tick_upper"):
        if position.token_id is not None and _given(position, name):
            draft.add((*here, name), "belongs to a range without an NFT; delete it, or delete `token_id`")
    for name in ("amounts", "deposited"):
        for asset, amount in getattr(position, name).items():
            if amount < 0:
                owed = "; what is owed belongs to a lending position, what is sold short to a perp" if name == "amounts" else ""
                draft.add((*here, name, asset), f"must not be below 0{owed}")
    if position.credit < 0:
        draft.add((*here, "credit"), "must not be below 0: write what was received for one coin or index unit")
    if position.token_id is not None and not 0 <= position.token_id < 2**256:
        draft.add((*here, "token_id"), "must be a whole number from 0 to 2^256 - 1")
    if position.tick_lower is not None and position.tick_upper is not None and not MIN_TICK <= position.tick_lower < position.tick_upper <= MAX_TICK:
        draft.add((*here, "tick_upper"), f"must be above tick_lower, both from {MIN_TICK} to {MAX_TICK}")


def _check_names(draft: Draft, here: Path, position: Position, wrong: Container[str]) -> None:
    """Addresses, assets and subjects."""
    for field in ("account", "pool"):
        # What a venue calls an account need not be an address of a chain.
        if (written := getattr(position, field)) and position.chain and field not in wrong and re.fullmatch("0x[0-9a-fA-F]{40}", written) is None:
            draft.add((*here, field), "must be an address, 0x and 40 hexadecimal digits")
        if re.fullmatch("0x0{40}", written):
            draft.add((*here, field), "is the zero address, where lost and burned tokens lie: write your own")
    for field, names in (("amounts", position.amounts), ("deposited", position.deposited), ("assets", position.assets), ("asset", [position.asset])):
        for name in filter(None, names):
            check_asset(draft, (*here, field), name)
    for index, subject in enumerate(position.exposed_to):
        check_subject(draft, (*here, "exposed_to", index), subject)
    if position.protocol and re.fullmatch(PROTOCOL_SUBJECT, position.protocol) is None:
        draft.add((*here, "protocol"), f"{shown(position.protocol)!r} is not a protocol; write protocol:uniswap, in lower case")


def _check_kind(draft: Draft, here: Path, position: Position) -> None:
    """What two settings of a kind say together."""
    if position.amounts and (position.account or position.assets) and position.kind == "tokens":
        draft.add(here, "declares `amounts` and names an `account` or `assets` to read; keep the one or the other")
    if (most := ASSETS_OF.get(position.kind)) and position.assets and len(position.assets) != most:
        what = "the one asset of its vault" if most == 1 else "the two tokens of its pool, in the pool's order"
        draft.add((*here, "assets"), f"must name {what}, this names {len(position.assets)}")


def _check_contract(draft: Draft, here: Path, position: Position) -> None:
    """Strikes and expiry of an option or a condor; one that has expired is no mistake."""
    from monitor.core.condor import strikes_flaw  # drags numpy in, which a book without options can do without
    from monitor.core.options import expiry_ms

    try:
        expiry_ms(position.asset, position.expiry)
    except ValueError:
        advice = "write 2026-12-25 (08:00 UTC for crypto, 16:00 New York for SPX) or an instant such as 2026-12-25T08:00:00Z"
        draft.add((*here, "expiry"), f"{shown(position.expiry)!r} is no date; {advice}")
    if position.strike < 0:
        draft.add((*here, "strike"), "must be above 0")
    if position.strikes and (flaw := strikes_flaw(position.strikes)):
        draft.add((*here, "strikes"), flaw)
