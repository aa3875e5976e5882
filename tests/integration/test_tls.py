"""Nobody is believed without a certificate that this machine's trust store vouches for: F-090, F-091."""

import importlib
import re
import ssl
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from monitor.errors import SourceError
from monitor.net import HttpNet
from monitor.registry import plugins
from monitor.source import Collector
from monitor.trust import OLD_DAYS, TrustStore, trust_store
from tests.cli.speak import speak
from tests.integration.asks import CANARY, OWN, Ask, webhook
from tests.integration.certificates import DAY, Certificate, made, secure, tls_1_0

pytestmark = pytest.mark.integration
MONITOR = Path(__file__).resolve().parents[2] / "monitor"


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Certificate:
    """An authority of ours, the only one that this machine trusts while the test runs."""
    ours = made("an authority of ours")
    monkeypatch.setenv("SSL_CERT_FILE", str(ours.write(tmp_path / "authority.pem")))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    return ours


async def test_a_true_certificate_is_believed(authority: Certificate, tmp_path: Path) -> None:
    file = made("a venue", by=authority).write(tmp_path / "venue.pem")
    async with secure(file) as server, HttpNet() as net:
        assert await net.get_json(server.url) == 1
        assert await (await net.client_session().get(server.url)).json(content_type=None) == 1


BAD = {
    "expired": (lambda by: made("a venue", by=by, ends_in=-DAY), "certificate has expired"),
    "for another host": (lambda by: made("a venue", by=by, host="127.0.0.2"), "IP address mismatch"),
    "signed by itself": (lambda by: made("a venue"), "self-signed certificate"),
    "signed by a stranger": (lambda by: made("a venue", by=made("a stranger")), "unable to get local issuer certificate"),
}


@pytest.mark.parametrize("ask", [*OWN, webhook])
@pytest.mark.parametrize("flaw", BAD)
async def test_a_bad_certificate_is_refused_with_its_flaw_and_not_asked_again_soon_F_090(
    authority: Certificate, tmp_path: Path, flaw: str, ask: Ask
) -> None:
    make, sentence = BAD[flaw]
    file = make(authority).write(tmp_path / "venue.pem")
    async with secure(file) as server, HttpNet() as net:
        with pytest.raises(SourceError, match=f"no secure connection: .*{sentence}") as caught:
            await ask(net, f"{server.url}/{CANARY}")
        assert server.asked == 0, "nothing was said to it"
    assert caught.value.permanent
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("flaw", BAD)
async def test_libraries_are_lent_sessions_that_refuse_it_too_F_090(authority: Certificate, tmp_path: Path, flaw: str) -> None:
    file = BAD[flaw][0](authority).write(tmp_path / "venue.pem")
    ccxt = importlib.import_module("ccxt.async_support.base.exchange")
    NetworkError = importlib.import_module("ccxt.base.errors").NetworkError
    async with secure(file) as server, HttpNet() as net:
        exchange = ccxt.Exchange({"session": net.client_session()})
        exchange.ssl_context = False
        with pytest.raises(NetworkError) as caught:
            await exchange.fetch(server.url)
        assert isinstance(caught.value.__cause__, aiohttp.ClientConnectorCertificateError)
        await exchange.close()
        assert server.asked == 0


async def test_tls_1_0_is_refused_for_good_F_090(authority: Certificate, tmp_path: Path) -> None:
    file = made("a venue", by=authority).write(tmp_path / "venue.pem")
    with tls_1_0(file) as url:
        async with HttpNet() as net:
            with pytest.raises(SourceError, match=r"no secure connection: .*(?:version|protocol|PROTOCOL|VERSION)") as caught:
                await net.get_json(url)
    assert caught.value.permanent


def test_there_is_no_way_to_switch_the_verification_off_F_090() -> None:
    forbidden = re.compile(r"CERT_NONE|check_hostname|verify_ssl|ssl\s*=\s*False|_create_unverified|verify\s*=\s*False")
    found = [str(path) for path in MONITOR.rglob("*.py") if forbidden.search(path.read_text())]
    assert found == []


# --- F-091: the trust store -----------------------------------------------------------------------------------------------------


def test_a_trust_store_that_is_well_has_no_problem_F_091(authority: Certificate) -> None:
    found = trust_store()
    assert (found.authorities, found.expired, found.problem) == (1, 0, "")


def test_an_empty_trust_store_is_a_problem_with_a_remedy_F_091(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty.pem").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "empty.pem"))
    assert re.match(r"no certificate authority at .*empty\.pem: .*ca-certificates", trust_store().problem)


def test_a_missing_trust_store_is_a_problem_F_091(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "nowhere"))
    assert trust_store().authorities == 0
    assert "nowhere.pem" in trust_store().problem


def test_expired_authorities_are_a_problem_F_091(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made("an authority that was", ends_in=-DAY).write(tmp_path / "old.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "old.pem"))
    assert "1 of 1 certificate authorities" in trust_store().problem


@pytest.mark.parametrize(("age", "old"), [(timedelta(days=OLD_DAYS - 1), False), (timedelta(days=OLD_DAYS + 1), True)])
def test_an_old_list_of_authorities_is_a_problem_F_091(authority: Certificate, age: timedelta, old: bool) -> None:
    now = Path(ssl.get_default_verify_paths().cafile or "").stat().st_mtime + age.total_seconds()
    found = trust_store(now)
    assert ("days old: update ca-certificates" in TrustStore(found.place, 1, 0, found.age_days).problem) is old


def test_a_folder_of_single_certificates_is_read_too_F_091(authority: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "many").mkdir()
    for number in range(3):
        made(f"authority {number}").write(tmp_path / "many" / f"{number}.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "many"))
    assert trust_store().authorities == 3


def test_check_says_what_is_wrong_with_the_trust_store_F_091(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "nowhere"))
    off = [f"  {name}: {{enabled: no}}" for name in plugins("monitor.collectors", Collector)]
    file = tmp_path / "hedge-monitor.yaml"
    file.write_text("\n".join([f"store: {{url: 'sqlite:///{tmp_path}/check.db'}}", "sources:", *off, ""]))
    said = speak("check", config=file)
    assert said.code == 1
    assert re.search(r"^failed +trust certificates: no certificate authority at .*nowhere\.pem", said.out, re.MULTILINE), said.out
