"""The trust store: which certificate authorities this machine believes, and whether that list can still be right."""

import os
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DAY_SECONDS = 86_400
# Authorities come and go every few months; a list this old misses some that sources have moved to.
OLD_DAYS = 550


@dataclass(frozen=True, slots=True)
class TrustStore:
    """What was found: how many authorities, how many of them have expired, how old the newest file is."""

    place: str
    authorities: int
    expired: int
    age_days: float

    @property
    def problem(self) -> str:
        """What is wrong with it and what to do; empty when nothing is."""
        if not self.authorities:
            return f"no certificate authority at {self.place}: every https source will be refused; install ca-certificates, or set SSL_CERT_FILE"
        if self.expired * 2 > self.authorities:
            return f"{self.expired} of {self.authorities} certificate authorities at {self.place} have expired: update ca-certificates"
        if self.age_days > OLD_DAYS:
            return f"the certificate authorities at {self.place} are {self.age_days:.0f} days old: update ca-certificates"
        return ""


def trust_store(now_seconds: float | None = None) -> TrustStore:
    """Read the list that `ssl.create_default_context()` believes."""
    now = time.time() if now_seconds is None else now_seconds
    files = list(_files())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for file in files:
        try:
            context.load_verify_locations(file)
        except (ssl.SSLError, OSError):
            continue  # a list that cannot be read holds nothing, which is what is counted
    ends = [ssl.cert_time_to_seconds(str(one["notAfter"])) for one in context.get_ca_certs()]
    newest = max((file.stat().st_mtime for file in files), default=now)
    place = str(files[0].parent if len(files) > 1 else files[0]) if files else _expected()
    return TrustStore(place, len(ends), sum(end < now for end in ends), (now - newest) / DAY_SECONDS)


def _files() -> Iterator[Path]:
    """The bundle if there is one, else the folder of single certificates."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        yield Path(paths.cafile)
    elif paths.capath:
        yield from sorted({file.resolve() for file in Path(paths.capath).iterdir() if file.is_file()})


def _expected() -> str:
    paths = ssl.get_default_verify_paths()
    return os.environ.get(paths.openssl_cafile_env) or paths.openssl_cafile
