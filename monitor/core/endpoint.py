"""Where a collector asks: the source's own host, or the one that its `endpoint` setting names."""

from urllib.parse import urlsplit, urlunsplit


def at_endpoint(endpoint: str, url: str) -> str:
    """`url` with scheme, host and port of `endpoint` (whose path, if any, is put in front); unchanged where `endpoint` is empty."""
    if not endpoint:
        return url
    base, asked = urlsplit(endpoint), urlsplit(url)
    return urlunsplit((base.scheme, base.netloc, base.path.rstrip("/") + asked.path, asked.query, ""))


def is_http_url(url: str) -> bool:
    """Whether this is an http or https URL with a host."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError where it is no number up to 65535
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not any(character.isspace() for character in url)
