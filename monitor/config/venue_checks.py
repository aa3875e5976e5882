"""Checks of perpetual positions that are read: their venue against the sources, and nothing declared that is read."""

from collections.abc import Mapping
from typing import Protocol

from monitor.config.draft import Draft, nearest, shown
from monitor.config.yaml_text import Path
from monitor.core.book import Position


class Reader(Protocol):
    """What of a source is asked here: the venues that positions may name, and what a position lacks to be read."""

    @property
    def venues(self) -> tuple[str, ...]: ...

    def flaw_of(self, position: Position) -> str: ...


def check_venues(draft: Draft, positions: Mapping[int, Position], sources: Mapping[str, Reader]) -> None:
    """Perpetual positions that are read: their venue must be one, and then nothing is declared that is read."""
    readers: dict[str, str] = {}
    for name, source in sources.items():
        for venue in source.venues:
            if venue in readers:
                draft.add(("sources", name), f"{shown(venue)!r} is also what {readers[venue]} reads; give the account another name")
            readers.setdefault(venue, name)
    for index, position in positions.items():
        if position.kind == "perp" and position.venue:
            _check_venue(draft, ("positions", index), position, readers, sources)


def _check_venue(draft: Draft, here: Path, position: Position, readers: Mapping[str, str], sources: Mapping[str, Reader]) -> None:
    if position.venue not in readers:
        unread = f"{shown(position.venue)!r} is no venue or account that is read; {nearest(position.venue, readers)}"
        draft.add((*here, "venue"), f"{unread}, add it to sources.venue-account.accounts, or delete `venue` and declare the position")
        return
    if flaw := sources[readers[position.venue]].flaw_of(position):
        draft.add((*here, "account"), flaw)
    for name in ("size", "entry_price", "margin"):
        if getattr(position, name):
            draft.add((*here, name), f"is read from {position.venue}; delete it, or delete `venue` and declare the position")
