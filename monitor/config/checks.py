"""Checks that no single type can make: addresses, URLs, chains, subjects."""

import ipaddress
import re
from collections.abc import Container, Iterator
from urllib.parse import SplitResult, urlsplit

from monitor.config.draft import Draft, nearest, shown
from monitor.config.yaml_text import Path, Tree
from monitor.core.book import Book, Chain
from monitor.core.tokens import CHAINS
from monitor.core.vocabulary import ASSET, LENDING, TVL_SUBJECT

CHAIN_IDS = {name: chain_id for name, (chain_id, _) in CHAINS.items()}
# Kinds of which the number of assets is known.
_ADDRESS_DIGITS = 40
_CAPITAL_FROM = 8  # EIP-55: a letter is a capital where the hash's digit is at least this
_KEY_DIGITS = 64
_SHORTEST_ADDRESS = 20
_HEX_RUN = re.compile(r"(?<![0-9A-Za-z])0[xX]([0-9A-Za-z]*)")
_FOREIGN = re.compile(
    r"(?:bc1|tb1|addr1|cosmos1)[a-z0-9]{20,}|T[1-9A-HJ-NP-Za-km-z]{33}|(?=[^\s]*\d)(?=[^\s]*[a-z])(?=[^\s]*[A-Z])[1-9A-HJ-NP-Za-km-z]{43,44}"
)


def scalars(tree: Tree, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every scalar and every key with its path."""
    if isinstance(tree, str):
        yield path, tree
    elif isinstance(tree, list):
        for index, item in enumerate(tree):
            yield from scalars(item, (*path, index))
    else:
        for key, value in tree.items():
            yield (*path, key), key
            yield from scalars(value, (*path, key))


def address_flaw(text: str) -> str:
    """What is wrong with an address that stands in this text, empty where nothing is (F-067, F-150)."""
    if _FOREIGN.fullmatch(text.strip()):
        return "this is the address of another kind of chain; only EVM chains are watched, their addresses are 0x and 40 hexadecimal digits"
    for digits in _HEX_RUN.findall(text):
        if flaw := _digits_flaw(digits):
            return flaw
    return ""


def _digits_flaw(digits: str) -> str:
    if len(digits) == _KEY_DIGITS:
        return "0x and 64 digits is what a private key looks like; never put one here, the monitor signs nothing"
    if len(digits) < _SHORTEST_ADDRESS:
        return ""
    if len(digits) != _ADDRESS_DIGITS or re.fullmatch("[0-9a-fA-F]+", digits) is None:
        return f"an address is 0x and 40 hexadecimal digits, this has {len(digits)} characters after 0x; copy it again"
    if digits in (digits.lower(), digits.upper()) or digits == checksummed(digits):
        return ""
    return "the address fails its checksum (EIP-55), a letter or digit is wrong; copy it again from a block explorer"


def checksummed(digits: str) -> str:
    """The 40 digits of an address with the capitals that EIP-55 gives them."""
    from eth_hash.auto import keccak  # only a configuration with an address pays for it

    low = digits.lower()
    nibbles = keccak(low.encode()).hex()
    return "".join(c.upper() if int(n, 16) >= _CAPITAL_FROM else c for c, n in zip(low, nibbles, strict=False))


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError where it is no number up to 65535
    except ValueError:
        return None
    return parts if parts.hostname and not re.search(r"\s", url) else None


def url_flaw(url: str, *, plain_only_on_loopback: bool = False) -> str:
    """What is wrong with an http(s) URL, empty where nothing is. The text never repeats the URL, which may carry a key."""
    parts = _split(url)
    if parts is None:
        return "is not a URL; write https://host/path"
    if parts.scheme not in {"http", "https"}:
        return f"must be an http or https URL, this begins with {shown(parts.scheme, 12)}: ; write https://host/path"
    if parts.scheme == "http" and plain_only_on_loopback and not is_loopback(parts.hostname or ""):
        return "plain http would send alerts readable over the network; write https:// (http is for this machine only)"
    return ""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_book(draft: Draft, book: Book) -> None:
    for name in ("envelope", "layer_share", "perp_half_spread", "perp_margin", "option_half_spread"):
        share = getattr(book, name)
        if not 0 < share <= 1:
            draft.add(("book", name), f"must lie above 0 and up to 100%, this is {share:.6g} (= {share * 100:.6g}%); write 10% or 0.1")
    for name in ("capital", "minimum_layer", "perp_fee", "gas"):
        if getattr(book, name) < 0:
            draft.add(("book", name), "cannot be below 0")
    for index, asset in enumerate(book.assets):
        check_asset(draft, ("book", "assets", index), asset)


def warn_of_idle_settings(draft: Draft, book: Book) -> None:
    """A setting that decides nothing yet must not be taken for one that does."""
    if book.objective == "il":
        draft.warnings.append(
            "book.objective: il decides nothing yet: layers are sized as for drawdown, since no strangle is proposed; "
            "each layer of an LP says what of the impermanent loss it would make good"
        )
    if book.mode == "promoter":
        draft.warnings.append("book.mode: promoter decides nothing yet: rules, gates and sizes are those of steward")


def check_asset(draft: Draft, path: Path, asset: str) -> None:
    if re.fullmatch(ASSET, asset) is None:
        meant = asset.upper() if re.fullmatch(ASSET, asset.upper()) else "it in capitals, such as ETH"
        draft.add(path, f"{shown(asset)!r} is not an asset's symbol; write {meant}")


_SUBJECTS = {
    "tvl": (TVL_SUBJECT, "a TVL subject; write chain:base, protocol:aave-v3 or protocol:aave-v3@base, in lower case"),
    "lending": (LENDING, "a lending market; write lending:ethereum/aave-v3/USDC"),
}


def check_subject(draft: Draft, path: Path, subject: str, kind: str = "tvl") -> None:
    form, advice = _SUBJECTS[kind]
    if re.fullmatch(form, subject) is None:
        draft.add(path, f"{shown(subject)!r} is not {advice}")


def check_chain(draft: Draft, name: str, chain: Chain, chain_id_given: bool, wrong: Container[str]) -> None:
    path: Path = ("chains", name)
    if not chain.rpc and "rpc" not in wrong:
        draft.add(path, "needs `rpc`, the http(s) URL of a JSON-RPC endpoint")
    elif chain.rpc and (flaw := url_flaw(chain.rpc)):
        draft.add((*path, "rpc"), flaw)
    if "chain_id" in wrong:
        return
    known = CHAIN_IDS.get(name)
    if known is None and not chain_id_given:
        draft.add(path, f"needs `chain_id`, since {shown(name)!r} is not a well-known chain ({nearest(name, CHAIN_IDS)})")
    elif chain_id_given and chain.chain_id != (known or chain.chain_id):
        draft.add((*path, "chain_id"), f"{name} has the chain id {known}, this says {chain.chain_id}: another chain; correct the one or the other")
    elif chain.chain_id < 1:
        draft.add((*path, "chain_id"), "must be a positive whole number")
