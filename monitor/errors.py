"""Errors, named by who can mend them.

`ConfigError` is the user's, `SourceError` passes by itself (retry), `BadPayload` is the venue's (reject and count), `StoreError` is the
operator's. Anything else is a bug of ours.
"""


class MonitorError(Exception):
    """Base of every error that carries a message for a human."""


class ConfigError(MonitorError):
    """The configuration is wrong; every problem is reported at once, each with its place and its cure."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class SourceError(MonitorError):
    """A source could not be read now; trying again later may work.

    `status` is the HTTP status where there was one; `retry_after_seconds` is what the source asked for; `permanent` says that hot
    retries are useless (wrong key, wrong chain, geo-block, bad certificate).
    """

    def __init__(self, message: str, *, status: int | None = None, retry_after_seconds: float | None = None, permanent: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.permanent = permanent


class BadPayload(MonitorError):
    """A source answered with something that is not what it promised; the value is rejected and counted, never guessed."""


class StoreError(MonitorError):
    """The store cannot be used; the message says what to do."""
