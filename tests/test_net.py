"""How failures of the secure layer are told; no socket is opened."""

import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from monitor.net import _failure

KEY = ConnectionKey("venue.test", 443, True, True, None, None, None)


@pytest.mark.parametrize(
    ("error", "permanent"),
    [
        (aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError(1, "certificate has expired")), True),
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "unsupported protocol")), False),
    ],
)
def test_a_bad_certificate_is_permanent_and_a_broken_handshake_is_not_F_090(error: Exception, permanent: bool) -> None:
    failure = _failure("https://venue.test/s3cr3t", 1, error)
    assert str(failure).startswith("https://venue.test/...: no secure connection: ")
    assert error.args[1].args[1] in str(failure)
    assert "s3cr3t" not in str(failure)
    assert failure.permanent is permanent
