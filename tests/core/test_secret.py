"""A secret shows itself nowhere, and what leaks into text is blotted (F-151)."""

import copy
import json
import pickle

import pytest
from pydantic import BaseModel

from monitor.core.secret import Redactor, Secret, display_url, redact_urls

CANARY = 'canary-"7f/+ é\\x'


class Settings(BaseModel):
    webhook_secret: Secret


@pytest.mark.parametrize(
    "show", [repr, str, ascii, "{}".format, "{!r}".format, "%s".__mod__, lambda secret: f"{secret:>20}", lambda secret: repr([secret])]
)
def test_a_secret_shows_itself_as_stars_F_151(show: object) -> None:
    assert callable(show)
    shown = show(Secret(CANARY))
    assert "***" in shown
    assert "canary" not in shown


def test_a_model_takes_a_secret_as_text_and_never_gives_it_back_F_151() -> None:
    settings = Settings.model_validate({"webhook_secret": CANARY})
    assert settings.webhook_secret.reveal() == CANARY
    assert settings.model_dump_json() == '{"webhook_secret":"***"}'
    assert "canary" not in repr(settings) + str(settings.model_dump())
    assert Settings(webhook_secret=Secret("x")).webhook_secret == Secret("x")


def test_secrets_are_values_that_copy_but_do_not_pickle() -> None:
    secret = Secret("a")
    assert secret == Secret("a") != Secret("b")
    assert secret != "a"
    assert len({secret, Secret("a"), Secret("b")}) == 2
    assert bool(secret) and not Secret("")
    assert copy.copy(secret) is secret
    assert copy.deepcopy({"k": secret}) == {"k": secret}
    with pytest.raises(TypeError):
        pickle.dumps(secret)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api.venue.com", "https://api.venue.com"),
        ("https://api.venue.com/", "https://api.venue.com/"),
        ("https://eth.rpc.io/v2/s3cr3t", "https://eth.rpc.io/..."),
        ("https://u:p@host:8443/x?key=s3cr3t#f", "https://host:8443/..."),
        ("https://u:p@ss@host/x", "https://host/..."),
        ("https://host?key=s3cr3t", "https://host/..."),
        ("wss://[::1]:9/ws/s3cr3t", "wss://[::1]:9/..."),
        ("http://[s3cr3t", "http://..."),
        ("http://[s3cr3t]/", "http://..."),
        ("http:///s3cr3t", "http://..."),
        ("https://user:s3'cr3t@host/x", "https://host/..."),
        ("https://s3cr3t key", "https://..."),
        ("https://host:s3cr3t", "https://..."),
        ("not a url", "a URL without a host"),
    ],
)
def test_a_url_is_shown_to_its_host_only_F_151(url: str, shown: str) -> None:
    assert display_url(url) == shown


def test_urls_inside_a_sentence_are_cut_and_the_sentence_kept_F_151() -> None:
    sentence = "Timeout on https://u:p@a.io/k/s3cr3t?x=1, then \"http://b.io/hook/s3cr3t\"; see 'ws://c' and x@y.z"
    assert redact_urls(sentence) == "Timeout on https://a.io/... then \"http://b.io/...\"; see 'ws://c' and x@y.z"


@pytest.mark.parametrize("printed", [CANARY, json.dumps(CANARY), repr(CANARY), "canary-%227f%2F%2B%20%C3%A9%5Cx", "canary-%227f/%2B%20%C3%A9%5Cx"])
def test_a_secret_is_blotted_in_each_form_libraries_print_it_F_151(printed: str) -> None:
    assert "7f" not in Redactor(Secret(CANARY)).redact(f"refused key={printed} at 3")


def test_a_secret_that_contains_another_is_blotted_whole_F_151() -> None:
    assert Redactor(Secret("abc"), Secret("abcdef")).redact("abcdef abc abd") == "*** *** abd"


def test_the_key_inside_a_secret_url_is_blotted_without_its_host_too_F_151() -> None:
    redactor = Redactor(Secret("https://user:longpassword1@rpc.io/mainnet/0123456789abcdef?apikey=fedcba98"))
    shown = redactor.redact("Max retries with url: /mainnet/0123456789abcdef?apikey=fedcba98 auth longpassword1")
    assert shown == "Max retries with url: /mainnet/***?apikey=*** auth ***"


def test_an_empty_secret_blots_nothing_and_one_may_be_added_later() -> None:
    redactor = Redactor(Secret(""))
    assert redactor.redact("as it was") == "as it was"
    redactor.add(Secret("was"))
    assert redactor.redact("as it was") == "as it ***"
