"""Who may ask, and how: the middleware of the one port. Every answer carries the same headers, every refusal is JSON."""

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Collection

from aiohttp import web
from aiohttp.typedefs import Middleware

from monitor.early import hostname, own_names
from monitor.errors import ConfigError

MIN_TOKEN_CHARACTERS = 16
METHODS = ("GET", "HEAD")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def must_be_safe(host: str, token: str | None) -> None:
    """Raise ConfigError for a listening address that others can reach without a token, and for a token that can be guessed."""
    if token is not None:
        must_be_long("server.token", token)
    if token is None and not is_loopback(host):
        raise ConfigError(f"server.host {host} can be reached from other machines: set server.token, or listen on 127.0.0.1")


def must_be_long(setting: str, token: str) -> None:
    """Raise ConfigError for a token that can be guessed."""
    if len(token) < MIN_TOKEN_CHARACTERS:
        raise ConfigError(f"{setting} is too short: {MIN_TOKEN_CHARACTERS} characters at least, such as those of `openssl rand -hex 32`")


def guards(host: str, token: str | None, hosts: Collection[str], taking: str = "") -> list[Middleware]:
    """The middleware, outermost first. `hosts` are further names under which a proxy on this machine may ask.

    `taking` is the one path that takes a POST and asks for a token of its own; empty where none does.
    """
    allowed = own_names(host, hosts)
    inner = [_methods(taking)]
    if is_loopback(host):
        inner.append(_known_host(allowed))
    if token is not None:
        inner.append(_bearer(token, taking))
    return [_json_errors(), *inner]


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Set the headers that every answer carries; a handler's own choice of caching stays."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "hedge-monitor"  # the versions of what runs here are nobody's business


def refusal(status: int, message: str, **headers: str) -> web.Response:
    """An error as JSON: {"error": {"status", "message"}}."""
    return web.json_response({"error": {"status": status, "message": message}}, status=status, headers=headers)


def _json_errors() -> Middleware:
    @web.middleware
    async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            kept = {name: value for name, value in error.headers.items() if name in {"Allow", "Location"}}
            return refusal(error.status, error.reason or "error", **kept)

    return errors


def _methods(taking: str) -> Middleware:
    @web.middleware
    async def methods(request: web.Request, handler: Handler) -> web.StreamResponse:
        if taking and request.path == taking:
            return await handler(request) if request.method == "POST" else refusal(405, "this path only takes POST", Allow="POST", Connection="close")
        if request.method not in METHODS:
            return refusal(405, "this port only answers GET and HEAD", Allow=", ".join(METHODS))
        if request.can_read_body:
            return refusal(413, "a request to this port has no body", Connection="close")
        return await handler(request)

    return methods


def _known_host(allowed: frozenset[str]) -> Middleware:
    """Against DNS rebinding: a foreign page whose name was pointed at this machine asks with its own name in `Host`."""

    @web.middleware
    async def known_host(request: web.Request, handler: Handler) -> web.StreamResponse:
        if hostname(request.headers.get("Host", "")) not in allowed:
            return refusal(421, "this port is asked for by another name: use http://127.0.0.1 or http://localhost")
        return await handler(request)

    return known_host


def _bearer(token: str, taking: str) -> Middleware:
    """`Authorization: Bearer <token>`; or Basic with the token as the password, which is what a browser can ask its user for.

    The path that is `taking` is left to its own handler, which asks for another token.
    """
    expected = token.encode()

    @web.middleware
    async def bearer(request: web.Request, handler: Handler) -> web.StreamResponse:
        if taking and request.path == taking:
            return await handler(request)
        given = given_token(request.headers.get("Authorization", ""))
        # Compared as bytes in constant time: the answer's delay tells nothing of the token.
        if not hmac.compare_digest(given, expected):
            return refusal(401, "a bearer token is needed", **{"WWW-Authenticate": 'Basic realm="hedge-monitor", charset="UTF-8"'})
        return await handler(request)

    return bearer


def given_token(header: str) -> bytes:
    """The token of an `Authorization` header, empty where it holds none."""
    scheme, _, value = header.partition(" ")
    raw = value.strip().encode("utf-8", "surrogateescape")
    if scheme.lower() == "bearer":
        return raw
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(raw, validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""
