"""What an API key may do, as its venue says: a key that can do more than read is refused, since the monitor must hold none that moves funds.

Binance: https://developers.binance.com/docs/wallet/account/api-key-permission
Bybit: https://bybit-exchange.github.io/docs/v5/user/apikey-info
OKX: https://www.okx.com/docs-v5/en/#trading-account-rest-api-get-account-configuration
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from monitor.core.decode import field, items, text, whole
from monitor.errors import BadPayload

READING = frozenset({"enableReading", "enableFixReadOnly", "ipRestrict"})
# Without these three the answer is not the one that was asked for.
TELLING = ("enableWithdrawals", "enableSpotAndMarginTrading", "enableFutures")
SHOWN = 5


class Permissions(NamedTuple):
    """How a venue is asked: the method of its ccxt class, and what of the answer is more than reading."""

    method: str
    beyond_reading: Callable[[object], Sequence[str]]


def of_binance(body: object) -> list[str]:
    """Whatever is on and neither reading nor the binding to an address; `enable..` and `permits..` must be plainly on or off."""
    flags = field(body, kind=dict)
    for name in TELLING:
        field(flags, name, kind=bool)
    rights = {str(name): field(flags, name, kind=bool) if str(name).startswith(("enable", "permits")) else on is True for name, on in flags.items()}
    return [name for name, on in rights.items() if on and name not in READING]


def of_bybit(body: object) -> list[str]:
    """A key is read-only as a whole, or it is not; then what it may do is named."""
    if (read_only := whole(body, "result", "readOnly")) not in (0, 1):
        raise BadPayload(f"result.readOnly is {read_only}, which is neither 0 nor 1")
    rights = field(body, "result", "permissions", kind=dict)
    return [] if read_only else [str(name) for name, granted in rights.items() if granted] or ["it is not read-only"]


def of_okx(body: object) -> list[str]:
    """Its permissions stand in one text: `read_only,trade`."""
    rights = {right.strip() for right in text(items(body, "data"), 0, "perm").split(",")}
    if "read_only" not in rights:
        raise BadPayload("data.0.perm does not name read_only")
    return sorted(rights - {"read_only"})


PERMISSIONS: Mapping[str, Permissions] = {
    "binance": Permissions("sapi_get_account_apirestrictions", of_binance),
    "bybit": Permissions("private_get_v5_user_query_api", of_bybit),
    "okx": Permissions("private_get_account_config", of_okx),
}


def refusal(account: str, venue: str, rights: Sequence[str]) -> str:
    """Why a key with these rights is not used, and what to do."""
    named = ", ".join(ascii(right[:40])[1:-1] for right in rights[:SHOWN])
    more = " and more" if len(rights) > SHOWN else ""
    return (
        f"{account}: its key may do more than read ({named}{more}) and is not used: delete it at {venue}, make one that can only read, and put"
        f" that into sources.venue-account.accounts.{account}"
    )
